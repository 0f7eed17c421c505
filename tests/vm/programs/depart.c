/*
 * depart.c - tries what a manifest may not name, each thing in every way there is: prints "NAME: ok" or "NAME: ERRNO".
 * Arguments: the names to try, in order.
 */
#include <arpa/inet.h>
#include <linux/openat2.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/abi/uring.h"

#define SECRET "/srv/secret"

static char kernel_half[] = "ffff800000001000";

static void *kernel_address(void)
{
	return (void *)strtoul(kernel_half, NULL, 16);
}

static long ring_one(void (*fill)(struct io_uring_sqe *sqe))
{
	struct ring r = { 0 };

	ring_open_params(&r, 4);
	struct io_uring_sqe *sqe = &r.sqes[0];
	memset(sqe, 0, sizeof *sqe);
	fill(sqe);
	r.array[0] = 0;
	__atomic_store_n(r.sq_tail, 1, __ATOMIC_RELEASE);
	if (ring_enter(r.fd, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0)
		return -1;
	long res = r.cqes[0].res;
	close(r.fd);
	if (res < 0)
		errno = (int)-res;
	return res < 0 ? -1 : res;
}

/* ---- Files ---- */

static long do_open(void) { return open(SECRET, O_RDONLY); }
static long do_write(void) { return open(SECRET, O_RDWR); }
static long do_absent(void) { return open("/srv/none/bait", O_RDONLY); }
static long do_absent_write(void) { return open("/srv/none/put", O_WRONLY | O_CREAT, 0600); }
static long do_absent_other(void) { return open("/srv/none/other", O_RDONLY); }
static long do_openat(void)
{
	int dir = open("/srv", O_PATH | O_DIRECTORY);

	return dir < 0 ? -1 : openat(dir, "secret", O_RDONLY);
}
static long do_openat2(void)
{
	struct open_how how = { .flags = O_RDONLY };

	return syscall(SYS_openat2, AT_FDCWD, SECRET, &how, sizeof how);
}
static void fill_openat(struct io_uring_sqe *s) { s->opcode = IORING_OP_OPENAT; s->fd = AT_FDCWD; s->addr = (uintptr_t)SECRET; }
static struct open_how ring_how = { .flags = O_RDONLY };
static void fill_openat2(struct io_uring_sqe *s)
{
	s->opcode = IORING_OP_OPENAT2;
	s->fd = AT_FDCWD;
	s->addr = (uintptr_t)SECRET;
	s->len = sizeof ring_how;
	s->off = (uintptr_t)&ring_how;
}
static void fill_worker(struct io_uring_sqe *s) { fill_openat(s); s->flags = IOSQE_ASYNC; }
static long do_ring_open(void) { return ring_one(fill_openat); }
static long do_ring_openat2(void) { return ring_one(fill_openat2); }
static long do_ring_worker(void) { return ring_one(fill_worker); }
static long do_symlink(void)
{
	unlink("/tmp/link");
	return symlink(SECRET, "/tmp/link") < 0 ? -1 : open("/tmp/link", O_RDONLY);
}
static long do_dots(void) { return open("/tmp/../srv/./secret", O_RDONLY); }
static long do_proc_root(void) { return open("/proc/self/root" SECRET, O_RDONLY); }
static long do_proc_fd(void)
{
	int fd = open(SECRET, O_PATH);
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDONLY);
}
static long do_dev_fd(void)
{
	int fd = open(SECRET, O_PATH);
	char path[40];

	snprintf(path, sizeof path, "/dev/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDONLY);
}
static long do_mmap_file(void)
{
	int fd = open(SECRET, O_RDONLY);

	return fd < 0 ? -1 : mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0;
}
static long do_create(void) { return open("/tmp/other", O_CREAT | O_WRONLY, 0600); }
static long do_mkdir(void) { return mkdir("/tmp/dir", 0700); }
static long do_mkfifo(void) { return mkfifo("/tmp/fifo", 0600); }
static long do_tmpfile(void) { return open("/tmp", O_TMPFILE | O_RDWR, 0600); }
static long do_unlink(void) { return unlink("/tmp/mine"); }
static long do_rename(void) { return rename("/tmp/mine", "/tmp/yours"); }
/* Names below a directory that may have all, until it is moved to where only its own may be. */
static long do_moved(void)
{
	if (mkdir("/tmp/in", 0700) || mkdir("/tmp/in/a", 0700) || close(open("/tmp/in/a/x", O_CREAT | O_WRONLY, 0600)) ||
	    close(open("/tmp/in/a/y", O_CREAT | O_WRONLY, 0600)) || rename("/tmp/in/a", "/tmp/out"))
		return -1;
	return open("/tmp/out/z", O_CREAT | O_WRONLY, 0600);
}
static long do_link(void) { return link("/tmp/mine", "/tmp/yours"); }
static long do_truncate(void) { return truncate("/tmp/mine", 0); }
static long do_unix(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX, .sun_path = "/tmp/socket" };

	return bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)&a, sizeof a);
}
static long do_memfd(void)
{
	int fd = memfd_create("own", 0);
	char path[40];

	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return fd < 0 ? -1 : open(path, O_RDWR);
}
static long do_device(void) { return open("/dev/urandom", O_RDONLY); }

