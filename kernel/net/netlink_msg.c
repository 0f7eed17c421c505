/*
 * netlink_msg.c - netlink messages: making them, taking requests apart, errors, dumps.
 *
 * A request is hostile input: lengths are checked against what is there before anything is read; what
 * comes after a message with a wrong length is not looked at (as Linux does).
 *
 * Locks: netlink_lock is held by the callers. What can fail: memory (the answer is lost, and the
 * socket says ENOBUFS).
 */
#include "net/netlink_impl.h"
#include "base/counter.h"

COUNTER(netlink_bad_messages);

#define ALIGN4(n) ROUND_UP((u32)(n), 4u)

/* ---- Making ---- */

int netlink_buf_init(struct netlink_buf *b, u32 size)
{
	*b = (struct netlink_buf){ .data = heap_alloc(size), .size = size };
	return b->data ? 0 : -ENOMEM;
}

/* Room for len bytes, aligned, zeroed; NULL when the text is full. */
static u8 *room(struct netlink_buf *b, u32 len)
{
	u32 n = ALIGN4(len);
	u8 *p = b->data + b->len;

	if (b->full || n < len || n > b->size - b->len) {
		b->full = true;
		return NULL;
	}
	memset(p, 0, n);
	b->len += n;
	return p;
}

void netlink_begin(struct netlink_buf *b, u16 type, u16 flags, u32 seq, u32 pid, const void *fixed, u32 len)
{
	struct lx_nlmsghdr h = { .type = type, .flags = flags, .seq = seq, .pid = pid };
	u8 *p;

	b->start = b->len;
	p = room(b, sizeof(h));
	if (p)
		memcpy(p, &h, sizeof(h));
	p = len ? room(b, len) : NULL;
	if (p)
		memcpy(p, fixed, len);
}

int netlink_end(struct netlink_buf *b)
{
	u32 len = b->len - b->start;

	if (b->full) {
		b->len = b->start;
		b->full = false;
		return -EMSGSIZE;
	}
	memcpy(b->data + b->start, &len, sizeof(len));
	return 0;
}

void netlink_put(struct netlink_buf *b, u16 type, const void *data, u32 len)
{
	struct lx_nlattr a = { (u16)(sizeof(a) + len), type };
	u8 *p = room(b, (u32)sizeof(a) + len);

	if (p) {
		memcpy(p, &a, sizeof(a));
		if (data)
			memcpy(p + sizeof(a), data, len);
	}
}

void netlink_put_string(struct netlink_buf *b, u16 type, const char *s)
{
	netlink_put(b, type, s, (u32)strlen(s) + 1);
}

/* ---- Taking apart ---- */

static int bad_attr(const struct netlink_request *rq, const u8 *at, int error, const char *text)
{
	rq->ack->attr_off = (u32)(at - (const u8 *)rq->head);
	return netlink_fail(rq->ack, error, text);
}

int netlink_parse(const struct netlink_request *rq, u32 hdr, const struct lx_nlattr **ret, unsigned max, const u8 *least)
{
	const u8 *p = rq->body + ALIGN4(hdr), *end = rq->body + rq->len;
	int r = 0;

	memset(ret, 0, (max + 1) * sizeof(ret[0]));
	if (rq->len < hdr)
		return netlink_fail(rq->ack, -EINVAL, "Invalid header length");
	while (p < end && (size_t)(end - p) >= sizeof(struct lx_nlattr)) {
		const struct lx_nlattr *a = (const void *)p;
		unsigned type = a->type & LX_NLA_TYPE_MASK;
		if (a->len < sizeof(*a) || a->len > end - p)
			break;
		if (type <= max && type) {
			if (least && netlink_attr_len(a) < least[type])
				return bad_attr(rq, p, -ERANGE, "Attribute failed policy validation");
			ret[type] = a;
		} else if (rq->strict) {
			return bad_attr(rq, p, -EINVAL, "Unknown attribute type");
		}
		p += MIN((size_t)ALIGN4(a->len), (size_t)(end - p));
	}
	if (p < end && rq->strict)
		r = netlink_fail(rq->ack, -EINVAL, "bytes leftover after parsing attributes");
	return r;
}

u32 netlink_attr_u32(const struct lx_nlattr *a)
{
	u32 v = 0;

	memcpy(&v, a + 1, MIN(netlink_attr_len(a), (u32)sizeof(v)));
	return v;
}

void netlink_attr_string(const struct lx_nlattr *a, char *buf, u32 size)
{
	u32 n = (u32)strnlen((const char *)(a + 1), netlink_attr_len(a));

	n = MIN(n, size - 1);
	memcpy(buf, a + 1, n);
	buf[n] = 0;
}

/* ---- Answers ---- */

int netlink_answer(const struct netlink_request *rq, struct netlink_buf *b)
{
	netlink_deliver(rq->sock, b->data, b->len, 0);
	heap_free(b->data);
	return 0;
}

static void put_ack_details(struct netlink_buf *b, const struct netlink_ack *ack, bool off)
{
	if (ack->text)
		netlink_put_string(b, LX_NLMSGERR_ATTR_MSG, ack->text);
	if (off && ack->attr_off)
		netlink_put_u32(b, LX_NLMSGERR_ATTR_OFFS, ack->attr_off);
}

