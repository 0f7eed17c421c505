/*
 * ipc_mq.c - POSIX message queues: names, messages by priority, files that stand for an open queue.
 *
 * A queue lives while it has a name or an open file. A message that somebody waits for goes to the oldest
 * receiver; the first one that finds the queue empty and nobody waiting tells who asked to be notified, once.
 * Invariants: 1. curmsgs counts the messages; they lie by falling priority, oldest first. 2. refs counts the name and the
 * open files. 3. mq_bytes is the sum over all queues, within RLIMIT_MSGQUEUE when one is made.
 * Locks: mq_lock (all of this). What can fail: memory, the limits.
 */
#include "proc/ipc.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"
#include "proc/process.h"
#include "proc/signal.h"

#define STATUS_SIZE   80u            /* what a queue's file says when it is read, as its size too */
#define MSG_OVERHEAD  96u            /* a message's share of RLIMIT_MSGQUEUE beside its bytes, as Linux reckons */

struct mq {
	struct list link;            /* M: mq_lock; on queues while it has a name */
	u32 refs;                    /* M */
	u32 mode;
	u64 ino;
	size_t bytes;                /* of the limit */
	long maxmsg, msgsize, curmsgs; /* M: curmsgs */
	u64 qsize;                   /* M: bytes in it */
	struct list messages, receivers, senders; /* M */
	struct waitq waitq;          /* those that poll */
	bool notify_set;             /* M */
	struct mq_notify notify;     /* M: while notify_set */
	char name[];
};
struct mq_receiver {
	struct ipc_sleeper sleeper;  /* first member */
	struct ipc_msg *msg;
};

static struct spinlock mq_lock = SPINLOCK_INIT;
static struct list queues = LIST_INIT(queues);
static unsigned nqueues;             /* M: with a name */
static u64 mq_bytes;                 /* M */

static const struct file_ops mq_file_ops;

bool file_is_mq(const struct file *f)
{
	return f->ops == &mq_file_ops;
}

/* ---- Life ---- */

static struct mq *mq_find_locked(const char *name)
{
	struct mq *q;

	list_for_each_entry(q, &queues, link)
		if (strcmp(q->name, name) == 0)
			return q;
	return NULL;
}

static void mq_free(struct mq *q)
{
	struct list *l;

	while ((l = list_pop(&q->messages)))
		ipc_msg_free(list_entry(l, struct ipc_msg, link));
	heap_free(q);
}

/* True: the caller frees it after the lock. */
static bool mq_put_locked(struct mq *q)
{
	if (--q->refs)
		return false;
	mq_bytes -= q->bytes;
	return true;
}

static int attr_check(const struct mq_attr *a)
{
	if (a->maxmsg <= 0 || a->msgsize <= 0 || a->maxmsg > LX_MQ_MSG_MAX || a->msgsize > LX_MQ_MSGSIZE_MAX)
		return -EINVAL;
	return 0;
}

static struct mq *mq_new(const char *name, u32 mode, const struct mq_attr *a)
{
	size_t len = strlen(name) + 1;
	struct mq *q = heap_alloc(sizeof(*q) + len);

	if (!q)
		return NULL;
	memcpy(q->name, name, len);
	q->mode = mode;
	q->ino = file_next_ino();
	q->maxmsg = a->maxmsg;
	q->msgsize = a->msgsize;
	q->bytes = (size_t)a->maxmsg * ((size_t)a->msgsize + MSG_OVERHEAD);
	q->refs = 1;
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	waitq_init(&q->waitq);
	return q;
}

/* What open finds, or what it must make: -ENOENT with *ret_make. A reference goes to *ret. */
static int open_existing_locked(const char *name, u32 oflags, struct mq **ret)
{
	struct mq *q = mq_find_locked(name);

	if (!q)
		return -ENOENT;
	if ((oflags & LX_O_CREAT) && (oflags & LX_O_EXCL))
		return -EEXIST;
	if ((oflags & LX_O_ACCMODE) == (LX_O_RDWR | LX_O_WRONLY))
		return -EINVAL;
	q->refs++;
	*ret = q;
	return 0;
}

static int add_new_locked(struct mq *q)
{
	if (nqueues >= LX_MQ_QUEUES_MAX)
		return -ENOSPC;
	if (mq_bytes + q->bytes > process_rlimits[RLIM_MSGQUEUE].cur)
		return -EMFILE;
	mq_bytes += q->bytes;
	q->refs++;                           /* the name's */
	list_append(&queues, &q->link);
	nqueues++;
	return 0;
}

