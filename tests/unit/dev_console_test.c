/* dev_console_test.c - ports over the virtio console: order, back-pressure, the end of input, panics, and hosts that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "dev/port.h"
#include "drivers/virtio_console.h"
#include "fake_virtio.h"
#include "mm/heap.h"
#include "mm/page.h"
#include "sched/thread.h"

COUNTER_DECLARE(virtio_console_bad_control);

enum { CTL_RX = 2, CTL_TX = 3 };
static unsigned rx_of(unsigned port) { return 2 + 2 * port; }
static unsigned tx_of(unsigned port) { return 3 + 2 * port; }

static struct fake f;
static u64 pages_before;

static int plug(void **state)
{
	host_sched_start();
	pages_before = page_free_count();
	f = (struct fake){ .id = VIRTIO_ID_CONSOLE, .offers = VIRTIO_F_VERSION_1 | VIRTIO_F_EVENT_IDX | F_MULTIPORT };
	f.config[CFG_MAX_PORTS] = PITH_NPORTS;
	for (unsigned i = 0; i < 2 + 2 * PITH_NPORTS; i++)
		f.q[i].max = i == CTL_RX || i == CTL_TX ? 32 : 128;
	fake_add(&f);
	device_probe_all();
	assert_true(port_present());
	return 0;
}
static int unplug(void **state)
{
	device_remove(&f.dev);
	assert_false(port_present());
	host_idle_hook = NULL;
	assert_int_equal(page_free_count(), pages_before);
	return 0;
}

static void control(u32 id, u16 event, u16 value)
{
	struct control m = { id, event, value };
	struct fake_chain c;

	assert_true(fake_pop(&f, CTL_RX, &c));
	fake_scatter(&c, &m, sizeof(m));
	if (fake_push(&f, CTL_RX, &c, sizeof(m)))
		fake_irq(&f, CTL_RX);
}

static bool control_sent(struct control *m)
{
	struct fake_chain c;

	if (!fake_pop(&f, CTL_TX, &c))
		return false;
	assert_int_equal(fake_gather(&c, m, sizeof(*m)), sizeof(*m));
	fake_push(&f, CTL_TX, &c, 0);
	return true;
}

static void expect_control(u32 id, u16 event, u16 value)
{
	struct control m;

	assert_true(control_sent(&m));
	assert_int_equal(m.id, id);
	assert_int_equal(m.event, event);
	assert_int_equal(m.value, value);
}

/* Take all output of a port that is in the ring; how much. */
static size_t take(unsigned port, char *into, size_t size)
{
	struct fake_chain c;
	size_t n = 0;

	while (fake_pop(&f, tx_of(port), &c)) {
		n += fake_gather(&c, into + n, (u32)(size - n));
		if (fake_push(&f, tx_of(port), &c, 0))
			fake_irq(&f, tx_of(port));
	}
	return n;
}

static void give(unsigned port, const void *data, u32 len)
{
	struct fake_chain c;

	assert_true(fake_pop(&f, rx_of(port), &c));
	fake_scatter(&c, data, len);
	if (fake_push(&f, rx_of(port), &c, len))
		fake_irq(&f, rx_of(port));
}

static void handshake(void **state)
{
	struct control m;

	expect_control(0, CONTROL_DEVICE_READY, 1);
	for (unsigned p = 1; p < PITH_NPORTS; p++)
		control(p, CONTROL_PORT_ADD, 0);
	for (unsigned p = 1; p < PITH_NPORTS; p++) {
		expect_control(p, CONTROL_PORT_READY, 1);
		expect_control(p, CONTROL_PORT_OPEN, 1);
	}
	assert_false(control_sent(&m));
	control(1, CONTROL_PORT_NAME, 1);
	control(1, CONTROL_PORT_OPEN, 1);
	assert_false(control_sent(&m));
	control(0, CONTROL_PORT_ADD, 0);
	expect_control(0, CONTROL_PORT_READY, 0);
}

static void output(void **state)
{
	char got[64];

	/* Before any handshake. */
	assert_int_equal(port_write(PITH_PORT_STDOUT, "hello ", 6, false), 6);
	assert_int_equal(port_write(PITH_PORT_STDOUT, "world\n", 6, false), 6);
	assert_int_equal(port_write(PITH_PORT_STDERR, "oops\n", 5, false), 5);
	assert_int_equal(f.q[tx_of(PITH_PORT_STDOUT)].kicks, 1);
	assert_int_equal(take(PITH_PORT_STDOUT, got, sizeof(got)), 12);
	assert_memory_equal(got, "hello world\n", 12);
	assert_int_equal(take(PITH_PORT_STDERR, got, sizeof(got)), 5);
	assert_int_equal(port_poll(PITH_PORT_STDOUT, NULL) & POLL_OUT, POLL_OUT);
	/* No direction, no port. */
	assert_int_equal(port_write(PITH_PORT_STDIN, "x", 1, false), 1);
	assert_int_equal(port_write(77, "x", 1, false), 1);
}

