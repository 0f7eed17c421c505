/*
 * inet_error.c - the error queue of IP_RECVERR and IPV6_RECVERR: what ICMP said about datagrams, for MSG_ERRQUEUE.
 *
 * Each entry has the error, who sent it, where the datagram had been going, and what of it was quoted.
 *
 * Invariant (I1): at most ERRORS_MAX entries a socket; a new one beyond that is dropped, as on Linux when
 * the receive buffer is full.
 *
 * Locks: inet_core. Can fail: memory, then the entry is dropped.
 */
#include "net/inet_impl.h"

#define ERRORS_MAX 32u

struct inet_error {
	struct inet_error *next;
	ip_addr_t offender, remote;
	u16 rport;
	struct lx_sock_extended_err err;
	u32 len;
	u8 payload[];
};

COUNTER(inet_errqueue_full);

void inet_error_queue(struct inet_sock *s, const struct inet_icmp *e)
{
	struct inet_error **at = &s->errors, *n;
	unsigned count = 0;

	for (; *at; at = &(*at)->next)
		count++;
	n = count < ERRORS_MAX ? heap_alloc(sizeof(*n) + e->payload_len) : NULL;
	if (!n) {
		counter_bump(inet_errqueue_full);
		return;
	}
	n->offender = e->offender;
	n->remote = e->remote;
	n->rport = e->rport;
	n->err = (struct lx_sock_extended_err){ .error = (u32)-e->error, .origin = e->origin, .type = e->type, .code = e->code, .info = e->info };
	n->len = e->payload_len;
	if (n->len)
		memcpy(n->payload, e->payload, n->len);
	WRITE_ONCE(*at, n);
}

ssize_t inet_error_recv(struct inet_sock *s, struct sock_msg *m)
{
	struct inet_error *e = s->errors;

	if (!e)
		return -EAGAIN;
	size_t n = MIN((size_t)e->len, m->uio->resid), done = uio_put(m->uio, e->payload, n);
	if (done < n)
		return -EFAULT;
	if (m->addr)
		inet_addr_fill(s->sock.family, m->addr, &e->remote, e->rport);
	m->ret_flags |= LX_MSG_ERRQUEUE | (e->len > n ? LX_MSG_TRUNC : 0);
	if (m->control) {
		m->control->has |= s->sock.family == LX_AF_INET6 ? SOCK_CONTROL_ERR6 : SOCK_CONTROL_ERR;
		m->control->err = e->err;
		inet_addr_fill(s->sock.family, &m->control->offender, &e->offender, 0);
	}
	WRITE_ONCE(s->errors, e->next);
	heap_free(e);
	/* Linux: the next one's error is pending then. */
	if (s->errors)
		socket_set_error(&s->sock, -(int)s->errors->err.error);
	else
		(void)socket_take_error(&s->sock);
	return (ssize_t)n;
}

void inet_error_free(struct inet_sock *s)
{
	while (s->errors) {
		struct inet_error *e = s->errors;
		s->errors = e->next;
		heap_free(e);
	}
}