/* ---- Peers ---- */

static struct sockaddr_in in4(const char *address, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, address, &a.sin_addr);
	return a;
}
static struct sockaddr_in6 in6(const char *address, int port)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };

	inet_pton(AF_INET6, address, &a.sin6_addr);
	return a;
}
static long go(int type, const char *address, int port)
{
	bool six = strchr(address, ':') != NULL;
	struct sockaddr_in a = in4(address, port);
	struct sockaddr_in6 b = in6(address, port);

	return connect(socket(six ? AF_INET6 : AF_INET, type, 0), six ? (void *)&b : (void *)&a, six ? sizeof b : sizeof a);
}
static long do_connect(void) { return go(SOCK_STREAM, "127.0.0.1", 9); }
static long do_connect_nonblock(void) { return go(SOCK_STREAM | SOCK_NONBLOCK, "127.0.0.1", 9); }
static long do_connect_any(void) { return go(SOCK_STREAM, "0.0.0.0", 9); }
static long do_connect6(void) { return go(SOCK_STREAM, "::1", 9); }
static long do_connect_mapped(void) { return go(SOCK_STREAM, "::ffff:127.0.0.1", 9); }
static long do_connect_udp(void) { return go(SOCK_DGRAM, "127.0.0.1", 9); }
static long do_connect_udp6(void) { return go(SOCK_DGRAM, "::1", 9); }
static long do_connect_good(void) { return go(SOCK_DGRAM, "127.0.0.1", 53); }
static long do_dissolve(void)
{
	struct sockaddr a = { .sa_family = AF_UNSPEC };

	return connect(socket(AF_INET, SOCK_DGRAM, 0), &a, sizeof a);
}
static struct sockaddr_in far;
static struct iovec word = { "word", 4 };
static struct msghdr far_msg = { .msg_name = &far, .msg_namelen = sizeof far, .msg_iov = &word, .msg_iovlen = 1 };
static long do_sendto(void) { return sendto(socket(AF_INET, SOCK_DGRAM, 0), "word", 4, 0, (void *)&far, sizeof far); }
static long do_sendto_unspec(void)
{
	struct sockaddr_in a = far;

	a.sin_family = AF_UNSPEC;
	return sendto(socket(AF_INET, SOCK_DGRAM, 0), "word", 4, 0, (void *)&a, sizeof a);
}
static long do_sendto6(void)
{
	struct sockaddr_in6 a = in6("::ffff:127.0.0.1", 9);

	return sendto(socket(AF_INET6, SOCK_DGRAM, 0), "word", 4, 0, (void *)&a, sizeof a);
}
/* An AF_INET6 socket takes an address of AF_INET too. */
static long do_sendto_cross(void) { return sendto(socket(AF_INET6, SOCK_DGRAM, 0), "word", 4, 0, (void *)&far, sizeof far); }
static long do_sendmsg(void) { return sendmsg(socket(AF_INET, SOCK_DGRAM, 0), &far_msg, 0); }
static long do_sendmmsg(void)
{
	struct mmsghdr m[2] = { { .msg_hdr = far_msg }, { .msg_hdr = far_msg } };

	return sendmmsg(socket(AF_INET, SOCK_DGRAM, 0), m, 2, 0);
}
static long do_fastopen(void) { return sendto(socket(AF_INET, SOCK_STREAM, 0), "word", 4, MSG_FASTOPEN, (void *)&far, sizeof far); }
static int ring_socket;
static void fill_connect(struct io_uring_sqe *s)
{
	s->opcode = IORING_OP_CONNECT;
	s->fd = ring_socket;
	s->addr = (uintptr_t)&far;
	s->off = sizeof far;
}
static void fill_sendmsg(struct io_uring_sqe *s) { s->opcode = IORING_OP_SENDMSG; s->fd = ring_socket; s->addr = (uintptr_t)&far_msg; s->len = 1; }
static void fill_socket(struct io_uring_sqe *s) { s->opcode = 45; s->fd = AF_INET6; s->off = SOCK_DGRAM; }
static long do_ring_connect(void) { ring_socket = socket(AF_INET, SOCK_STREAM, 0); return ring_one(fill_connect); }
static long do_ring_sendmsg(void) { ring_socket = socket(AF_INET, SOCK_DGRAM, 0); return ring_one(fill_sendmsg); }
static long do_ring_socket(void) { return ring_one(fill_socket); }
/* A server of datagrams answers whom it heard, and nobody else. */
static long answer(int port)
{
	struct sockaddr_in own = in4("127.0.0.1", port), from;
	socklen_t len = sizeof from;
	int server = socket(AF_INET, SOCK_DGRAM, 0), client = socket(AF_INET, SOCK_DGRAM, 0);
	char text[8];

	if (bind(server, (void *)&own, sizeof own) < 0 || connect(client, (void *)&own, sizeof own) < 0 || send(client, "ask", 3, 0) != 3 ||
	    recvfrom(server, text, sizeof text, 0, (void *)&from, &len) != 3)
		return -1;
	return sendto(server, "told", 4, 0, (void *)&from, len);
}
static long do_answer(void) { return answer(53); }

