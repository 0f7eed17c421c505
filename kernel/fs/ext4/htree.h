/*
 * htree.h - indexed directories, for the files of this folder that deal with directories. All under M.
 */
#ifndef FS_EXT4_HTREE_H
#define FS_EXT4_HTREE_H

#include "fs/ext4/ext4.h"

/* Is this block of an indexed directory part of the index? */
bool htree_is_node(const struct ext4_inode *dir, u64 lblk, struct ext4_buf *b);
bool htree_node_valid(struct ext4_inode *dir, u64 lblk, struct ext4_buf *b);
void htree_node_changed(struct ext4_inode *dir, struct ext4_buf *b);
int htree_find(struct ext4_inode *dir, const char *name, size_t len, struct ext4_buf **ret_buf, struct ext4_dirent **ret, struct ext4_dirent **ret_prev) MUST_CHECK;
int htree_add(struct ext4_inode *dir, const char *name, size_t len, u32 ino, u8 type) MUST_CHECK;
/* Turn a directory of one full block into an indexed one. */
int htree_make(struct ext4_inode *dir) MUST_CHECK;
/*
 * The leaf with the entries of hash `from` on: a copy of its contents in data (block_size bytes), and *ret_next, the first hash that
 * lies beyond it. -ENOENT behind the last one.
 */
int htree_leaf_copy(struct ext4_inode *dir, u32 from, u8 *data, u32 *ret_next, u8 *ret_version) MUST_CHECK;

#endif
