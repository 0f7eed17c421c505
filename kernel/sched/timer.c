/*
 * timer.c - one-shot timers: a red-black tree for each CPU, one hardware deadline for all of them.
 *
 * The hardware is programmed only when a deadline comes earlier than what it holds; cancelling does
 * not touch it (an early interrupt finds nothing due and programs the next one). So a time-out that
 * is armed and cancelled for each request costs no access to the device.
 *
 * Locks: base lock (irq-safe). A callback runs with no lock held; base.running names it meanwhile,
 * and timer_cancel waits for it.
 */
#include "sched/sched_internal.h"
#include "base/log.h"

struct timer_base timer_bases[ARCH_MAX_CPUS];

static void program(struct run_queue *rq, u64 deadline_ns)
{
	if (timer_is_due_by(rq, deadline_ns))
		return;
	if (deadline_ns == UINT64_MAX)
		return;
	rq->programmed_ns = MAX(deadline_ns, (u64)1);   /* programs give 0 too: the interrupt is on its way, and must not be put off */
	arch_timer_arm(deadline_ns);
}

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
	*t = (struct timer){ .fire = fire };
}

static void insert_locked(struct timer_base *b, struct timer *t)
{
	struct rb_node **link = &b->tree.node, *parent = NULL;
	while (*link) {
		parent = *link;
		link = t->deadline_ns < rb_entry(parent, struct timer, node)->deadline_ns ? &parent->left : &parent->right;
	}
	rb_insert(&b->tree, &t->node, parent, link);
	t->armed = true;
}

/* Lock the base that t is (or was last) on. */
static struct timer_base *base_lock(struct timer *t)
{
	for (;;) {
		u32 cpu = READ_ONCE(t->cpu);
		spin_lock(&timer_bases[cpu].lock);
		if (t->cpu == cpu)
			return &timer_bases[cpu];
		spin_unlock(&timer_bases[cpu].lock);
	}
}

void timer_arm(struct timer *t, u64 deadline_ns)
{
	irq_flags_t f = arch_irq_save();
	unsigned cpu = arch_cpu_id();
	struct timer_base *b = base_lock(t);

	if (t->armed) {
		rb_erase(&b->tree, &t->node);
		t->armed = false;
	}
	if (b != &timer_bases[cpu]) {
		t->cpu = cpu;
		spin_unlock(&b->lock);
		b = base_lock(t);
	}
	t->deadline_ns = deadline_ns;
	insert_locked(b, t);
	spin_unlock(&b->lock);
	program(this_queue(), deadline_ns);
	arch_irq_restore(f);
}

bool timer_cancel(struct timer *t)
{
	for (;;) {
		irq_flags_t f = arch_irq_save();
		struct timer_base *b = base_lock(t);
		bool was = t->armed, running = b->running == t;
		if (was) {
			rb_erase(&b->tree, &t->node);
			t->armed = false;
		}
		spin_unlock(&b->lock);
		arch_irq_restore(f);
		if (was || !running)
			return was;
		arch_cpu_relax();
	}
}

u64 timer_run_due(u64 now_ns)
{
	struct timer_base *b = &timer_bases[arch_cpu_id()];
	struct rb_node *n;

	spin_lock(&b->lock);
	while ((n = rb_first(&b->tree))) {
		struct timer *t = rb_entry(n, struct timer, node);
		if (t->deadline_ns > now_ns)
			break;
		rb_erase(&b->tree, n);
		t->armed = false;
		b->running = t;
		spin_unlock(&b->lock);
		t->fire(t);
		spin_lock(&b->lock);
		b->running = NULL;
	}
	u64 next = n ? rb_entry(n, struct timer, node)->deadline_ns : UINT64_MAX;
	spin_unlock(&b->lock);
	return next;
}

void timer_want(u64 deadline_ns)
{
	irq_flags_t f = arch_irq_save();
	program(this_queue(), deadline_ns);
	arch_irq_restore(f);
}

void timer_reprogram(u64 deadline_ns)
{
	struct run_queue *rq = this_queue();
	rq->programmed_ns = 0;
	program(rq, deadline_ns);
}
