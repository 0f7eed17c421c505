/*
 * lx_uring.h - Linux's io_uring ABI as of 6.1: layouts and constants. Only what is used here.
 */
#ifndef PROC_LX_URING_H
#define PROC_LX_URING_H

#include "base/types.h"

/* One submission, fetched whole from the shared ring. Unions of the ABI carry the name of their first use. */
struct lx_sqe {
	u8 opcode, flags;
	u16 ioprio;
	s32 fd;
	u64 off;                     /* addr2 */
	u64 addr;                    /* splice_off_in */
	u32 len;
	u32 op_flags;                /* rw_flags, poll_events, msg_flags, timeout_flags, ... */
	u64 user_data;
	u16 buf_index;               /* buf_group */
	u16 personality;
	s32 splice_fd;               /* file_index; addr_len in the low half */
	u64 addr3, pad2;
};
_Static_assert(sizeof(struct lx_sqe) == 64 && __builtin_offsetof(struct lx_sqe, addr3) == 48, "sqe");

struct lx_cqe {
	u64 user_data;
	s32 res;
	u32 flags;
};
_Static_assert(sizeof(struct lx_cqe) == 16, "cqe");

/* The head of the shared memory; the completions and then the submission array follow. Programs find all by offsets. */
struct lx_rings {
	u32 sq_head, sq_tail, cq_head, cq_tail;
	u32 sq_mask, cq_mask, sq_entries, cq_entries;
	u32 sq_dropped, sq_flags, cq_flags, cq_overflow;
	u32 pad[4];
};
_Static_assert(sizeof(struct lx_rings) == 64, "rings");

struct lx_sq_offsets {
	u32 head, tail, mask, entries, flags, dropped, array, resv1;
	u64 resv2;
};
struct lx_cq_offsets {
	u32 head, tail, mask, entries, overflow, cqes, flags, resv1;
	u64 resv2;
};
struct lx_uring_params {
	u32 sq_entries, cq_entries, flags, sq_thread_cpu, sq_thread_idle, features, wq_fd, resv[3];
	struct lx_sq_offsets sq;
	struct lx_cq_offsets cq;
};
_Static_assert(sizeof(struct lx_uring_params) == 120, "params");

#define LX_URING_ENTRIES_MAX 32768u

enum {
	LX_IOSQE_FIXED_FILE = 1, LX_IOSQE_DRAIN = 2, LX_IOSQE_LINK = 4, LX_IOSQE_HARDLINK = 8, LX_IOSQE_ASYNC = 16,
	LX_IOSQE_BUFFER_SELECT = 32, LX_IOSQE_CQE_SKIP = 64, LX_IOSQE_ALL = 127,
};
enum {
	LX_SETUP_IOPOLL = 1, LX_SETUP_SQPOLL = 2, LX_SETUP_SQ_AFF = 4, LX_SETUP_CQSIZE = 8, LX_SETUP_CLAMP = 16,
	LX_SETUP_ATTACH_WQ = 32, LX_SETUP_R_DISABLED = 64, LX_SETUP_SUBMIT_ALL = 128, LX_SETUP_COOP_TASKRUN = 256,
	LX_SETUP_TASKRUN_FLAG = 512, LX_SETUP_SQE128 = 1024, LX_SETUP_CQE32 = 2048, LX_SETUP_SINGLE_ISSUER = 4096,
	LX_SETUP_DEFER_TASKRUN = 8192, LX_SETUP_ALL = 16383,
};
enum {
	LX_FEAT_SINGLE_MMAP = 1, LX_FEAT_NODROP = 2, LX_FEAT_SUBMIT_STABLE = 4, LX_FEAT_RW_CUR_POS = 8,
	LX_FEAT_CUR_PERSONALITY = 16, LX_FEAT_FAST_POLL = 32, LX_FEAT_POLL_32BITS = 64, LX_FEAT_SQPOLL_NONFIXED = 128,
	LX_FEAT_EXT_ARG = 256, LX_FEAT_NATIVE_WORKERS = 512, LX_FEAT_RSRC_TAGS = 1024, LX_FEAT_CQE_SKIP = 2048,
	LX_FEAT_LINKED_FILE = 4096,
};
enum {
	LX_ENTER_GETEVENTS = 1, LX_ENTER_SQ_WAKEUP = 2, LX_ENTER_SQ_WAIT = 4, LX_ENTER_EXT_ARG = 8,
	LX_ENTER_REGISTERED_RING = 16, LX_ENTER_ALL = 31,
};
enum { LX_SQ_NEED_WAKEUP = 1, LX_SQ_CQ_OVERFLOW = 2, LX_SQ_TASKRUN = 4 };
enum { LX_CQ_EVENTFD_DISABLED = 1 };
enum { LX_CQE_F_BUFFER = 1, LX_CQE_F_MORE = 2, LX_CQE_F_SOCK_NONEMPTY = 4, LX_CQE_BUFFER_SHIFT = 16 };

