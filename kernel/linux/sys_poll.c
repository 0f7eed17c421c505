/*
 * sys_poll.c - poll, ppoll, select, pselect6: one loop over a list of files.
 *
 * Each file is looked up once and kept until the call returns, so that its wait queues stay
 * while the caller is on them.
 */
#include "linux/filecalls.h"
#include "linux/polltime.h"
#include "mm/heap.h"
#include "proc/poll_wait.h"
#include "proc/process.h"

struct lx_pollfd {
	s32 fd;
	s16 events, revents;
};
_Static_assert(sizeof(struct lx_pollfd) == 8, "pollfd");

/* One file that is waited for. */
struct watched {
	struct file *file;           /* NULL: not open (or negative) */
	u32 events, revents;
};

/* Ask all files once; registers with pw if it is not NULL. How many have events. */
static unsigned ask_all(struct watched *w, unsigned n, struct poll_wait *pw)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!w[i].file) {
			ready += w[i].revents != 0;
			continue;
		}
		if (pw)
			pw->key = w[i].events;
		w[i].revents = file_poll(w[i].file, pw && !ready ? &pw->table : NULL) & w[i].events;
		ready += w[i].revents != 0;
	}
	return ready;
}

/* Until something is ready: how many; 0 at the deadline; -ERESTARTNOHAND, -ENOMEM. */
static long wait_loop(struct watched *w, unsigned n, u64 deadline_ns)
{
	NO_AUTO_INIT struct poll_wait pw;
	unsigned ready;
	long r = 0;

	if (!deadline_ns)
		return ask_all(w, n, NULL);
	poll_wait_init(&pw);
	ready = ask_all(w, n, &pw);
	while (!ready && r == 0) {
		if (pw.failed) {
			r = -ENOMEM;
			break;
		}
		r = poll_wait_sleep(&pw, deadline_ns);
		ready = ask_all(w, n, NULL);
	}
	poll_wait_end(&pw);
	return ready ? ready : r == -ETIMEDOUT ? 0 : r == -ENOMEM ? r : r ? -ERESTARTNOHAND : 0;
}

/* ---- poll ---- */

#define POLL_FEW 16u

static long poll_files(struct lx_pollfd *fds, struct watched *w, unsigned n, u64 deadline_ns)
{
	long r;

	for (unsigned i = 0; i < n; i++) {
		w[i].file = fds[i].fd < 0 ? NULL : fd_lookup(fds[i].fd);
		w[i].events = (u16)fds[i].events | POLL_ERR | POLL_HUP;
		w[i].revents = fds[i].fd >= 0 && !w[i].file ? POLL_NVAL : 0;
	}
	r = wait_loop(w, n, deadline_ns);
	for (unsigned i = 0; i < n; i++) {
		fds[i].revents = (s16)w[i].revents;
		if (w[i].file)
			file_put(w[i].file);
	}
	return r;
}

static long poll_call(struct uaddr ufds, unsigned n, u64 deadline_ns)
{
	NO_AUTO_INIT struct lx_pollfd few_fds[POLL_FEW];
	NO_AUTO_INIT struct watched few[POLL_FEW];
	struct lx_pollfd *fds = few_fds;
	struct watched *w = few;
	long r = -ENOMEM;

	if (n > READ_ONCE(process_rlimits[RLIM_NOFILE].cur))
		return -EINVAL;
	if (n > POLL_FEW) {
		fds = heap_alloc_array(n, sizeof(*fds));
		w = heap_alloc_array(n, sizeof(*w));
	}
	if (fds && w) {
		r = copy_from_user(fds, ufds, n * sizeof(*fds));
		if (r == 0)
			r = poll_files(fds, w, n, deadline_ns);
		if (r >= 0 || r == -ERESTARTNOHAND)
			for (unsigned i = 0; i < n; i++)
				if (copy_to_user(uaddr_add(ufds, i * sizeof(*fds) + offsetof(struct lx_pollfd, revents)), &fds[i].revents, 2) < 0)
					r = -EFAULT;
	}
	if (n > POLL_FEW) {
		heap_free(fds);
		heap_free(w);
	}
	return r;
}

