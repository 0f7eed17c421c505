/*
 * mount.h - ext4 volumes for those outside this folder: fs_mount_ext4 (fs/vnode.h) and what tests and the
 * machine's end need.
 */
#ifndef FS_EXT4_MOUNT_H
#define FS_EXT4_MOUNT_H

#include "fs/vnode.h"

/* Open the volume at byte offset off (flags: FS_MOUNT_*); it belongs to nothing yet. Sleeps. -EINVAL: no ext4 here; -EUCLEAN, -EOPNOTSUPP, -EIO, -ENOMEM, -EROFS. */
int ext4_open(struct blkdev *d, u64 off, u32 flags, struct mount **ret) MUST_CHECK;
/* Write everything, empty the journal, mark the volume clean; it can only be read afterwards. Sleeps. */
int ext4_finish(struct mount *m);
struct ext4;
/* The volume failed: nothing of what changed since the last commit will be written; files that waited for that are let go. */
void ext4_forget_changes(struct ext4 *e);
/* ext4_finish, and forget the volume: nobody holds vnodes of it any more. */
int ext4_close(struct mount *m);

#endif
