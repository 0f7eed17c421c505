/*
 * ipc_msg.c - System V message queues: typed messages, taken by type or in order.
 *
 * A message that a waiting receiver wants goes to it and never onto the queue. Senders that find no room are woken to
 * look again when there is some. Invariants: 1. cbytes and qnum are the sums of the messages on the queue.
 * 2. No receiver waits for a message that is on the queue.
 * Locks: msg_ids.lock. What can fail: memory, LX_MSGMNI.
 */
#include "proc/ipc.h"
#include "base/string.h"
#include "mm/heap.h"

struct msg_queue {
	struct ipc_object ipc;
	s64 stime, rtime, ctime;
	u64 cbytes, qnum, qbytes;
	int lspid, lrpid;
	struct list messages, receivers, senders;
};

enum msg_match { MATCH_ANY, MATCH_EQUAL, MATCH_NOT_EQUAL, MATCH_LESS_EQUAL, MATCH_NUMBER };

struct msg_receiver {
	struct ipc_sleeper sleeper;  /* first member */
	enum msg_match match;
	s64 type;
	size_t max_len;
	struct ipc_msg *msg;         /* given to it */
};

static struct ipc_ids msg_ids = { .lock = SPINLOCK_INIT, .max = LX_MSGMNI, .last_index = -1 };

static struct msg_queue *queue_find_locked(int id)
{
	return (struct msg_queue *)ipc_find_locked(&msg_ids, id);
}

static struct msg_queue *queue_new(void)
{
	struct msg_queue *q;

	if (!ipc_charge(sizeof(*q)))
		return NULL;
	q = heap_alloc(sizeof(*q));
	if (!q) {
		ipc_uncharge(sizeof(*q));
		return NULL;
	}
	q->qbytes = LX_MSGMNB;
	q->ctime = ipc_now();
	list_init(&q->messages);
	list_init(&q->receivers);
	list_init(&q->senders);
	return q;
}

static void queue_free(struct msg_queue *q)
{
	struct list *l;

	if (!q)
		return;
	while ((l = list_pop(&q->messages)))
		ipc_msg_free(list_entry(l, struct ipc_msg, link));
	ipc_uncharge(sizeof(*q));
	heap_free(q);
}

int ipc_msg_get(s32 key, int flags)
{
	struct msg_queue *fresh = NULL;
	int r;

	for (;;) {
		spin_lock(&msg_ids.lock);
		struct ipc_object *o = ipc_find_key_locked(&msg_ids, key);
		if (o) {
			r = (flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL) ? -EEXIST : o->perm.id;
		} else if (key != LX_IPC_PRIVATE && !(flags & LX_IPC_CREAT)) {
			r = -ENOENT;
		} else if (fresh) {
			r = ipc_add_locked(&msg_ids, &fresh->ipc, key, flags);
			if (r >= 0)
				fresh = NULL;
		} else {
			r = -EAGAIN;
		}
		spin_unlock(&msg_ids.lock);
		if (r != -EAGAIN)
			break;
		fresh = queue_new();
		if (!fresh)
			return -ENOMEM;
	}
	queue_free(fresh);
	return r;
}

/* ---- Sending ---- */

static bool matches(enum msg_match m, s64 type, const struct ipc_msg *msg)
{
	switch (m) {
	case MATCH_EQUAL: return msg->type == type;
	case MATCH_NOT_EQUAL: return msg->type != type;
	case MATCH_LESS_EQUAL: return msg->type <= type;
	default: return true;
	}
}

/* Straight to a receiver that waits for it; one whose buffer is too small is told so. L held. */
static bool give_locked(struct msg_queue *q, struct ipc_msg *m)
{
	struct list *l, *next;

	for (l = q->receivers.next; l != &q->receivers; l = next) {
		struct msg_receiver *r = list_entry(l, struct msg_receiver, sleeper.link);
		next = l->next;
		if (!matches(r->match, r->type, m))
			continue;
		if (r->max_len < m->len) {
			ipc_decide_locked(&r->sleeper, -E2BIG);
			continue;
		}
		r->msg = m;
		q->lrpid = PROC_PID;
		q->rtime = ipc_now();
		ipc_decide_locked(&r->sleeper, 0);
		return true;
	}
	return false;
}

