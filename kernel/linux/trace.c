/*
 * trace.c - the strace printer: one line for each call on the log port, from the types in syscalls.def.
 *
 *   [tid] name(arg, ...) = result [ENAME]
 *
 * Strings are read from the program (bounded, escaped); the kernel acts on its own copy, so a trace is a
 * hint and not a proof. Calls that do not return are printed when they begin. May sleep. Cannot fail.
 */
#include "linux/dispatch.h"
#include "linux/syscall.h"
#include "linux/syscall_max.h"
#include "base/link.h"
#include "base/print.h"
#include "dev/port.h"
#include "proc/process.h"
#include "shared/bootconf.h"

enum trace_type { TRACE_END, TRACE_FD, TRACE_INT, TRACE_UINT, TRACE_LONG, TRACE_ULONG, TRACE_SIZE, TRACE_OFF, TRACE_PTR, TRACE_STR };

/* Two a byte. */
#define PAIR(a, b) (TRACE_##a | TRACE_##b << 4)
#define SYSCALL0(nr, name, lvl) [nr] = { 0 },
#define SYSCALL1(nr, name, lvl, a, an) [nr] = { PAIR(a, END) },
#define SYSCALL2(nr, name, lvl, a, an, b, bn) [nr] = { PAIR(a, b) },
#define SYSCALL3(nr, name, lvl, a, an, b, bn, c, cn) [nr] = { PAIR(a, b), PAIR(c, END) },
#define SYSCALL4(nr, name, lvl, a, an, b, bn, c, cn, d, dn) [nr] = { PAIR(a, b), PAIR(c, d) },
#define SYSCALL5(nr, name, lvl, a, an, b, bn, c, cn, d, dn, e, en) [nr] = { PAIR(a, b), PAIR(c, d), PAIR(e, END) },
#define SYSCALL6(nr, name, lvl, a, an, b, bn, c, cn, d, dn, e, en, f, fn) [nr] = { PAIR(a, b), PAIR(c, d), PAIR(e, f) },
static const u8 types[SYSCALL_MAX][3] = {
#include "linux/syscalls.def"
};

static enum trace_type type_of(unsigned nr, unsigned i)
{
	return types[nr][i / 2] >> i % 2 * 4 & 15;
}

#define STR_SHOWN 96u

struct line {
	char buf[1024];
	size_t len;
};

