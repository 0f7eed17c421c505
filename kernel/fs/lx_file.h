/*
 * lx_file.h - Linux's numbers for files (asm-generic/fcntl.h, uapi/linux/{stat,fs,falloc,magic}.h).
 */
#ifndef FS_LX_FILE_H
#define FS_LX_FILE_H

#define LX_O_ACCMODE   00000003
#define LX_O_RDONLY    00000000
#define LX_O_WRONLY    00000001
#define LX_O_RDWR      00000002
#define LX_O_CREAT     00000100
#define LX_O_EXCL      00000200
#define LX_O_NOCTTY    00000400
#define LX_O_TRUNC     00001000
#define LX_O_APPEND    00002000
#define LX_O_NONBLOCK  00004000
#define LX_O_DSYNC     00010000
#define LX_O_ASYNC     00020000
#define LX_O_DIRECT    00040000
#define LX_O_LARGEFILE 00100000
#define LX_O_DIRECTORY 00200000
#define LX_O_NOFOLLOW  00400000
#define LX_O_NOATIME   01000000
#define LX_O_CLOEXEC   02000000
#define LX_O_SYNC      04010000
#define LX_O_PATH      010000000
#define LX_O_TMPFILE   020200000 /* with O_DIRECTORY */

#define LX_S_IFMT   0170000
#define LX_S_IFSOCK 0140000
#define LX_S_IFLNK  0120000
#define LX_S_IFREG  0100000
#define LX_S_IFBLK  0060000
#define LX_S_IFDIR  0040000
#define LX_S_IFCHR  0020000
#define LX_S_IFIFO  0010000
#define LX_S_ISUID  0004000
#define LX_S_ISGID  0002000
#define LX_S_ISVTX  0001000

#define LX_RENAME_NOREPLACE 1u
#define LX_RENAME_EXCHANGE  2u
#define LX_RENAME_WHITEOUT  4u

#define LX_FALLOC_KEEP_SIZE  0x01u
#define LX_FALLOC_PUNCH_HOLE 0x02u
#define LX_FALLOC_ZERO_RANGE 0x10u

#define LX_F_SEAL_SEAL         0x0001u
#define LX_F_SEAL_SHRINK       0x0002u
#define LX_F_SEAL_GROW         0x0004u
#define LX_F_SEAL_WRITE        0x0008u
#define LX_F_SEAL_FUTURE_WRITE 0x0010u

#define LX_EROFS_MAGIC 0xe0f5e1e2u
#define LX_TMPFS_MAGIC 0x01021994u
#define LX_PROC_MAGIC  0x00009fa0u
#define LX_SYSFS_MAGIC 0x62656572u

#define LX_ST_RDONLY   0x0001u
#define LX_ST_NOSUID   0x0002u
#define LX_ST_NODEV    0x0004u
#define LX_ST_NOEXEC   0x0008u
#define LX_ST_VALID    0x0020u
#define LX_ST_RELATIME 0x1000u

/* dev_t as stat shows it (new_encode_dev, 64 bits). */
#define LX_MKDEV(major, minor) ((((u64)(major) & 0xfffu) << 8) | ((u64)(minor) & 0xffu) | (((u64)(minor) & 0xfff00u) << 12))
#define LX_MAJOR(dev) ((u32)(((dev) >> 8) & 0xfffu))
#define LX_MINOR(dev) ((u32)(((dev) & 0xffu) | (((dev) >> 12) & 0xfff00u)))

#endif