static int find_or_make(const char *name, u32 oflags, u32 mode, const struct mq_attr *attr, struct mq **ret)
{
	static const struct mq_attr standard = { .maxmsg = 10, .msgsize = 8192 };
	struct mq *fresh = NULL;
	int r;

	for (;;) {
		spin_lock(&mq_lock);
		r = open_existing_locked(name, oflags, ret);
		if (r == -ENOENT && fresh) {
			r = add_new_locked(fresh);
			if (r == 0) {
				*ret = fresh;
				fresh = NULL;
			}
			spin_unlock(&mq_lock);
			break;
		}
		spin_unlock(&mq_lock);
		if (r != -ENOENT || !(oflags & LX_O_CREAT))
			break;
		if (attr && (r = attr_check(attr)))
			return r;
		fresh = mq_new(name, mode, attr ? attr : &standard);
		if (!fresh)
			return -ENOMEM;
	}
	if (fresh)
		mq_free(fresh);
	return r;
}

int mq_open(const char *name, u32 oflags, u32 mode, const struct mq_attr *attr, struct file **ret)
{
	struct file *f = file_alloc(&mq_file_ops, oflags & (LX_O_ACCMODE | LX_O_NONBLOCK));
	struct mq *q = NULL;

	if (!f)
		return -ENOMEM;
	int r = find_or_make(name, oflags, mode, attr, &q);
	if (r) {
		file_discard(f);
		return r;
	}
	f->priv = q;
	*ret = f;
	return 0;
}

int mq_unlink(const char *name)
{
	bool gone = false;

	spin_lock(&mq_lock);
	struct mq *q = mq_find_locked(name);
	if (q) {
		list_remove(&q->link);
		nqueues--;
		gone = mq_put_locked(q);
	}
	spin_unlock(&mq_lock);
	if (gone)
		mq_free(q);
	return q ? 0 : -ENOENT;
}

/* ---- Messages ---- */

/* Behind those of the same or a higher priority. */
static void insert_locked(struct mq *q, struct ipc_msg *m)
{
	struct list *after = q->messages.prev;

	while (after != &q->messages && list_entry(after, struct ipc_msg, link)->type < m->type)
		after = after->prev;
	list_insert_between(&m->link, after, after->next);
	q->curmsgs++;
	q->qsize += m->len;
}

/* The registration ends; what is to be told goes to *ret, for notify_tell after the lock. */
static void notify_end_locked(struct mq *q, struct mq_notify *ret)
{
	if (!q->notify_set)
		return;
	q->notify_set = false;
	*ret = q->notify;
}

/* No lock held; may sleep. n is not told twice: its socket is given back. */
static void notify_tell(struct mq_notify *n, u8 what)
{
	if (n->kind == MQ_NOTIFY_SIGNAL && n->signo && what == LX_NOTIFY_WOKENUP) {
		struct siginfo info = { .signo = n->signo, .code = LX_SI_MESGQ, .rt = { .pid = PROC_PID, .uid = PROC_UID, .value = n->value } };
		signal_send(NULL, info.signo, &info);
	} else if (n->kind == MQ_NOTIFY_SOCKET) {
		n->cookie[LX_NOTIFY_COOKIE_LEN - 1] = what;
		(void)sock_netlink_tell(n->socket->sock, n->cookie, sizeof(n->cookie));
		file_put(n->socket);
	}
}

/* Room is known to be there. */
static void put_locked(struct mq *q, struct ipc_msg *m, struct mq_notify *ret_told)
{
	if (!list_empty(&q->receivers)) {
		struct mq_receiver *r = list_entry(list_first(&q->receivers), struct mq_receiver, sleeper.link);
		r->msg = m;
		ipc_decide_locked(&r->sleeper, 0);
		return;
	}
	insert_locked(q, m);
	if (q->curmsgs == 1)
		notify_end_locked(q, ret_told);
}

int mq_send(struct file *f, struct ipc_msg *m, u64 deadline_ns)
{
	struct mq *q = f->priv;
	struct mq_notify told = { .kind = MQ_NOTIFY_NONE };
	struct ipc_sleeper s;
	int r = 0;

	for (;;) {
		spin_lock(&mq_lock);
		bool full = q->curmsgs >= q->maxmsg;
		bool wait = full && !file_nonblock(f);
		if (!full)
			put_locked(q, m, &told);
		else if (wait)
			ipc_sleep_prepare_locked(&s, &q->senders);
		spin_unlock(&mq_lock);
		if (!full)
			break;
		if (!wait)
			return -EAGAIN;
		r = ipc_sleep(&s, &mq_lock, deadline_ns);
		if (r != IPC_AGAIN)
			return r;
	}
	notify_tell(&told, LX_NOTIFY_WOKENUP);
	waitq_wake(&q->waitq, POLL_IN | POLL_RDNORM, ~0u);
	return 0;
}