/* NLMSG_ERROR: with the whole request after an error, with its header only after success or as NETLINK_CAP_ACK wants. */
static void acknowledge(const struct netlink_request *rq, int error)
{
	struct netlink_sock *s = rq->sock;
	bool details = s->options & NETLINK_OPT_EXT_ACK && (rq->ack->text || (error && rq->ack->attr_off));
	bool whole = error && !(s->options & NETLINK_OPT_CAP_ACK);
	struct lx_nlmsgerr e = { error, *rq->head };
	struct netlink_buf b;
	u16 flags = whole ? 0 : LX_NLM_F_CAPPED;

	if (netlink_buf_init(&b, 512 + (whole ? ALIGN4(rq->len) : 0)) < 0) {
		socket_set_error(&s->sock, -ENOBUFS);
		waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
		return;
	}
	if (details)
		flags |= LX_NLM_F_ACK_TLVS;
	netlink_begin(&b, LX_NLMSG_ERROR, flags, rq->head->seq, s->portid, &e, sizeof(e));
	if (whole && rq->len) {
		u8 *p = room(&b, rq->len);
		if (p)
			memcpy(p, rq->body, rq->len);
	}
	if (details)
		put_ack_details(&b, rq->ack, error);
	(void)netlink_end(&b);
	netlink_answer(rq, &b);
}

static void one_request(struct netlink_sock *s, const struct lx_nlmsghdr *h)
{
	struct netlink_ack ack = { 0 };
	struct netlink_request rq = {
		.sock = s, .head = h, .body = (const u8 *)(h + 1), .len = h->len - (u32)sizeof(*h),
		.strict = s->options & NETLINK_OPT_STRICT, .ack = &ack,
	};
	int r = 0;

	if (h->flags & LX_NLM_F_REQUEST && h->type >= LX_NLMSG_MIN_TYPE)
		r = s->protocol->request(&rq);
	if (r == NETLINK_STARTED)
		return;
	if (r < 0 || h->flags & LX_NLM_F_ACK)
		acknowledge(&rq, r);
}

void netlink_requests(struct netlink_sock *s, const u8 *data, size_t len)
{
	while (len >= sizeof(struct lx_nlmsghdr)) {
		const struct lx_nlmsghdr *h = (const void *)data;
		if (h->len < sizeof(*h) || h->len > len) {
			counter_bump(netlink_bad_messages);
			return;
		}
		one_request(s, h);
		size_t step = MIN((size_t)ALIGN4(h->len), len);
		data += step;
		len -= step;
	}
}

/* ---- Dumps ---- */

/* The end of a dump, in the same datagram if it fits: 0, or -EMSGSIZE. */
static int put_done(struct netlink_sock *s, struct netlink_buf *b)
{
	const struct netlink_ack *ack = &s->dump_ack;
	bool details = s->options & NETLINK_OPT_EXT_ACK && ack->text && s->dump_error < 0;
	s32 error = s->dump_error;

	netlink_begin(b, LX_NLMSG_DONE, (u16)(s->dump.flags | (details ? LX_NLM_F_ACK_TLVS : 0)), s->dump.seq, s->dump.pid, &error, sizeof(error));
	if (details)
		put_ack_details(b, ack, true);
	return netlink_end(b);
}

void netlink_dump_more(struct netlink_sock *s)
{
	struct netlink_dump *d = &s->dump;
	u32 chunk = MAX(NETLINK_CHUNK_MIN, s->buffer_seen);
	struct netlink_buf b;

	if (!s->dumping || s->rx_bytes > s->sock.rcvbuf / 2)
		return;
	if (netlink_buf_init(&b, chunk) < 0) {
		s->dumping = false;
		socket_set_error(&s->sock, -ENOBUFS);
		waitq_wake(&s->sock.waitq, SOCK_WAKE_ALL, ~0u);
		return;
	}
	if (s->dump_error > 0) {
		s->dump_error = d->fill(d, &b);
		if (netinfo_generation() != d->generation)
			d->flags |= LX_NLM_F_DUMP_INTR;
		if (s->dump_error == -EMSGSIZE && b.len)
			s->dump_error = 1;       /* the rest comes in the next one */
	}
	if (s->dump_error <= 0 && put_done(s, &b) == 0)
		s->dumping = false;
	if (b.len)
		netlink_deliver_dump(s, b.data, b.len);
	heap_free(b.data);
}

int netlink_dump_start(const struct netlink_request *rq, struct netlink_dump *d)
{
	struct netlink_sock *s = rq->sock;

	if (s->dumping)
		return -EBUSY;
	s->dump = *d;
	s->dump.seq = rq->head->seq;
	s->dump.pid = s->portid;
	s->dump.flags |= LX_NLM_F_MULTI;
	s->dump.generation = netinfo_generation();
	s->dump_ack = *rq->ack;
	s->dump_error = 1;
	s->dumping = true;
	netlink_dump_more(s);
	return NETLINK_STARTED;
}

static int fill_nothing(struct netlink_dump *d, struct netlink_buf *b)
{
	return -(int)d->index;
}

int netlink_dump_fail(const struct netlink_request *rq, int error, u16 flags)
{
	struct netlink_dump d = { .fill = fill_nothing, .index = (u32)-error, .flags = flags };

	return netlink_dump_start(rq, &d);
}
