/*
 * pipe.h - pipes and fifos: a ring of page pieces, as Linux keeps it (so that capacity, atomic
 * writes and packets come out the same). The inside is shared with splice.c.
 */
#ifndef PROC_PIPE_H
#define PROC_PIPE_H

#include "mm/page.h"
#include "proc/file.h"

#define PIPE_DEFAULT_BUFS 16u
#define PIPE_MAX_BYTES    (1u << 20)  /* what F_SETPIPE_SZ allows */

enum { PIPE_BUF_PACKET = 1u, PIPE_BUF_MERGE = 2u };

struct pipe_buf {
	struct page *page;           /* a reference */
	u32 off, len, flags;
};

struct pipe {
	struct mutex mtx;
	struct waitq waitq;          /* readers and writers, keyed by event */
	struct pipe_buf *bufs;       /* M: mtx; ring of nbufs (a power of two) */
	u32 nbufs, head, tail;       /* M: head: next to fill, tail: next to read; they run freely */
	u32 readers, writers;        /* M: open ends */
	u32 reader_opens, writer_opens; /* M: counts that never go down (fifo_open waits on them) */
	u32 files;                   /* M: struct files; fifos: also those being opened */
	struct page *spare;          /* M: an empty page kept for the next write */
	u64 ino;
	struct vnode *vnode;         /* fifo: a reference; NULL for pipes */
};

static inline bool pipe_empty(const struct pipe *p) { return p->head == p->tail; }
static inline bool pipe_full(const struct pipe *p) { return p->head - p->tail >= p->nbufs; }
static inline struct pipe_buf *pipe_buf_at(struct pipe *p, u32 i) { return &p->bufs[i & (p->nbufs - 1)]; }

/* The pipe behind f, or NULL. */
struct pipe *file_pipe(const struct file *f);
/* Drop the buffer at the tail. mtx is held. */
void pipe_drop_tail_locked(struct pipe *p);
/* An empty page for the head, -ENOMEM. mtx is held. */
int pipe_new_page_locked(struct pipe *p, struct page **ret);
/* Wait for data (or the end: returns 0) / for room (-EPIPE without readers). mtx is held, dropped while sleeping. -EAGAIN, -ERESTARTSYS. */
int pipe_wait_data_locked(struct pipe *p, bool nonblock);
int pipe_wait_room_locked(struct pipe *p, bool nonblock);
void pipe_wake_readers(struct pipe *p);
void pipe_wake_writers(struct pipe *p);
/* F_SETPIPE_SZ: the new size in bytes, -EINVAL, -EPERM, -EBUSY, -ENOMEM. F_GETPIPE_SZ. */
int pipe_resize(struct pipe *p, u64 bytes);
int pipe_size(struct pipe *p);
/* Another open file of the pipe of f (open of /proc/self/fd/N). -ENOMEM. */
int pipe_reopen(struct file *f, u32 flags, struct file **ret);
/* open() of a fifo: blocks for the other end as Linux does. -ENXIO, -ERESTARTSYS, -ENOMEM. */
int fifo_open(struct vnode *v, struct file *f);
/* A file of p is gone: true if it was the last (a fifo is then off its vnode): free p. */
bool fifo_drop(struct pipe *p);
struct pipe *pipe_new(void);            /* NULL: no memory, or pipes have their share of it */
void pipe_free(struct pipe *p);
/* The pipe's SIGPIPE rule, for splice.c. */
void pipe_raise_sigpipe(void);

#endif