/* restart_syscall after a signal without a handler: the deadline stays. */
static long poll_restart(struct task *t)
{
	long r = poll_call(uaddr_make(t->restart_args[0]), (unsigned)t->restart_args[1], t->restart_args[2]);

	return r == -ERESTARTNOHAND ? -ERESTART_RESTARTBLOCK : r;
}

long sys_poll(struct uaddr fds, unsigned nfds, int timeout_ms)
{
	u64 deadline_ns = deadline_after_ms(timeout_ms);
	long r = poll_call(fds, nfds, deadline_ns);

	if (r == -ERESTARTNOHAND) {
		struct task *t = task_current();
		t->restart = poll_restart;
		t->restart_args[0] = fds.va;
		t->restart_args[1] = nfds;
		t->restart_args[2] = deadline_ns;
		return -ERESTART_RESTARTBLOCK;
	}
	return r;
}

/* The time that was left goes back to the program; a bad address there is no error. */
static void left_to_ts(struct uaddr uts, u64 deadline_ns, bool timeval)
{
	u64 left = deadline_ns ? deadline_left_ns(deadline_ns) : 0;
	struct lx_ts ts = { (s64)(left / NSEC_PER_SEC), (s64)(left % NSEC_PER_SEC / (timeval ? NSEC_PER_USEC : 1)) };

	if (!uaddr_is_null(uts) && copy_to_user(uts, &ts, sizeof(ts)) < 0)
		return;
}

long sys_ppoll(struct uaddr fds, unsigned nfds, struct uaddr timeout, struct uaddr sigmask, size_t sigsetsize)
{
	u64 deadline_ns;
	bool pushed;
	long r = deadline_from_ts(timeout, &deadline_ns);

	if (r == 0)
		r = mask_push(sigmask, sigsetsize, &pushed);
	if (r < 0)
		return r;
	r = poll_call(fds, nfds, deadline_ns);
	if (pushed)
		signal_pop_mask(r == -ERESTARTNOHAND);
	if (deadline_ns != WAIT_FOREVER)
		left_to_ts(timeout, deadline_ns, false);
	return r;
}

/* ---- select ---- */

#define SELECT_IN  (POLL_IN | POLL_RDNORM | POLL_RDBAND | POLL_HUP | POLL_ERR)
#define SELECT_OUT (POLL_OUT | POLL_WRNORM | POLL_WRBAND | POLL_ERR)
#define SELECT_EX  POLL_PRI
#define SELECT_WORDS_FEW 16u         /* 1,024 descriptors */

struct select_sets {
	unsigned n, words;
	u64 *set[3];                 /* wanted; then what is ready: read, write, except */
	struct uaddr user[3];
};

static const u32 select_events[3] = { SELECT_IN, SELECT_OUT, SELECT_EX };

static int sets_get(struct select_sets *s)
{
	for (unsigned i = 0; i < 3; i++)
		if (!uaddr_is_null(s->user[i]) && copy_from_user(s->set[i], s->user[i], s->words * 8) < 0)
			return -EFAULT;
	for (unsigned i = 0; i < 3; i++)
		if (s->n % 64)
			s->set[i][s->words - 1] &= (1ull << s->n % 64) - 1;
	return 0;
}

static unsigned sets_wanted(const struct select_sets *s, unsigned fd, u32 *ret_events)
{
	u32 ev = 0;

	for (unsigned i = 0; i < 3; i++)
		if (s->set[i][fd / 64] >> (fd % 64) & 1)
			ev |= select_events[i];
	*ret_events = ev;
	return ev != 0;
}

static unsigned sets_count(const struct select_sets *s)
{
	unsigned n = 0;

	for (unsigned k = 0; k < s->words; k++)
		n += (unsigned)__builtin_popcountll(s->set[0][k] | s->set[1][k] | s->set[2][k]);
	return n;
}

