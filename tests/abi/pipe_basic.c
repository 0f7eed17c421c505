/* Pipes and fifos: capacity, blocking, packets, the ends, splice and tee. */
#include "abi.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

static char buf[1 << 17];

static int events(int fd)
{
	struct pollfd p = { fd, POLLIN | POLLOUT | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0 };

	poll(&p, 1, 0);
	return p.revents;
}

static long fill(int fd, size_t size)
{
	long total = 0, n;

	while ((n = write(fd, buf, size)) > 0)
		total += n;
	return total;
}

static void capacity(void)
{
	int p[2];

	CHECK("bad flag", pipe2(p, 1));
	CHECK("bad address", syscall(SYS_pipe, 8));
	pipe2(p, O_NONBLOCK);
	NOTE("empty", "%x %x", events(p[0]), events(p[1]));
	CHECK("read empty", read(p[0], buf, 1));
	CHECK("fill by 1", fill(p[1], 1));
	NOTE("full", "%x %x", events(p[0]), events(p[1]));
	CHECK("read one", read(p[0], buf, 1));
	NOTE("not a page free", "%x", events(p[1]));
	CHECK("write one", write(p[1], "x", 1));
	CHECK("read rest of the page", read(p[0], buf, 4095));
	NOTE("a page free", "%x", events(p[1]));
	CHECK("write over a page", write(p[1], buf, 5000));
	CHECK("drain", read(p[0], buf, sizeof(buf)));
	CHECK("fill by 3000", fill(p[1], 3000));
	CHECK("drain", read(p[0], buf, sizeof(buf)));
	CHECK("fill by 4096", fill(p[1], 4096));
	CHECK("drain", read(p[0], buf, sizeof(buf)));
	CHECK("write 100000", write(p[1], buf, 100000));
	CHECK("drain", read(p[0], buf, sizeof(buf)));
	CHECK("set size", fcntl(p[1], F_SETPIPE_SZ, 1 << 17));
	CHECK("fill by 4096", fill(p[1], 4096));
	CHECK("shrink when full", fcntl(p[1], F_SETPIPE_SZ, 4096));
	CHECK("drain", read(p[0], buf, sizeof(buf)));
	CHECK("shrink", fcntl(p[1], F_SETPIPE_SZ, 4096));
	CHECK("fill by 4096", fill(p[1], 4096));
}

static void ends(void)
{
	int p[2];

	signal(SIGPIPE, SIG_IGN);
	(void)!pipe(p);
	(void)!write(p[1], "abc", 3);
	close(p[1]);
	NOTE("data and no writer", "%x", events(p[0]));
	CHECK("read", read(p[0], buf, 10));
	NOTE("no writer", "%x", events(p[0]));
	CHECK("end", read(p[0], buf, 10));
	close(p[0]);
	(void)!pipe(p);
	close(p[0]);
	NOTE("no reader", "%x", events(p[1]));
	CHECK("EPIPE", write(p[1], "x", 1));
	close(p[1]);
}

static void packets(void)
{
	int p[2];

	pipe2(p, O_DIRECT | O_NONBLOCK);
	(void)!write(p[1], "first", 5);
	(void)!write(p[1], "second", 6);
	CHECK("first packet", read(p[0], buf, 100));
	CHECK("cut packet", read(p[0], buf, 3));
	CHECK("rest is gone", read(p[0], buf, 100));
	CHECK("large packet", write(p[1], buf, 5000));
	CHECK("first part", read(p[0], buf, 10000));
	CHECK("second part", read(p[0], buf, 10000));
	(void)!write(p[1], "abc", 3);
	CHECK("F_GETFL", fcntl(p[1], F_GETFL));
	fcntl(p[1], F_SETFL, O_NONBLOCK);
	(void)!write(p[1], "de", 2);
	CHECK("packet before stream", read(p[0], buf, 100));
	CHECK("stream", read(p[0], buf, 100));
}

static void *late_writer(void *arg)
{
	usleep(30000);
	(void)!write((int)(long)arg, "late", 4);
	return NULL;
}

static void *late_reader(void *arg)
{
	long total = 0, n;

	usleep(30000);
	while ((n = read((int)(long)arg, buf + 65536, 65536)) > 0)
		total += n;
	return (void *)total;
}

static void blocking(void)
{
	pthread_t t;
	void *got;
	int p[2];

	(void)!pipe(p);
	pthread_create(&t, NULL, late_writer, (void *)(long)p[1]);
	CHECK("blocking read", read(p[0], buf, 100));
	pthread_join(t, NULL);
	pthread_create(&t, NULL, late_reader, (void *)(long)p[0]);
	CHECK("blocking write", write(p[1], buf, 1 << 17));
	close(p[1]);
	pthread_join(t, &got);
	NOTE("all arrived", "%ld", (long)got);
}

static void *fifo_reader(void *arg)
{
	(void)arg;
	return (void *)(long)open("ff", O_RDONLY);
}