int mq_receive(struct file *f, u64 deadline_ns, struct ipc_msg **ret)
{
	struct mq *q = f->priv;
	struct mq_receiver w = { .msg = NULL };
	bool wait = false;

	spin_lock(&mq_lock);
	if (!list_empty(&q->messages)) {
		w.msg = list_entry(list_pop(&q->messages), struct ipc_msg, link);
		q->curmsgs--;
		q->qsize -= w.msg->len;
		if (!list_empty(&q->senders))
			ipc_decide_locked(list_entry(list_first(&q->senders), struct ipc_sleeper, link), IPC_AGAIN);
	} else if (!file_nonblock(f)) {
		ipc_sleep_prepare_locked(&w.sleeper, &q->receivers);
		wait = true;
	}
	spin_unlock(&mq_lock);
	if (wait) {
		int r = ipc_sleep(&w.sleeper, &mq_lock, deadline_ns);
		if (r)
			return r;
	} else if (!w.msg) {
		return -EAGAIN;
	} else {
		waitq_wake(&q->waitq, POLL_OUT | POLL_WRNORM, ~0u);
	}
	*ret = w.msg;
	return 0;
}

void mq_get_attr(struct file *f, struct mq_attr *ret)
{
	struct mq *q = f->priv;

	spin_lock(&mq_lock);
	*ret = (struct mq_attr){ file_nonblock(f) ? LX_O_NONBLOCK : 0, q->maxmsg, q->msgsize, q->curmsgs };
	spin_unlock(&mq_lock);
}

int mq_notify_set(struct file *f, const struct mq_notify *n)
{
	struct mq *q = f->priv;

	spin_lock(&mq_lock);
	bool busy = q->notify_set;
	if (!busy) {
		q->notify_set = true;
		q->notify = *n;
	}
	spin_unlock(&mq_lock);
	return busy ? -EBUSY : 0;
}

void mq_notify_clear(struct file *f)
{
	struct mq_notify told = { .kind = MQ_NOTIFY_NONE };
	struct mq *q = f->priv;

	spin_lock(&mq_lock);
	notify_end_locked(q, &told);
	spin_unlock(&mq_lock);
	notify_tell(&told, LX_NOTIFY_REMOVED);
}

/* ---- The file ---- */

static ssize_t mq_file_read(struct file *f, struct uio *u, u64 off, bool nonblock)
{
	struct mq *q = f->priv;
	char text[STATUS_SIZE];

	spin_lock(&mq_lock);
	int len = fmt_buf(text, sizeof(text), "QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n", (unsigned long long)q->qsize,
			  q->notify_set ? (int)q->notify.kind : 0, q->notify_set && q->notify.kind == MQ_NOTIFY_SIGNAL ? q->notify.signo : 0,
			  q->notify_set ? PROC_PID : 0);
	spin_unlock(&mq_lock);
	if (off >= (u64)len)
		return 0;
	return uio_result(u, uio_put(u, text + off, (size_t)len - off));
}

static u32 mq_file_poll(struct file *f, struct poll_table *pt)
{
	struct mq *q = f->priv;

	poll_add(pt, &q->waitq);
	spin_lock(&mq_lock);
	u32 mask = (q->curmsgs ? POLL_IN | POLL_RDNORM : 0) | (q->curmsgs < q->maxmsg ? POLL_OUT | POLL_WRNORM : 0);
	spin_unlock(&mq_lock);
	return mask;
}

static int mq_file_getattr(struct file *f, struct vattr *ret)
{
	struct mq *q = f->priv;

	file_fill_vattr(ret, q->ino, LX_S_IFREG | q->mode, FILE_DEV_ANON, PAGE_SIZE);
	ret->size = STATUS_SIZE;
	ret->uid = PROC_UID;
	ret->gid = PROC_GID;
	return 0;
}

static ssize_t mq_file_describe(struct file *f, char *buf, size_t size)
{
	const struct mq *q = f->priv;
	int n = fmt_buf(buf, size, "/%s", q->name);

	return n < (int)size ? n : -ENAMETOOLONG;
}

/* Any close of a descriptor of the queue ends the process's registration. */
static void mq_file_flush(struct file *f)
{
	mq_notify_clear(f);
}

static void mq_file_release(struct file *f)
{
	struct mq *q = f->priv;

	spin_lock(&mq_lock);
	bool gone = mq_put_locked(q);
	spin_unlock(&mq_lock);
	if (gone)
		mq_free(q);
}

static const struct file_ops mq_file_ops = {
	.kind = "mqueue",
	.read = mq_file_read,
	.poll = mq_file_poll,
	.getattr = mq_file_getattr,
	.describe = mq_file_describe,
	.flush = mq_file_flush,
	.release = mq_file_release,
	.seekable = true,
};