static char sent[100000], seen[100000];
static size_t nseen;

static void writer(void *arg)
{
	assert_int_equal(port_write(PITH_PORT_STDOUT, sent, sizeof(sent), false), sizeof(sent));
	port_flush(PITH_PORT_STDOUT);
}

static void host_reads(void)
{
	nseen += take(PITH_PORT_STDOUT, seen + nseen, sizeof(seen) - nseen);
}

static void back_pressure(void **state)
{
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7 + i / 251);
	nseen = 0;
	host_idle_hook = host_reads;
	struct thread *t = thread_create("writer", writer, NULL);

	thread_start(t);
	thread_join(t);
	thread_put(t);
	assert_int_equal(nseen, sizeof(sent));
	assert_memory_equal(sent, seen, sizeof(sent));
	host_idle_hook = NULL;
	/* Without a reader: the ring fills, and polling says so until the host reads. */
	while (port_write_nowait(PITH_PORT_STDERR, sent, 1000) == 1000)
		;
	assert_int_equal(port_poll(PITH_PORT_STDERR, NULL) & POLL_OUT, 0);
	assert_int_equal(port_write_nowait(PITH_PORT_STDERR, sent, 1000), 0);
	assert_int_equal(take(PITH_PORT_STDERR, seen, sizeof(seen)), 4096);
	assert_int_equal(port_poll(PITH_PORT_STDERR, NULL) & POLL_OUT, POLL_OUT);
}

/* Many small writes: more than there are spans; every byte arrives, in order, whatever the order of completion. */
static void many_small(void **state)
{
	struct fake_chain c[8];
	unsigned port = PITH_PORT_STDERR, q = tx_of(port);
	size_t written = 0, got = 0;

	for (unsigned round = 0; round < 3000; round++) {
		for (unsigned i = 0; i < 20; i++) {
			char b = (char)written;

			written += port_write_nowait(port, &b, 1);
		}
		unsigned n = 0;

		while (n < 8 && fake_pop(&f, q, &c[n])) {
			for (unsigned k = 0; k < c[n].nout; k++)
				for (u32 j = 0; j < c[n].out[k].len; j++)
					assert_int_equal(c[n].out[k].p[j], (u8)got++);
			n++;
		}
		bool irq = false;

		while (n > 0)
			irq |= fake_push(&f, q, &c[--n], 0);
		if (irq)
			fake_irq(&f, q);
	}
	assert_in_range(got, 3000 * 20 - 4096, 3000 * 20);
}

static void input(void **state)
{
	char got[8000];

	assert_int_equal(port_read(PITH_PORT_STDIN, got, 10, true), -EAGAIN);
	assert_int_equal(port_poll(PITH_PORT_STDIN, NULL) & (POLL_IN | POLL_HUP), 0);
	give(PITH_PORT_STDIN, "first second", 12);
	give(PITH_PORT_STDIN, " third", 6);
	assert_int_equal(port_poll(PITH_PORT_STDIN, NULL) & (POLL_IN | POLL_HUP), POLL_IN);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 6, false), 6);
	assert_int_equal(fake_available(&f, rx_of(PITH_PORT_STDIN)), 0);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 100, false), 12);
	assert_memory_equal(got, "second third", 12);
	assert_int_equal(fake_available(&f, rx_of(PITH_PORT_STDIN)), 2);
}

/* The host closes with data still in the ring: data first, then the end. */
static void end_of_input(void **state)
{
	char got[100];

	control(1, CONTROL_PORT_ADD, 0);
	control(1, CONTROL_PORT_OPEN, 1);
	give(PITH_PORT_STDIN, "last words", 10);
	control(1, CONTROL_PORT_OPEN, 0);
	assert_int_equal(port_poll(PITH_PORT_STDIN, NULL) & (POLL_IN | POLL_HUP), POLL_IN);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 4, false), 4);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 100, false), 6);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 100, false), 0);
	assert_int_equal(port_poll(PITH_PORT_STDIN, NULL) & (POLL_IN | POLL_HUP), POLL_IN | POLL_HUP);
	control(1, CONTROL_PORT_OPEN, 1);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 100, true), -EAGAIN);
}