static void fifos(void)
{
	pthread_t t;
	void *r;
	int rd, wr;

	mkfifo("ff", 0600);
	CHECK("writer without reader", open("ff", O_WRONLY | O_NONBLOCK));
	rd = open("ff", O_RDONLY | O_NONBLOCK);
	NOTE("reader before any writer", "%x", events(rd));
	CHECK("read", read(rd, buf, 10));
	wr = open("ff", O_WRONLY | O_NONBLOCK);
	CHECK("write", write(wr, "fifo", 4));
	NOTE("data", "%x", events(rd));
	CHECK("read", read(rd, buf, 10));
	CHECK("read empty", read(rd, buf, 10));
	close(wr);
	NOTE("writer gone", "%x", events(rd));
	CHECK("read", read(rd, buf, 10));
	close(rd);
	wr = open("ff", O_RDWR);
	CHECK("read-write open", wr >= 0);
	CHECK("write", write(wr, "self", 4));
	CHECK("read back", read(wr, buf, 10));
	close(wr);
	pthread_create(&t, NULL, fifo_reader, NULL);
	wr = open("ff", O_WRONLY);
	pthread_join(t, &r);
	CHECK("both ends open", wr >= 0 && (long)r >= 0);
	(void)!write(wr, "x", 1);
	CHECK("through", read((int)(long)r, buf, 10));
	CHECK("lseek", lseek(wr, 0, SEEK_SET));
}

static void splices(void)
{
	int p[2], q[2], f = open("sp", O_RDWR | O_CREAT | O_TRUNC, 0600), g = open("sp2", O_RDWR | O_CREAT | O_TRUNC, 0600);
	off_t off = 3;
	loff_t loff = 0;

	(void)!pipe2(p, O_NONBLOCK);
	(void)!pipe2(q, O_NONBLOCK);
	(void)!write(f, "0123456789", 10);
	CHECK("sendfile", sendfile(g, f, &off, 4));
	NOTE("offset", "%ld", (long)off);
	lseek(f, 0, SEEK_SET);
	CHECK("sendfile at position", sendfile(g, f, NULL, 100));
	CHECK("position", lseek(f, 0, SEEK_CUR));
	CHECK("sendfile at end", sendfile(g, f, NULL, 100));
	CHECK("result", pread(g, buf, 100, 0));
	NOTE("bytes", "%.14s", buf);
	CHECK("sendfile to pipe", (off = 0, sendfile(p[1], f, &off, 5)));
	CHECK("sendfile closed", sendfile(99, f, NULL, 5));
	CHECK("sendfile negative offset", (off = -1, sendfile(p[1], f, &off, 5)));
	CHECK("sendfile to read-only", sendfile(open("sp", O_RDONLY), f, NULL, 5));
	CHECK("splice file to pipe", (loff = 5, splice(f, &loff, p[1], NULL, 5, 0)));
	NOTE("offset", "%ld", (long)loff);
	CHECK("tee", tee(p[0], q[1], 100, 0));
	CHECK("tee copy", read(q[0], buf, 100));
	NOTE("bytes", "%.10s", buf);
	CHECK("splice pipe to pipe", splice(p[0], NULL, q[1], NULL, 7, 0));
	CHECK("moved", read(q[0], buf, 100));
	CHECK("splice pipe to file", splice(p[0], NULL, g, NULL, 100, 0));
	CHECK("splice empty", splice(p[0], NULL, g, NULL, 100, 0));
	CHECK("splice file to file", splice(f, NULL, g, NULL, 100, 0));
	CHECK("splice same pipe", splice(p[0], NULL, p[1], NULL, 100, 0));
	CHECK("splice pipe offset", splice(p[0], &loff, g, NULL, 100, 0));
	CHECK("splice bad flag", splice(p[0], NULL, g, NULL, 100, 0x100));
	CHECK("tee file", tee(f, p[1], 100, 0));
	loff_t a = 0, b = 20;
	CHECK("copy_file_range", copy_file_range(f, &a, g, &b, 10, 0));
	NOTE("offsets", "%ld %ld", (long)a, (long)b);
	CHECK("copy_file_range overlap", (a = 0, b = 5, copy_file_range(f, &a, f, &b, 10, 0)));
	CHECK("copy_file_range flags", copy_file_range(f, NULL, g, NULL, 10, 1));
	CHECK("copy_file_range pipe", copy_file_range(p[0], NULL, g, NULL, 10, 0));
	int h = open("sp3", O_RDWR | O_CREAT | O_TRUNC, 0600);
	(void)!write(h, "abcdef", 6);
	CHECK("sendfile to itself", (lseek(h, 0, SEEK_SET), sendfile(h, h, &(off_t){ 0 }, 3)));
	CHECK("result", pread(h, buf, 100, 0));
	NOTE("bytes", "%.6s", buf);
	CHECK("copy_file_range to itself", (lseek(h, 0, SEEK_SET), copy_file_range(h, NULL, h, NULL, 3, 0)));
	CHECK("splice to itself through a pipe", (a = 0, splice(h, &a, p[1], NULL, 3, 0) + splice(p[0], NULL, h, NULL, 3, 0)));
	CHECK("copy_file_range beyond", (a = 100, copy_file_range(f, &a, g, NULL, 10, 0)));
}

int main(void)
{
	capacity();
	ends();
	packets();
	blocking();
	fifos();
	splices();
	return 0;
}
