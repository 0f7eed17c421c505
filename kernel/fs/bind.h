/*
 * bind.h - a memory file system over a directory of the root whose entries stay visible.
 */
#ifndef FS_BIND_H
#define FS_BIND_H

#include "fs/vnode.h"

/*
 * As fs_mount_tmpfs. Each entry that the directory had before appears in the memory file system under its name: files
 * and directories as mount points (read-only, they cannot be removed), links as copies. So a program that lies
 * in /tmp on the host runs at the same path. At boot; sleeps. An entry that cannot be shown is
 * logged and left out.
 */
int fs_mount_tmpfs_over(const char *path, u32 mode, u64 max_bytes);

#endif