/* ---- Ports, sockets ---- */

static long take(int type, int port, bool wait)
{
	struct sockaddr_in a = in4("0.0.0.0", port);
	int s = socket(AF_INET, type, 0);

	if (bind(s, (void *)&a, sizeof a) < 0)
		return -1;
	return wait ? listen(s, 1) : 0;
}
static long do_bind(void) { return take(SOCK_STREAM, 99, false); }
static long do_bind_udp(void) { return take(SOCK_DGRAM, 99, false); }
static long do_bind6(void)
{
	struct sockaddr_in6 a = in6("::", 99);

	return bind(socket(AF_INET6, SOCK_STREAM, 0), (void *)&a, sizeof a);
}
static long do_bind_any(void) { return take(SOCK_DGRAM, 0, false); }
static long do_listen_unbound(void) { return listen(socket(AF_INET, SOCK_STREAM, 0), 1); }
static long do_listen_chosen(void) { return take(SOCK_STREAM, 0, true); }
static long do_listen_good(void) { return take(SOCK_STREAM, 80, true); }
static long do_socket(void) { return socket(AF_INET6, SOCK_DGRAM, 0); }
static long do_socketpair(void) { int s[2]; return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s); }
static long do_netlink(void) { return socket(AF_NETLINK, SOCK_RAW, 0); }

/* ---- Calls and their arguments ---- */

static long do_getcwd(void) { char b[64]; return syscall(SYS_getcwd, b, sizeof b); }
static long do_unknown(void) { return syscall(511); }
static void fill_mkdir(struct io_uring_sqe *s) { s->opcode = IORING_OP_MKDIRAT; s->fd = AT_FDCWD; s->addr = (uintptr_t)"/tmp/ring"; s->len = 0700; }
static long do_ring_call(void) { return ring_one(fill_mkdir); }
static long do_ioctl(void) { int n; return ioctl(0, FIONREAD, &n); }
static long do_fcntl(void) { return fcntl(1, F_GETFD); }
static long do_prctl(void) { return prctl(PR_GET_DUMPABLE); }
static long do_mmap(void) { return mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }
static long do_mmap_shared(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }
static long do_mprotect(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? -1 : mprotect(p, 4096, PROT_READ | PROT_EXEC);
}

/* ---- Always ---- */