static int send_locked(struct msg_queue *q, struct ipc_msg *m)
{
	if (m->len + q->cbytes > q->qbytes || 1 + q->qnum > q->qbytes)
		return -EAGAIN;
	q->lspid = PROC_PID;
	q->stime = ipc_now();
	if (!give_locked(q, m)) {
		list_append(&q->messages, &m->link);
		q->cbytes += m->len;
		q->qnum++;
	}
	return 0;
}

int ipc_msg_send(int id, struct ipc_msg *m, bool nowait)
{
	bool waited = false;

	for (;;) {
		struct ipc_sleeper s;
		spin_lock(&msg_ids.lock);
		struct msg_queue *q = queue_find_locked(id);
		int r = q ? send_locked(q, m) : waited ? -EIDRM : -EINVAL;
		bool wait = r == -EAGAIN && !nowait;
		if (wait)
			ipc_sleep_prepare_locked(&s, &q->senders);
		spin_unlock(&msg_ids.lock);
		if (!wait)
			return r;
		r = ipc_sleep(&s, &msg_ids.lock, WAIT_FOREVER);
		if (r != IPC_AGAIN)
			return r == -ERESTARTSYS ? -ERESTARTNOHAND : r;
		waited = true;
	}
}

/* ---- Receiving ---- */

static enum msg_match match_of(s64 *type, int flags)
{
	if (flags & LX_MSG_COPY)
		return MATCH_NUMBER;
	if (*type == 0)
		return MATCH_ANY;
	if (*type < 0) {
		*type = *type == INT64_MIN ? INT64_MAX : -*type;
		return MATCH_LESS_EQUAL;
	}
	return flags & LX_MSG_EXCEPT ? MATCH_NOT_EQUAL : MATCH_EQUAL;
}

/* The message that is wanted: the first that matches, or of the lowest type; by its number; or NULL. L held. */
static struct ipc_msg *find_msg_locked(struct msg_queue *q, enum msg_match match, s64 type)
{
	struct ipc_msg *m, *found = NULL;
	s64 at = 0;

	list_for_each_entry(m, &q->messages, link) {
		if (match == MATCH_NUMBER) {
			if (at++ == type)
				return m;
			continue;
		}
		if (!matches(match, type, m))
			continue;
		found = m;
		if (match != MATCH_LESS_EQUAL || m->type == 1)
			break;
		type = m->type - 1;
	}
	return found;
}

static void take_locked(struct msg_queue *q, struct ipc_msg *m)
{
	list_remove(&m->link);
	q->qnum--;
	q->cbytes -= m->len;
	q->rtime = ipc_now();
	q->lrpid = PROC_PID;
	ipc_decide_all_locked(&q->senders, IPC_AGAIN);
}

static int copy_locked(const struct ipc_msg *m, struct ipc_msg *copy)
{
	if (m->len > copy->len)
		return -EINVAL;
	copy->type = m->type;
	memcpy(copy->data, m->data, m->len);
	ipc_uncharge(copy->len - m->len);
	copy->len = m->len;
	return 0;
}

/* copy (LX_MSG_COPY) gets the message, or *ret. 1: wait. L held. */
static int receive_locked(struct msg_queue *q, struct msg_receiver *w, int flags, struct ipc_msg *copy)
{
	struct ipc_msg *m = find_msg_locked(q, w->match, w->type);

	if (m) {
		if (w->max_len < m->len)
			return -E2BIG;
		if (copy)
			return copy_locked(m, copy);
		take_locked(q, m);
		w->msg = m;
		return 0;
	}
	if (flags & LX_IPC_NOWAIT)
		return -ENOMSG;
	ipc_sleep_prepare_locked(&w->sleeper, &q->receivers);
	return 1;
}