static ssize_t blocked_result;
static void blocked_writer(void *arg)
{
	blocked_result = port_write(PITH_PORT_STDERR, sent, sizeof(sent), false);
	port_flush(PITH_PORT_STDERR);
	if (port_write(PITH_PORT_STDERR, sent, sizeof(sent), false) != -EPIPE)
		blocked_result = -1;
}
static void host_closes_stderr(void)
{
	host_idle_hook = NULL;
	control(PITH_PORT_STDERR, CONTROL_PORT_OPEN, 0);
}

/* The host closes an output that it never read: who waits for it is told, and nobody waits again. */
static void reader_gone(void **state)
{
	struct thread *t = thread_create("writer", blocked_writer, NULL);

	host_idle_hook = host_closes_stderr;
	thread_start(t);
	thread_join(t);
	thread_put(t);
	assert_int_equal(blocked_result, 4096);
	assert_true(port_gone(PITH_PORT_STDERR));
	assert_false(port_gone(PITH_PORT_STDOUT));
	assert_int_equal(port_poll(PITH_PORT_STDERR, NULL) & (POLL_OUT | POLL_ERR), POLL_OUT | POLL_ERR);
}

static void no_such_port(void **state)
{
	char got[4];

	control(PITH_PORT_CTL, CONTROL_PORT_ADD, 0);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 4, true), -EAGAIN);
	control(PITH_PORT_CTL, CONTROL_PORT_OPEN, 1);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 4, true), 0);
	assert_int_equal(port_read(PITH_PORT_CTL, got, 4, true), -EAGAIN);
	assert_int_equal(port_read(PITH_PORT_STDOUT, got, 4, true), 0);
}

static ssize_t reader_got;
static char reader_buf[16];
static void reader(void *arg) { reader_got = port_read(PITH_PORT_CTL, reader_buf, sizeof(reader_buf), false); }
static void host_says_stop(void)
{
	host_idle_hook = NULL;
	give(PITH_PORT_CTL, "stop\n", 5);
}
static void host_closes(void)
{
	host_idle_hook = NULL;
	control(PITH_PORT_CTL, CONTROL_PORT_OPEN, 0);
}
static void host_breaks(void)
{
	host_idle_hook = NULL;
	fake_push_raw(&f, rx_of(PITH_PORT_STDIN), 1000, 0);
	char got[4];

	assert_int_equal(port_read(PITH_PORT_STDIN, got, 4, true), 0);
	fake_irq(&f, CTL_RX);
}
static void run_reader(void (*hook)(void))
{
	struct thread *t = thread_create("reader", reader, NULL);

	reader_got = -1;
	host_idle_hook = hook;
	thread_start(t);
	thread_join(t);
	thread_put(t);
}
static void sleeping_reader(void **state)
{
	run_reader(host_says_stop);
	assert_int_equal(reader_got, 5);
	assert_memory_equal(reader_buf, "stop\n", 5);
	run_reader(host_closes);
	assert_int_equal(reader_got, 0);
	control(PITH_PORT_CTL, CONTROL_PORT_OPEN, 1);
	run_reader(host_breaks);
	assert_int_equal(reader_got, 0);
	assert_int_equal(port_write(PITH_PORT_STDOUT, "into the void", 13, false), 13);
	port_flush(PITH_PORT_STDOUT);
}

static void log_lines(void **state)
{
	char got[256];
	size_t n;

	log_error("something %d\n", 42);
	n = take(PITH_PORT_LOG, got, sizeof(got));
	assert_in_range(n, 12, 100);
	assert_non_null(memmem(got, n, "something 42\n", 13));
	/* A host that does not read costs lines, not time. */
	for (unsigned i = 0; i < 1000; i++)
		log_error("line %u\n", i);
	assert_int_equal(take(PITH_PORT_LOG, seen, sizeof(seen)), 4096);
}

/* Without a free page every byte arrives all the same. */
static void no_memory(void **state)
{
	struct list pages = LIST_INIT(pages);
	struct page *p;
	size_t n = 0, got = 0;

	while ((p = page_alloc(0, 0)) != NULL)
		list_append(&pages, &p->link);
	while (n < 5000) {
		n += port_write_nowait(PITH_PORT_CTL, sent + n, MIN((size_t)700, 5000 - n));
		got += take(PITH_PORT_CTL, seen + got, sizeof(seen) - got);
	}
	got += take(PITH_PORT_CTL, seen + got, sizeof(seen) - got);
	assert_int_equal(got, 5000);
	assert_memory_equal(seen, sent, 5000);
	while (!list_empty(&pages))
		page_free(list_entry(list_pop(&pages), struct page, link), 0);
}

