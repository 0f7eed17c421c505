/*
 * sys_mq.c - the calls of POSIX message queues: arguments and layouts; the queues are proc/ipc_mq.c's.
 * Timeouts are absolute times of the real clock. Can fail: as ipc.h says, -EBADF, -EFAULT, -EMSGSIZE, -ENOMEM.
 */
#include "linux/filecalls.h"
#include "linux/lx_ipc.h"
#include "linux/lx_time.h"
#include "linux/syscall.h"
#include "proc/cwd.h"
#include "proc/process.h"
#include "proc/timers.h"

/* A queue's name, without the slash that libraries take off. */
static int name_get(struct user_path *p, struct uaddr name)
{
	int r = user_path_get(p, name, false);

	if (r)
		return r;
	if (strlen(p->text) > FS_NAME_MAX)
		r = -ENAMETOOLONG;
	else if (strchr(p->text, '/') || strcmp(p->text, ".") == 0 || strcmp(p->text, "..") == 0)
		r = -EACCES;
	if (r)
		user_path_free(p);
	return r;
}

long sys_mq_open(struct uaddr uname, int flags, unsigned mode, struct uaddr uattr)
{
	NO_AUTO_INIT struct user_path name;
	struct mq_attr attr;
	struct lx_mq_attr a;
	struct file *f;

	if (!uaddr_is_null(uattr)) {
		if (copy_from_user(&a, uattr, sizeof(a)))
			return -EFAULT;
		attr = (struct mq_attr){ .maxmsg = a.maxmsg, .msgsize = a.msgsize };
	}
	int r = name_get(&name, uname);
	if (r)
		return r;
	r = mq_open(name.text, (u32)flags, mode & 0777 & ~umask_get(), uaddr_is_null(uattr) ? NULL : &attr, &f);
	user_path_free(&name);
	return r ? r : install_file(f, true);
}

long sys_mq_unlink(struct uaddr uname)
{
	NO_AUTO_INIT struct user_path name;
	int r = name_get(&name, uname);

	if (r)
		return r;
	r = mq_unlink(name.text);
	user_path_free(&name);
	return r;
}

static int timeout_get(struct uaddr timeout, u64 *ret_deadline)
{
	struct lx_timespec ts;
	u64 ns;

	*ret_deadline = WAIT_FOREVER;
	if (uaddr_is_null(timeout))
		return 0;
	if (copy_from_user(&ts, timeout, sizeof(ts)))
		return -EFAULT;
	if (!lx_timespec_to_ns(&ts, &ns))
		return -EINVAL;
	*ret_deadline = proc_clock_to_mono(PCLOCK_REAL, ns);
	return 0;
}

/* The open queue behind a descriptor, with a reference; NULL: EBADF. */
static struct file *mq_lookup(int mqd)
{
	struct file *f = fd_lookup(mqd);

	if (f && !file_is_mq(f)) {
		file_put(f);
		f = NULL;
	}
	return f;
}

static long send(struct file *f, struct uaddr umsg, size_t len, unsigned prio, u64 deadline)
{
	struct mq_attr a;

	if (!file_can_write(f))
		return -EBADF;
	mq_get_attr(f, &a);
	if (len > (size_t)a.msgsize)
		return -EMSGSIZE;
	struct ipc_msg *m = ipc_msg_new(len);
	if (!m)
		return -ENOMEM;
	m->type = prio;
	long r = copy_from_user(m->data, umsg, len) ? -EFAULT : mq_send(f, m, deadline);
	if (r)
		ipc_msg_free(m);
	return r;
}

long sys_mq_timedsend(int mqd, struct uaddr msg, size_t len, unsigned prio, struct uaddr timeout)
{
	u64 deadline;
	long r = timeout_get(timeout, &deadline);

	if (r)
		return r;
	if (prio >= LX_MQ_PRIO_MAX)
		return -EINVAL;
	struct file *f = mq_lookup(mqd);
	if (!f)
		return -EBADF;
	r = send(f, msg, len, prio, deadline);
	file_put(f);
	return r;
}