#define LX_URING_OFF_SQ_RING 0ull
#define LX_URING_OFF_CQ_RING 0x8000000ull
#define LX_URING_OFF_SQES    0x10000000ull

enum {
	LX_OP_NOP, LX_OP_READV, LX_OP_WRITEV, LX_OP_FSYNC, LX_OP_READ_FIXED, LX_OP_WRITE_FIXED, LX_OP_POLL_ADD,
	LX_OP_POLL_REMOVE, LX_OP_SYNC_FILE_RANGE, LX_OP_SENDMSG, LX_OP_RECVMSG, LX_OP_TIMEOUT, LX_OP_TIMEOUT_REMOVE,
	LX_OP_ACCEPT, LX_OP_ASYNC_CANCEL, LX_OP_LINK_TIMEOUT, LX_OP_CONNECT, LX_OP_FALLOCATE, LX_OP_OPENAT, LX_OP_CLOSE,
	LX_OP_FILES_UPDATE, LX_OP_STATX, LX_OP_READ, LX_OP_WRITE, LX_OP_FADVISE, LX_OP_MADVISE, LX_OP_SEND, LX_OP_RECV,
	LX_OP_OPENAT2, LX_OP_EPOLL_CTL, LX_OP_SPLICE, LX_OP_PROVIDE_BUFFERS, LX_OP_REMOVE_BUFFERS, LX_OP_TEE, LX_OP_SHUTDOWN,
	LX_OP_RENAMEAT, LX_OP_UNLINKAT, LX_OP_MKDIRAT, LX_OP_SYMLINKAT, LX_OP_LINKAT, LX_OP_MSG_RING, LX_OP_FSETXATTR,
	LX_OP_SETXATTR, LX_OP_FGETXATTR, LX_OP_GETXATTR, LX_OP_SOCKET, LX_OP_URING_CMD, LX_OP_SEND_ZC, LX_OP_SENDMSG_ZC,
	LX_OP_COUNT,
};

/* timeout_flags */
enum {
	LX_TIMEOUT_ABS = 1, LX_TIMEOUT_UPDATE = 2, LX_TIMEOUT_BOOTTIME = 4, LX_TIMEOUT_REALTIME = 8,
	LX_TIMEOUT_LINK_UPDATE = 16, LX_TIMEOUT_ETIME_SUCCESS = 32,
};
/* poll: in sqe->len */
enum { LX_POLL_ADD_MULTI = 1, LX_POLL_UPDATE_EVENTS = 2, LX_POLL_UPDATE_USER_DATA = 4, LX_POLL_ADD_LEVEL = 8 };
/* cancel_flags */
enum { LX_CANCEL_ALL = 1, LX_CANCEL_FD = 2, LX_CANCEL_ANY = 4, LX_CANCEL_FD_FIXED = 8 };
/* ioprio of send, recv, accept */
enum { LX_RECVSEND_POLL_FIRST = 1, LX_RECV_MULTISHOT = 2, LX_RECVSEND_FIXED_BUF = 4 };
enum { LX_ACCEPT_MULTISHOT = 1 };

enum {
	LX_REGISTER_BUFFERS, LX_UNREGISTER_BUFFERS, LX_REGISTER_FILES, LX_UNREGISTER_FILES, LX_REGISTER_EVENTFD,
	LX_UNREGISTER_EVENTFD, LX_REGISTER_FILES_UPDATE, LX_REGISTER_EVENTFD_ASYNC, LX_REGISTER_PROBE,
	LX_REGISTER_PERSONALITY, LX_UNREGISTER_PERSONALITY, LX_REGISTER_RESTRICTIONS, LX_REGISTER_ENABLE_RINGS,
	LX_REGISTER_FILES2, LX_REGISTER_FILES_UPDATE2, LX_REGISTER_BUFFERS2, LX_REGISTER_BUFFERS_UPDATE,
	LX_REGISTER_IOWQ_AFF, LX_UNREGISTER_IOWQ_AFF, LX_REGISTER_IOWQ_MAX_WORKERS, LX_REGISTER_RING_FDS,
	LX_UNREGISTER_RING_FDS, LX_REGISTER_PBUF_RING, LX_UNREGISTER_PBUF_RING, LX_REGISTER_SYNC_CANCEL,
	LX_REGISTER_FILE_ALLOC_RANGE, LX_REGISTER_COUNT,
};
enum { LX_RESTRICT_REGISTER_OP, LX_RESTRICT_SQE_OP, LX_RESTRICT_SQE_FLAGS_ALLOWED, LX_RESTRICT_SQE_FLAGS_REQUIRED };

#endif