static long do_execve(void) { char *none[] = { NULL }; return execve("/bin/sh", none, none); }
static long do_fork(void) { return syscall(SYS_fork); }
static long do_clone(void) { return syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }
static long do_setuid(void) { return setuid(0); }
static long do_setgroups(void) { return syscall(SYS_setresgid, 0, 0, 0); }
static long do_ptrace(void) { return ptrace(PTRACE_TRACEME, 0, 0, 0); }
static long do_mount(void) { return mount("none", "/tmp", "tmpfs", 0, NULL); }
static long do_bpf(void) { return syscall(SYS_bpf, 0, NULL, 0); }
static long do_module(void) { return syscall(SYS_init_module, "", 0, ""); }
static long do_write_exec(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0; }
static long do_probe_read(void) { return read(0, kernel_address(), 16); }
static long do_probe_stat(void) { return syscall(SYS_stat, kernel_address(), kernel_address()); }
static long do_probe_futex(void) { return syscall(SYS_futex, kernel_address(), 0, 0, NULL, NULL, 0); }
static long do_probe_iov(void) { struct iovec v = { kernel_address(), 8 }; return writev(1, &v, 1); }
static sigjmp_buf back;
static void on_fault(int n) { siglongjmp(back, 1); }
static long do_probe_touch(void)
{
	signal(SIGSEGV, on_fault);
	if (sigsetjmp(back, 1)) {
		errno = EFAULT;
		return -1;
	}
	return *(volatile char *)kernel_address();
}
__attribute__((noinline)) static void overflow(char *buf, size_t len)
{
	memset(buf, 'a', len);
}
__attribute__((noinline, optimize("stack-protector-all"))) static long do_smash(void)
{
	char buf[16];
	volatile size_t len = 64;

	overflow(buf, len);
	return buf[3];
}
static long do_flood(void)
{
	for (int i = 0; i < 500; i++)
		syscall(SYS_fork);
	sleep(2);
	return 0;
}


/* ---- Secrets: what a socket is given, from the text in /srv/key or the variable TOKEN ---- */

static char key[4096], large[300000];
static int pair[2];                          /* a TCP connection to ourselves */

static void *take_all(void *arg)
{
	static char sink[65536];

	while (read(*(int *)arg, sink, sizeof sink) > 0)
		;
	return NULL;
}
static void connected(void)
{
	struct sockaddr_in a = in4("127.0.0.1", 7000);
	int l = socket(AF_INET, SOCK_STREAM, 0), on = 1, f = open("/srv/key", O_RDONLY);
	static int taker;
	pthread_t t;

	(void)!read(f, key, sizeof key - 1);
	close(f);
	setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(l, (void *)&a, sizeof a) || listen(l, 1) || connect(pair[0] = socket(AF_INET, SOCK_STREAM, 0), (void *)&a, sizeof a))
		return;
	taker = pair[1] = accept(l, NULL, NULL);
	close(l);
	pthread_create(&t, NULL, take_all, &taker);
}
static long sent(const void *p, size_t n) { connected(); return write(pair[0], p, n); }
static long all(long n, size_t whole) { errno = EPIPE; return n == (long)whole ? 0 : -1; }
static long do_secret(void) { connected(); return write(pair[0], key, strlen(key)); }
static long do_secret_run(void) { connected(); memcpy(large + 77, key + 101, 23); return write(pair[0], large, 200); }
static long do_secret_short(void) { connected(); memcpy(large + 77, key + 97, 22); return all(write(pair[0], large, 200), 200); }
static long do_secret_pieces(void)
{
	struct iovec v[6];

	connected();
	for (int i = 0; i < 6; i++)
		v[i] = (struct iovec){ key + 40 + 7 * i, 7 };
	return writev(pair[0], v, 6);
}
/* Where the kernel looks at the next piece of a large write, and where its buffer ends. */
static long do_secret_seam(void)
{
	connected();
	memcpy(large + 262144 - 11, key + 101, 23);
	return write(pair[0], large, sizeof large);
}
static long do_secret_seam2(void) { connected(); memcpy(large + 512 - 11, key + 101, 23); return write(pair[0], large, 1000); }
static long do_secret_behind(void) { connected(); memcpy(large + 280000, key, 64); return all(write(pair[0], large, sizeof large), 262144); }
static long do_secret_large(void) { connected(); return all(write(pair[0], large, sizeof large), sizeof large); }
static long do_secret_udp(void) { connected(); return sendto(socket(AF_INET, SOCK_DGRAM, 0), key, 100, 0, (void *)&far, sizeof far); }
static long do_secret_unix(void)
{
	int s[2];

	connected();
	return socketpair(AF_UNIX, SOCK_STREAM, 0, s) ? -1 : all(write(s[0], key, 100), 100);
}
static long do_secret_sendfile(void) { connected(); return sendfile(pair[0], open("/srv/key", O_RDONLY), NULL, 400); }
static void fill_secret(struct io_uring_sqe *s) { s->opcode = IORING_OP_SEND; s->fd = pair[0]; s->addr = (uintptr_t)key; s->len = 100; }
static long do_secret_ring(void) { connected(); return ring_one(fill_secret); }
static long do_secret_variable(void)
{
	const char *token = getenv("TOKEN");

	return sent(token, strlen(token));
}

