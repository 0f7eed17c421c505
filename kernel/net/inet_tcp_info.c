/*
 * inet_tcp_info.c - TCP_INFO: what is counted for it, and the answer.
 *
 * Counting is a few instructions a segment. Clocks are read only for connections that have been asked
 * about once (s->timing): from then on one round trip at a time is measured, by Karn's rule not over a
 * retransmission. Until then the round trip is what lwIP's 100 ms ticks know.
 *
 * Locks: inet_core. Cannot fail.
 */
#include "net/inet_impl.h"

void inet_tcp_count_data(struct inet_sock *s, u32 len, u32 seq)
{
	struct inet_timing *t = s->timing;

	if ((s32)(seq + len - s->snd_high) > 0) {
		s->snd_high = seq + len;
		if (likely(!t))
			return;
		t->last_sent_ns = arch_clock_mono_ns();
		if (!t->rtt_pending) {
			t->rtt_pending = true;
			t->rtt_seq = seq + len;
			t->rtt_from_ns = t->last_sent_ns;
		}
	} else {
		s->retrans_out++;
		s->bytes_retrans += len;
		if (t)
			t->rtt_pending = false;
	}
}

void inet_tcp_sample_rtt(struct inet_sock *s, const struct tcp_pcb *p)
{
	struct inet_timing *t = s->timing;

	if (!t->rtt_pending || (s32)(p->lastack - t->rtt_seq) < 0)
		return;
	u64 us = (arch_clock_mono_ns() - t->rtt_from_ns) / NSEC_PER_USEC;
	u32 m = us ? us > 60000000 ? 60000000 : (u32)us : 1;

	t->rtt_pending = false;
	if (!t->min_rtt_us || m < t->min_rtt_us)
		t->min_rtt_us = m;
	if (!t->srtt_us) {               /* RFC 6298 */
		t->srtt_us = m;
		t->rttvar_us = m / 2;
		return;
	}
	u32 d = m > t->srtt_us ? m - t->srtt_us : t->srtt_us - m;
	t->rttvar_us = (3 * t->rttvar_us + d) / 4;
	t->srtt_us = (7 * t->srtt_us + m) / 8;
}

static u8 linux_state(const struct inet_sock *s)
{
	/* Linux: 1 ESTABLISHED 2 SYN_SENT 3 SYN_RECV 4 FIN_WAIT1 5 FIN_WAIT2 6 TIME_WAIT 7 CLOSE 8 CLOSE_WAIT 9 LAST_ACK 10 LISTEN 11 CLOSING */
	static const u8 of_lwip[] = { 7, 10, 2, 3, 1, 4, 5, 8, 11, 9, 6 };

	if (s->state == INET_LISTEN)
		return 10;
	return s->tcp && s->tcp->state < ARRAY_SIZE(of_lwip) ? of_lwip[s->tcp->state] : 7;
}

void inet_tcp_info(struct inet_sock *s, struct lx_tcp_info *i)
{
	struct tcp_pcb *p = s->tcp;

	memset(i, 0, sizeof(*i));
	i->state = linux_state(s);
	if (s->state == INET_LISTEN) {
		i->unacked = s->lis->nready;
		i->sacked = s->lis->backlog;
		return;
	}
	if (!p)
		return;
	u32 unsent = 0, in_flight = 0;
	for (struct tcp_seg *g = p->unsent; g; g = g->next)
		unsent += g->len;
	for (struct tcp_seg *g = p->unacked; g; g = g->next)
		in_flight++;
	i->options = (u8)((p->flags & TF_TIMESTAMP ? 1 : 0) | (p->flags & TF_SACK ? 2 : 0) | (p->flags & TF_WND_SCALE ? 4 : 0));
	i->wscale = p->flags & TF_WND_SCALE ? (u8)(p->snd_scale | p->rcv_scale << 4) : 0;
	i->retransmits = p->nrtx;
	i->backoff = p->nrtx;
	i->probes = p->persist_probe;
	i->rto = (u32)p->rto * TCP_SLOW_INTERVAL * 1000u;
	i->ato = TCP_FAST_INTERVAL * 1000u;
	u16 mss = inet_tcp_peer_mss(s);
	i->snd_mss = i->rcv_mss = i->advmss = mss;
	i->pmtu = MIN(inet_path_mtu(&s->raddr), 65535u);
	i->unacked = in_flight;
	static const struct inet_timing nothing;
	const struct inet_timing *t = s->timing ? s->timing : &nothing;
	i->rtt = t->srtt_us ? t->srtt_us : (u32)(p->sa >> 3) * TCP_SLOW_INTERVAL * 1000u;
	i->rttvar = t->srtt_us ? t->rttvar_us : (u32)(p->sv >> 2) * TCP_SLOW_INTERVAL * 1000u;
	i->min_rtt = t->min_rtt_us ? t->min_rtt_us : UINT32_MAX;
	i->snd_ssthresh = mss ? p->ssthresh / mss : 0;
	i->snd_cwnd = mss ? MAX(p->cwnd / mss, 1u) : 1;
	i->rcv_space = i->rcv_ssthresh = p->rcv_wnd;
	i->reordering = 3;
	i->notsent_bytes = unsent;
	i->bytes_received = s->bytes_received;
	i->bytes_sent = s->bytes_sent;
	u32 queued = TCP_SND_BUF - p->snd_buf;
	i->bytes_acked = s->bytes_sent > queued ? s->bytes_sent - queued : 0;
	i->snd_wnd = p->snd_wnd;
	i->segs_out = s->segs_out;
	i->data_segs_out = s->data_segs_out;
	i->segs_in = inet_demux_segs_in(p) + s->fast_segs_in;
	i->total_retrans = s->retrans_out;
	i->bytes_retrans = s->bytes_retrans;
	u64 now = arch_clock_mono_ns();
	i->last_data_sent = t->last_sent_ns ? (u32)((now - t->last_sent_ns) / NSEC_PER_MSEC) : 0;
	i->last_data_recv = t->last_recv_ns ? (u32)((now - t->last_recv_ns) / NSEC_PER_MSEC) : 0;
	i->delivered = s->data_segs_out - MIN(s->data_segs_out, in_flight);
	if (!s->timing)
		s->timing = heap_alloc(sizeof(*s->timing));
	i->pacing_rate = i->max_pacing_rate = UINT64_MAX;
}