/* Look all wanted files up, wait, and write what is ready into the sets. */
static long select_files(struct select_sets *s, struct watched *w, unsigned nw, u64 deadline_ns)
{
	unsigned at = 0, fd;
	long r = 0;
	u32 ev;

	for (fd = 0; fd < s->n && r == 0; fd++) {
		if (!sets_wanted(s, fd, &ev))
			continue;
		w[at] = (struct watched){ .file = fd_lookup((int)fd), .events = ev };
		if (w[at].file)
			at++;
		else
			r = -EBADF;
	}
	if (r == 0)
		r = wait_loop(w, nw, deadline_ns);
	for (unsigned i = 0; i < at; i++)
		file_put(w[i].file);
	if (r < 0)
		return r;
	r = 0;
	at = 0;
	for (fd = 0; fd < s->n; fd++) {
		if (!sets_wanted(s, fd, &ev))
			continue;
		for (unsigned i = 0; i < 3; i++) {
			u64 bit = 1ull << (fd % 64);
			if (!(s->set[i][fd / 64] & bit))
				continue;
			if (w[at].revents & select_events[i])
				r++;
			else
				s->set[i][fd / 64] &= ~bit;
		}
		at++;
	}
	return r;
}

static long select_watched(struct select_sets *s, u64 deadline_ns)
{
	NO_AUTO_INIT struct watched few[POLL_FEW];
	unsigned n = sets_count(s);
	struct watched *w = n <= POLL_FEW ? few : heap_alloc_array(n, sizeof(*w));
	long r = w ? select_files(s, w, n, deadline_ns) : -ENOMEM;

	if (w != few)
		heap_free(w);
	for (unsigned i = 0; r >= 0 && i < 3; i++)
		if (!uaddr_is_null(s->user[i]) && copy_to_user(s->user[i], s->set[i], s->words * 8) < 0)
			r = -EFAULT;
	return r;
}

static long select_call(int n, struct uaddr in, struct uaddr out, struct uaddr ex, u64 deadline_ns)
{
	u64 few[3 * SELECT_WORDS_FEW], *bits = few;
	struct select_sets s = { .user = { in, out, ex } };
	long r;

	if (n < 0)
		return -EINVAL;
	s.n = MIN((unsigned)n, FD_MAX);
	s.words = DIV_ROUND_UP(s.n, 64);
	if (s.words > SELECT_WORDS_FEW)
		bits = heap_alloc_array(3 * s.words, sizeof(*bits));
	else
		memset(few, 0, sizeof(few));
	if (!bits)
		return -ENOMEM;
	for (unsigned i = 0; i < 3; i++)
		s.set[i] = bits + i * s.words;
	r = sets_get(&s);
	if (r == 0)
		r = select_watched(&s, deadline_ns);
	if (bits != few)
		heap_free(bits);
	return r;
}

long sys_select(int n, struct uaddr in, struct uaddr out, struct uaddr ex, struct uaddr timeout)
{
	u64 deadline_ns = WAIT_FOREVER, ns;
	struct lx_timeval tv;
	long r;

	if (!uaddr_is_null(timeout)) {
		if (copy_from_user(&tv, timeout, sizeof(tv)) < 0)
			return -EFAULT;
		if (tv.sec < 0 || tv.usec < 0)
			return -EINVAL;
		if (!__builtin_mul_overflow((u64)tv.sec + (u64)tv.usec / 1000000, NSEC_PER_SEC, &ns))
			deadline_ns = deadline_after_ns(ns + (u64)tv.usec % 1000000 * NSEC_PER_USEC);
	}
	r = select_call(n, in, out, ex, deadline_ns);
	if (deadline_ns != WAIT_FOREVER)
		left_to_ts(timeout, deadline_ns, true);
	return r;
}

long sys_pselect6(int n, struct uaddr in, struct uaddr out, struct uaddr ex, struct uaddr timeout, struct uaddr sig)
{
	struct { u64 mask, size; } arg = { 0 };
	u64 deadline_ns;
	bool pushed;
	long r;

	if (!uaddr_is_null(sig) && copy_from_user(&arg, sig, sizeof(arg)) < 0)
		return -EFAULT;
	r = deadline_from_ts(timeout, &deadline_ns);
	if (r == 0)
		r = mask_push(uaddr_make(arg.mask), arg.size, &pushed);
	if (r < 0)
		return r;
	r = select_call(n, in, out, ex, deadline_ns);
	if (pushed)
		signal_pop_mask(r == -ERESTARTNOHAND);
	if (deadline_ns != WAIT_FOREVER)
		left_to_ts(timeout, deadline_ns, false);
	return r;
}