/* ---- Limits, faults ---- */

static long do_descriptors(void)
{
	while (dup(0) >= 0)
		;
	return -1;
}
static void *for_ever(void *arg) { pause(); return arg; }
static long do_threads(void)
{
	struct rlimit few = { 10, 10 };
	pthread_t t;
	int r = 0;

	setrlimit(RLIMIT_NPROC, &few);
	while (!r)
		r = pthread_create(&t, NULL, for_ever, NULL);
	errno = r;
	return -1;
}
static long do_memory(void)
{
	for (;;)
		memset(malloc(1 << 20), 1, 1 << 20);
}
static long do_fault(void) { return *(volatile int *)(uintptr_t)0x10008; }
static void run_there(void) { ((void (*)(void))(uintptr_t)large)(); }
static long do_wild(void) { run_there(); return 0; }
static sigjmp_buf back;
static void jump_back(int signo) { siglongjmp(back, signo); }
static long do_caught(void)
{
	signal(SIGSEGV, jump_back);
	if (!sigsetjmp(back, 1))
		run_there();
	signal(SIGSEGV, SIG_DFL);
	errno = EFAULT;
	return -1;
}

#define DO(name) { #name, do_##name }
static const struct {
	const char *name;
	long (*run)(void);
} things[] = {
	DO(open), DO(write), DO(absent), DO(absent_write), DO(absent_other), DO(openat), DO(openat2), DO(ring_open), DO(ring_openat2), DO(ring_worker), DO(symlink), DO(dots), DO(proc_root), DO(proc_fd),
	DO(dev_fd), DO(mmap_file), DO(create), DO(mkdir), DO(mkfifo), DO(tmpfile), DO(unlink), DO(rename), DO(moved), DO(link), DO(truncate), DO(unix), DO(memfd),
	DO(device), DO(connect), DO(connect_nonblock), DO(connect_any), DO(connect6), DO(connect_mapped), DO(connect_udp), DO(connect_udp6), DO(connect_good),
	DO(dissolve), DO(sendto), DO(sendto_unspec), DO(sendto6), DO(sendto_cross), DO(sendmsg), DO(sendmmsg), DO(fastopen), DO(ring_connect),
	DO(ring_sendmsg), DO(ring_socket), DO(answer), DO(bind), DO(bind_udp), DO(bind6), DO(bind_any), DO(listen_unbound), DO(listen_chosen), DO(listen_good),
	DO(socket), DO(socketpair), DO(netlink), DO(getcwd), DO(unknown), DO(ring_call), DO(ioctl), DO(fcntl), DO(prctl), DO(mmap), DO(mmap_shared),
	DO(mprotect), DO(execve), DO(fork), DO(clone), DO(setuid), DO(setgroups), DO(ptrace), DO(mount), DO(bpf), DO(module), DO(write_exec), DO(probe_read),
	DO(probe_stat), DO(probe_futex), DO(probe_iov), DO(probe_touch), DO(smash), DO(secret), DO(secret_run), DO(secret_short), DO(secret_pieces), DO(secret_seam), DO(secret_seam2), DO(secret_behind),
	DO(secret_large), DO(secret_udp), DO(secret_unix), DO(secret_sendfile), DO(secret_ring), DO(secret_variable), DO(descriptors), DO(threads),
	DO(memory), DO(fault), DO(wild), DO(caught), DO(flood),
};

int main(int argc, char **argv)
{
	far = in4("127.0.0.1", 9);
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof things / sizeof *things; k++)
			if (!strcmp(things[k].name, argv[i])) {
				errno = 0;
				long r = things[k].run();
				printf("%s: %s\n", argv[i], r >= 0 ? "ok" : strerrorname_np(errno));
				fflush(stdout);
			}
	return 0;
}