static long receive(struct file *f, struct uaddr umsg, size_t len, struct uaddr uprio, u64 deadline)
{
	struct ipc_msg *m;
	struct mq_attr a;

	if (!file_can_read(f))
		return -EBADF;
	mq_get_attr(f, &a);
	if (len < (size_t)a.msgsize)
		return -EMSGSIZE;
	long r = mq_receive(f, deadline, &m);
	if (r)
		return r;
	u32 prio = (u32)m->type;
	r = (long)m->len;
	if ((!uaddr_is_null(uprio) && copy_to_user(uprio, &prio, sizeof(prio))) || copy_to_user(umsg, m->data, m->len))
		r = -EFAULT;
	ipc_msg_free(m);
	return r;
}

long sys_mq_timedreceive(int mqd, struct uaddr msg, size_t len, struct uaddr prio, struct uaddr timeout)
{
	u64 deadline;
	long r = timeout_get(timeout, &deadline);

	if (r)
		return r;
	struct file *f = mq_lookup(mqd);
	if (!f)
		return -EBADF;
	r = receive(f, msg, len, prio, deadline);
	file_put(f);
	return r;
}

/* SIGEV_THREAD: the library's helper thread reads a netlink socket; signo is the socket, value the place of the cookie. */
static int notify_socket(struct mq_notify *n, const struct lx_sigevent *e)
{
	if (copy_from_user(n->cookie, uaddr_make(e->value), sizeof(n->cookie)))
		return -EFAULT;
	n->socket = fd_lookup(e->signo);
	if (!n->socket)
		return -EBADF;
	int r = n->socket->sock ? sock_netlink_tell(n->socket->sock, NULL, 0) : -ENOTSOCK;
	if (r)
		file_put(n->socket);
	return r;
}

/* What is to happen; with a reference of the socket if there is one. */
static int notify_get(struct mq_notify *n, struct uaddr event)
{
	struct lx_sigevent e;

	if (copy_from_user(&e, event, sizeof(e)))
		return -EFAULT;
	*n = (struct mq_notify){ .signo = e.signo, .value = e.value };
	switch (e.notify) {
	case LX_SIGEV_NONE:
		n->kind = MQ_NOTIFY_NONE;
		return 0;
	case LX_SIGEV_SIGNAL:
		n->kind = MQ_NOTIFY_SIGNAL;
		return e.signo < 0 || e.signo > NSIG ? -EINVAL : 0;
	case LX_SIGEV_THREAD:
		n->kind = MQ_NOTIFY_SOCKET;
		return notify_socket(n, &e);
	default:
		return -EINVAL;
	}
}

long sys_mq_notify(int mqd, struct uaddr event)
{
	struct mq_notify n = { .kind = MQ_NOTIFY_NONE };
	long r = uaddr_is_null(event) ? 0 : notify_get(&n, event);

	if (r)
		return r;
	struct file *f = mq_lookup(mqd);
	if (!f)
		r = -EBADF;
	else if (uaddr_is_null(event))
		mq_notify_clear(f);
	else
		r = mq_notify_set(f, &n);
	if (r && n.kind == MQ_NOTIFY_SOCKET)
		file_put(n.socket);
	if (f)
		file_put(f);
	return r;
}

long sys_mq_getsetattr(int mqd, struct uaddr new, struct uaddr old)
{
	struct lx_mq_attr n, o = { 0 };
	struct mq_attr a;

	if (!uaddr_is_null(new)) {
		if (copy_from_user(&n, new, sizeof(n)))
			return -EFAULT;
		if (n.flags & ~(s64)LX_O_NONBLOCK)
			return -EINVAL;
	}
	struct file *f = mq_lookup(mqd);
	if (!f)
		return -EBADF;
	mq_get_attr(f, &a);
	if (!uaddr_is_null(new))
		file_set_flags(f, LX_O_NONBLOCK, (u32)n.flags);
	file_put(f);
	o.flags = a.flags;
	o.maxmsg = a.maxmsg;
	o.msgsize = a.msgsize;
	o.curmsgs = a.curmsgs;
	return !uaddr_is_null(old) && copy_to_user(old, &o, sizeof(o)) ? -EFAULT : 0;
}