int ipc_msg_receive(int id, size_t max_len, s64 type, int flags, struct ipc_msg **ret)
{
	struct ipc_msg *copy = NULL;
	struct msg_receiver w = { .max_len = flags & LX_MSG_NOERROR ? SIZE_MAX : max_len };

	if (flags & LX_MSG_COPY) {
		if ((flags & LX_MSG_EXCEPT) || !(flags & LX_IPC_NOWAIT))
			return -EINVAL;
		copy = ipc_msg_new(MIN(max_len, (size_t)LX_MSGMAX));
		if (!copy)
			return -ENOMEM;
	}
	w.match = match_of(&type, flags);
	w.type = type;
	spin_lock(&msg_ids.lock);
	struct msg_queue *q = queue_find_locked(id);
	int r = q ? receive_locked(q, &w, flags, copy) : -EINVAL;
	spin_unlock(&msg_ids.lock);
	if (r > 0) {
		r = ipc_sleep(&w.sleeper, &msg_ids.lock, WAIT_FOREVER);
		if (r == -ERESTARTSYS)
			r = -ERESTARTNOHAND;
	}
	if (r && copy)
		ipc_msg_free(copy);
	*ret = copy ? copy : w.msg;
	return r;
}

/* ---- Control ---- */

int ipc_msg_stat(int id, bool by_index, struct msg_stat *ret)
{
	int r = -EINVAL;

	spin_lock(&msg_ids.lock);
	struct msg_queue *q = (struct msg_queue *)(by_index ? ipc_at_locked(&msg_ids, id) : ipc_find_locked(&msg_ids, id));
	if (q) {
		*ret = (struct msg_stat){
			.perm = q->ipc.perm, .stime = q->stime, .rtime = q->rtime, .ctime = q->ctime, .cbytes = q->cbytes, .qnum = q->qnum,
			.qbytes = q->qbytes, .lspid = q->lspid, .lrpid = q->lrpid,
		};
		r = q->ipc.perm.id;
	}
	spin_unlock(&msg_ids.lock);
	return r;
}

int ipc_msg_set(int id, u32 uid, u32 gid, u32 mode, u64 qbytes)
{
	/* Only a privileged process may have more. */
	if (qbytes > LX_MSGMNB)
		return -EPERM;
	spin_lock(&msg_ids.lock);
	struct msg_queue *q = queue_find_locked(id);
	if (q) {
		ipc_perm_set(&q->ipc.perm, uid, gid, mode);
		q->qbytes = qbytes;
		q->ctime = ipc_now();
		ipc_decide_all_locked(&q->senders, IPC_AGAIN);
	}
	spin_unlock(&msg_ids.lock);
	return q ? 0 : -EINVAL;
}

int ipc_msg_remove(int id)
{
	spin_lock(&msg_ids.lock);
	struct msg_queue *q = queue_find_locked(id);
	if (q) {
		ipc_remove_locked(&msg_ids, &q->ipc);
		ipc_decide_all_locked(&q->receivers, -EIDRM);
		ipc_decide_all_locked(&q->senders, -EIDRM);
	}
	spin_unlock(&msg_ids.lock);
	queue_free(q);
	return q ? 0 : -EINVAL;
}

void ipc_msg_info(struct msg_info *ret)
{
	spin_lock(&msg_ids.lock);
	*ret = (struct msg_info){ .used = (int)msg_ids.used, .last_index = ipc_last_index_locked(&msg_ids) };
	for (unsigned i = 0; i < msg_ids.nslots; i++) {
		const struct msg_queue *q = (const struct msg_queue *)msg_ids.slots[i];
		ret->messages += q ? q->qnum : 0;
		ret->bytes += q ? q->cbytes : 0;
	}
	spin_unlock(&msg_ids.lock);
}