static void host_takes_on_kick(struct fake *fake, unsigned q)
{
	struct fake_chain c;

	while (fake_pop(fake, q, &c)) {
		nseen += fake_gather(&c, seen + nseen, (u32)(sizeof(seen) - nseen));
		fake_push(fake, q, &c, 0);
	}
}
static void panics(void **state)
{
	struct vcon *con = f.dev.driver_state;
	u64 t0;

	assert_int_equal(port_write_nowait(PITH_PORT_CTL, "before\n", 7), 7);
	nseen = 0;
	f.on_kick = host_takes_on_kick;
	host_takes_on_kick(&f, tx_of(PITH_PORT_CTL));
	port_write_panic(PITH_PORT_CTL, "panic here\n", 11);
	assert_int_equal(nseen, 18);
	assert_memory_equal(seen, "before\npanic here\n", 18);
	port_write_panic(PITH_PORT_CTL, sent, 20000);
	assert_int_equal(nseen, 20018);
	assert_memory_equal(seen + 18, sent, 20000);
	/* With the lock held by whoever panicked. */
	spin_lock(&con->ports[PITH_PORT_CTL].lock);
	port_write_panic(PITH_PORT_CTL, "again\n", 6);
	spin_unlock(&con->ports[PITH_PORT_CTL].lock);
	assert_int_equal(nseen, 20024);
	/* A host that takes nothing: it ends all the same. */
	f.on_kick = NULL;
	t0 = arch_clock_mono_ns();
	port_write_panic(PITH_PORT_CTL, "nobody\n", 7);
	port_drain(PITH_PORT_CTL);
	assert_in_range(arch_clock_mono_ns() - t0, NSEC_PER_SEC, 3 * NSEC_PER_SEC);
}

static void hostile_control(void **state)
{
	u64 bad = counter_read(virtio_console_bad_control);
	struct fake_chain c;

	control(0xffffffff, CONTROL_PORT_OPEN, 1);
	control(6, CONTROL_PORT_OPEN, 1);
	control(1, 99, 1);
	assert_true(fake_pop(&f, CTL_RX, &c));
	fake_push(&f, CTL_RX, &c, 3);
	fake_irq(&f, CTL_RX);
	assert_int_equal(counter_read(virtio_console_bad_control), bad + 4);
	/* Additions without end, and the answers never taken. */
	for (unsigned i = 0; i < 200; i++)
		control(i, CONTROL_PORT_ADD, 0);
	assert_false(virtio_is_broken(f.d));
	control(1, CONTROL_PORT_REMOVE, 0);
	char got[4];

	assert_int_equal(port_read(PITH_PORT_STDIN, got, 4, true), 0);
}

static void empty_inputs(void **state)
{
	struct fake_chain c;
	char got[10];

	for (unsigned i = 0; i < 100; i++) {
		assert_true(fake_pop(&f, rx_of(1), &c));
		fake_push(&f, rx_of(1), &c, 0);
		assert_int_equal(port_read(PITH_PORT_STDIN, got, 10, true), -EAGAIN);
	}
	give(1, "x", 1);
	assert_int_equal(port_read(PITH_PORT_STDIN, got, 10, true), 1);
}

static void probe_failures(void **state)
{
	for (unsigned nth = 1; nth < 40; nth++) {
		f = (struct fake){ .id = VIRTIO_ID_CONSOLE, .offers = VIRTIO_F_VERSION_1 | F_MULTIPORT };
		f.config[CFG_MAX_PORTS] = PITH_NPORTS;
		for (unsigned i = 0; i < FAKE_QUEUES; i++)
			f.q[i].max = 128;
		fake_add(&f);
		heap_fail_nth(nth);
		device_probe_all();
		heap_fail_nth(0);
		assert_int_equal(port_present(), f.dev.driver != NULL);
		if (!port_present())
			assert_int_equal(port_write(PITH_PORT_STDOUT, "x", 1, false), 1);
		device_remove(&f.dev);
	}
	f = (struct fake){ .id = VIRTIO_ID_CONSOLE, .offers = VIRTIO_F_VERSION_1 };
	fake_add(&f);
	device_probe_all();
	assert_null(f.dev.driver);
	device_remove(&f.dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CON(t) cmocka_unit_test_setup_teardown(t, plug, unplug)
		CON(handshake), CON(output), CON(back_pressure), CON(many_small), CON(input), CON(end_of_input), CON(reader_gone), CON(no_such_port),
		CON(sleeping_reader), CON(log_lines), CON(no_memory), CON(panics), CON(hostile_control), CON(empty_inputs),
		cmocka_unit_test(probe_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
