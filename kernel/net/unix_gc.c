/*
 * unix_gc.c - AF_UNIX sockets that only messages hold: when a socket's descriptors are all on their way,
 * in queues that can be read only from such sockets, nobody can ever receive them. Their messages let go
 * of what they carry, and the sockets close.
 *
 * A socket lives if someone holds its file besides messages, or if it can be reached: it is in a message
 * in a living socket's queue, or waits to be accepted from a living listener. Everything else is dead.
 * Files that are no unix sockets hold none, so that they need not be looked through.
 *
 * Invariants:
 *  (I1) files come out of messages, go into them and are duplicated from them under unix_lock only, so
 *       that a file with no more references than messages cannot gain one during the search.
 *  (I2) nothing is released here: rights go to the graveyard (unix.c, I3).
 *
 * Locks: unix_lock. Cannot fail; cost: all unix sockets and their messages.
 */
#include "net/unix_impl.h"

static struct unix_sock *carried(const struct sock_rights *r, unsigned i, u32 *ret_refs)
{
	struct socket *s = r->socket ? r->socket(r->files[i], ret_refs) : NULL;

	return s && s->family == LX_AF_UNIX ? unix_sock_of(s) : NULL;
}

/* How many references of each socket's file are in messages. */
static void count_carried(void)
{
	struct unix_sock *s, *t;
	struct unix_msg *m;
	u32 refs;

	list_for_each_entry(s, &unix_sockets, all_link) {
		s->gc_carried = 0;
		s->gc_live = false;
	}
	list_for_each_entry(s, &unix_sockets, all_link)
		list_for_each_entry(m, &s->msgs, link)
			for (unsigned i = 0; m->rights && i < m->rights->count; i++)
				if ((t = carried(m->rights, i, &refs))) {
					t->gc_carried++;
					t->gc_refs = refs;
				}
}

static void live(struct list *work, struct unix_sock *s)
{
	if (s->gc_live)
		return;
	s->gc_live = true;
	list_append(work, &s->gc_link);
}

/* Mark what can be reached from the sockets that are held from outside. */
static void mark(struct unix_sock *closing)
{
	struct list work = LIST_INIT(work), *l;
	struct unix_sock *s, *t;
	struct unix_msg *m;
	u32 refs;

	list_for_each_entry(s, &unix_sockets, all_link) {
		u32 own = s == closing;  /* whoever closes it still holds it */
		if (s->gc_carried ? s->gc_refs > s->gc_carried + own : list_empty(&s->accept_link))
			live(&work, s);
	}
	while ((l = list_pop(&work))) {
		s = list_entry(l, struct unix_sock, gc_link);
		list_for_each_entry(m, &s->msgs, link)
			for (unsigned i = 0; m->rights && i < m->rights->count; i++)
				if ((t = carried(m->rights, i, &refs)))
					live(&work, t);
		list_for_each_entry(t, &s->accepts, accept_link)
			live(&work, t);
	}
}

bool unix_gc_locked(struct unix_sock *closing)
{
	struct unix_sock *s;
	struct unix_msg *m;
	bool found = false;

	count_carried();
	mark(closing);
	list_for_each_entry(s, &unix_sockets, all_link) {
		if (s->gc_live)
			continue;
		list_for_each_entry(m, &s->msgs, link)
			if (m->rights) {
				unix_rights_bury(m->rights);
				m->rights = NULL;
				found = true;
			}
	}
	return found;
}

void unix_descriptor_closed(struct socket *sock)
{
	bool found = false;

	if (!unix_sockets_carried())
		return;
	mutex_lock(&unix_lock);
	if (unix_sockets_carried())
		found = unix_gc_locked(unix_sock_of(sock));
	mutex_unlock(&unix_lock);
	if (found)
		unix_rights_drain();
}