static void put(struct line *l, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = fmt_vbuf(l->buf + l->len, sizeof(l->buf) - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len = MIN(l->len + (size_t)n, sizeof(l->buf) - 1);
}

static void put_string(struct line *l, struct uaddr a)
{
	char s[STR_SHOWN + 1];

	if (uaddr_is_null(a)) {
		put(l, "NULL");
		return;
	}
	ssize_t n = copy_string_from_user(s, a, sizeof(s));
	if (n == -EFAULT) {
		put(l, "0x%llx", (unsigned long long)a.va);
		return;
	}
	bool cut = n < 0;
	size_t len = cut ? STR_SHOWN : (size_t)n;
	put(l, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		if (c == '"' || c == '\\')
			put(l, "\\%c", c);
		else if (c >= 0x20 && c < 0x7f)
			put(l, "%c", c);
		else
			put(l, "\\x%02x", c);
	}
	put(l, cut ? "\"..." : "\"");
}

static void put_arg(struct line *l, enum trace_type type, u64 v)
{
	switch (type) {
	case TRACE_FD:
		if ((int)v == -100) {
			put(l, "AT_FDCWD");
			break;
		}
		/* fall through */
	case TRACE_INT:
		put(l, "%d", (int)v);
		break;
	case TRACE_UINT:
		put(l, "%u", (unsigned)v);
		break;
	case TRACE_LONG:
	case TRACE_OFF:
		put(l, "%lld", (long long)v);
		break;
	case TRACE_SIZE:
		put(l, "%llu", (unsigned long long)v);
		break;
	case TRACE_STR:
		put_string(l, uaddr_make(v));
		break;
	case TRACE_PTR:
		if (!v) {
			put(l, "NULL");
			break;
		}
		/* fall through */
	default:
		put(l, "0x%llx", (unsigned long long)v);
	}
}

static void put_call(struct line *l, const struct user_regs *r)
{
	const u64 args[6] = { r->rdi, r->rsi, r->rdx, r->r10, r->r8, r->r9 };
	unsigned nr = (unsigned)r->orig_rax;
	const char *name = syscall_name(nr);

	put(l, "[%d] ", task_current()->tid);
	if (!name) {
		put(l, "syscall_%u(", nr);
	} else {
		put(l, "%s(", name);
		for (unsigned i = 0; i < 6 && type_of(nr, i) != TRACE_END; i++) {
			if (i)
				put(l, ", ");
			put_arg(l, type_of(nr, i), args[i]);
		}
	}
	put(l, ")");
}

static void line_out(struct line *l)
{
	put(l, "\n");
	l->buf[l->len - 1] = '\n';
	(void)port_write(PITH_PORT_LOG, l->buf, l->len, false);
}

/* exit, exit_group, rt_sigreturn. */
static bool returns(unsigned nr)
{
	return nr != 60 && nr != 231 && nr != 15;
}

static void trace_enter(const struct user_regs *regs)
{
	struct line l = { .len = 0 };

	if (returns((unsigned)regs->orig_rax))
		return;
	put_call(&l, regs);
	line_out(&l);
}

static const char *error_name(int e)
{
	static const struct {
		u8 number;
		char name[13];
	} common[] = {
		{ EPERM, "EPERM" }, { ENOENT, "ENOENT" }, { ESRCH, "ESRCH" }, { EINTR, "EINTR" }, { EIO, "EIO" }, { E2BIG, "E2BIG" },
		{ EBADF, "EBADF" }, { ECHILD, "ECHILD" }, { EAGAIN, "EAGAIN" }, { ENOMEM, "ENOMEM" }, { EACCES, "EACCES" }, { EFAULT, "EFAULT" },
		{ EBUSY, "EBUSY" }, { EEXIST, "EEXIST" }, { EXDEV, "EXDEV" }, { ENODEV, "ENODEV" }, { ENOTDIR, "ENOTDIR" }, { EISDIR, "EISDIR" },
		{ EINVAL, "EINVAL" }, { EMFILE, "EMFILE" }, { ENOTTY, "ENOTTY" }, { ENOSPC, "ENOSPC" }, { ESPIPE, "ESPIPE" }, { EROFS, "EROFS" },
		{ EPIPE, "EPIPE" }, { ERANGE, "ERANGE" }, { ENAMETOOLONG, "ENAMETOOLONG" }, { ENOSYS, "ENOSYS" }, { ENOTEMPTY, "ENOTEMPTY" },
		{ ELOOP, "ELOOP" }, { ENODATA, "ENODATA" }, { EOVERFLOW, "EOVERFLOW" }, { ENOTSOCK, "ENOTSOCK" }, { EOPNOTSUPP, "EOPNOTSUPP" },
		{ EADDRINUSE, "EADDRINUSE" }, { ECONNRESET, "ECONNRESET" }, { EISCONN, "EISCONN" }, { ENOTCONN, "ENOTCONN" },
		{ ETIMEDOUT, "ETIMEDOUT" }, { ECONNREFUSED, "ECONNREFUSED" }, { EALREADY, "EALREADY" }, { EINPROGRESS, "EINPROGRESS" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(common); i++)
		if (common[i].number == e)
			return common[i].name;
	return "";
}

static void trace_leave(const struct user_regs *regs, long result)
{
	struct line l = { .len = 0 };
	unsigned nr = (unsigned)regs->orig_rax;

	if ((s64)regs->orig_rax < 0 || !returns(nr))
		return;
	put_call(&l, regs);
	if (result <= -512 && result >= -516)
		put(&l, " = ? (interrupted)");
	else if (result < 0 && result >= -4095)
		put(&l, " = -1 %s (%d)", error_name((int)-result), (int)-result);
	else if (nr < SYSCALL_MAX && (nr == 9 || nr == 12 || nr == 25))
		put(&l, " = 0x%lx", (unsigned long)result);
	else
		put(&l, " = %ld", result);
	line_out(&l);
}

static const struct syscall_tracer strace LINK_PICK(tracer, strace) = { trace_enter, trace_leave };
