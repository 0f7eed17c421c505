/*
 * virtqueue.c - split virtqueues (virtio 1.2, section 2.7), driver side.
 *
 *   desc[]   what the chains consist of; written here, read by the device
 *   avail    heads of chains that the device may take; written here
 *   used     heads of chains that the device is done with; written by the device, believed by nobody
 *
 * Invariants:
 *  1. Nothing that decides what this side touches is read from shared memory: the chains' lengths,
 *     links and tokens are in chains[], which the device cannot see.
 *  2. nfree + the ndesc of all chains in flight = size; ninflight counts the chains.
 *  3. avail_idx, used_idx, kicked_idx run freely (mod 2^16), as the ring's do.
 *
 * Ordering: a descriptor is written before the avail index (release); the used index is read
 * before the element (acquire); between writing our index or event and reading the other side's there
 * is a full fence, so that not both sides can miss the other's (the event index's two races).
 *
 * Locks: the caller's. Can fail: the device, see virtqueue_get.
 */
#include "dev/virtio.h"

#include "base/log.h"
#include "base/string.h"
#include "mm/heap.h"

static u16 *used_event(struct virtqueue *vq) { return &vq->avail->ring[vq->size]; }
static u16 *avail_event(struct virtqueue *vq) { return (u16 *)(void *)&vq->used->ring[vq->size]; }

COLD struct virtqueue *virtqueue_create(struct virtio_device *d, unsigned index, unsigned size)
{
	ASSERT(IS_POW2(size) && size <= VIRTQ_SIZE_MAX);
	size_t avail_off = size * sizeof(struct virtq_desc);
	size_t used_off = ROUND_UP(avail_off + sizeof(struct virtq_avail) + (size + 1) * sizeof(u16), 4);
	size_t len = used_off + sizeof(struct virtq_used) + size * sizeof(struct virtq_used_elem) + sizeof(u16);
	struct virtqueue *vq = heap_alloc(sizeof(*vq));
	u8 *ring = heap_alloc(len);
	struct virtq_chain *chains = heap_alloc_array(size, sizeof(*chains));

	if (!vq || !ring || !chains) {
		heap_free(chains);
		heap_free(ring);
		heap_free(vq);
		return NULL;
	}
	vq->dev = d;
	vq->index = (u16)index;
	vq->size = (u16)size;
	vq->desc = (struct virtq_desc *)(void *)ring;
	vq->avail = (struct virtq_avail *)(void *)(ring + avail_off);
	vq->used = (struct virtq_used *)(void *)(ring + used_off);
	vq->chains = chains;
	vq->nfree = (u16)size;
	for (unsigned i = 0; i < size; i++)
		chains[i].next = (u16)(i + 1);
	vq->event_idx = virtio_has(d, VIRTIO_F_EVENT_IDX);
	vq->irq_armed = true;
	virtqueue_irq_disable(vq);
	return vq;
}

void virtqueue_destroy(struct virtqueue *vq)
{
	if (!vq)
		return;
	heap_free(vq->chains);
	heap_free(vq->desc);
	heap_free(vq);
}

/* Take n descriptors off the free list as the chain that starts at the old free_head, and publish it. */
static inline void chain_publish(struct virtqueue *vq, u16 head, u16 after, unsigned n, u32 in_len, void *token)
{
	struct virtq_chain *c = &vq->chains[head];

	c->token = token;
	c->in_len = in_len;
	c->ndesc = (u16)n;
	vq->free_head = after;
	vq->nfree = (u16)(vq->nfree - n);
	vq->ninflight++;
	vq->avail->ring[vq->avail_idx & (vq->size - 1u)] = head;
	vq->avail_idx++;
	__atomic_store_n(&vq->avail->idx, vq->avail_idx, __ATOMIC_RELEASE);
}

int virtqueue_add(struct virtqueue *vq, const struct virtio_buf *bufs, unsigned nout, unsigned nin, void *token)
{
	unsigned n = nout + nin;
	u16 head = vq->free_head, at = head;
	u32 in_len = 0;

	if (unlikely(virtio_is_broken(vq->dev)))
		return -EIO;
	if (unlikely(n > vq->nfree))
		return n > vq->size ? -EINVAL : -EBUSY;
	ASSERT(n > 0 && token);
	for (unsigned i = 0;;) {     /* most have one buffer */
		struct virtq_desc *d = &vq->desc[at];
		u16 flags = 0;

		d->addr = bufs[i].pa;
		d->len = bufs[i].len;
		at = vq->chains[at].next;
		if (i >= nout) {
			flags = VIRTQ_DESC_WRITE;
			in_len += bufs[i].len;
		}
		d->flags = flags;
		if (likely(++i == n))
			break;
		d->flags = flags | VIRTQ_DESC_NEXT;
		d->next = at;
	}
	chain_publish(vq, head, at, n, in_len, token);
	return 0;
}

int virtqueue_add_one(struct virtqueue *vq, struct virtio_buf buf, bool in, void *token)
{
	u16 head = vq->free_head;

	if (unlikely(virtio_is_broken(vq->dev)))
		return -EIO;
	if (unlikely(!vq->nfree))
		return -EBUSY;
	struct virtq_desc *d = &vq->desc[head];

	d->addr = buf.pa;
	d->len = buf.len;
	d->flags = in ? VIRTQ_DESC_WRITE : 0;
	chain_publish(vq, head, vq->chains[head].next, 1, in ? buf.len : 0, token);
	return 0;
}

int virtqueue_add_indirect(struct virtqueue *vq, struct virtq_desc *table, const struct virtio_buf *bufs,
			   unsigned nout, unsigned nin, void *token)
{
	unsigned n = nout + nin;
	u16 head = vq->free_head;
	u32 in_len = 0;

	if (unlikely(virtio_is_broken(vq->dev)))
		return -EIO;
	if (unlikely(n > vq->size))          /* section 2.7.5.3.1: not longer than the queue */
		return -EINVAL;
	if (unlikely(vq->nfree == 0))
		return -EBUSY;
	ASSERT(n > 0 && token && virtio_has(vq->dev, VIRTIO_F_INDIRECT_DESC));
	for (unsigned i = 0; i < n; i++) {
		u16 flags = i + 1 < n ? VIRTQ_DESC_NEXT : 0;

		if (i >= nout) {
			flags |= VIRTQ_DESC_WRITE;
			in_len += bufs[i].len;
		}
		table[i] = (struct virtq_desc){ bufs[i].pa, bufs[i].len, flags, (u16)(i + 1) };
	}
	vq->desc[head] = (struct virtq_desc){ arch_virt_to_phys(table), n * (u32)sizeof(*table), VIRTQ_DESC_INDIRECT, 0 };
	chain_publish(vq, head, vq->chains[head].next, 1, in_len, token);
	return 0;
}

bool virtqueue_kick_prepare(struct virtqueue *vq)
{
	u16 now = vq->avail_idx, before = vq->kicked_idx;

	if (now == before || unlikely(virtio_is_broken(vq->dev)))
		return false;
	vq->kicked_idx = now;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (vq->event_idx) {
		u16 event = READ_ONCE(*avail_event(vq));

		if ((u16)(now - event - 1) >= (u16)(now - before))
			return false;
	} else if (READ_ONCE(vq->used->flags) & VIRTQ_USED_NO_NOTIFY) {
		return false;
	}
	return true;
}

void virtqueue_kick(struct virtqueue *vq)
{
	if (virtqueue_kick_prepare(vq))
		virtqueue_notify(vq);
}

static inline void *chain_free(struct virtqueue *vq, u16 head)
{
	struct virtq_chain *c = &vq->chains[head];
	void *token = c->token;
	u16 last = head;

	for (unsigned i = 1; i < c->ndesc; i++)
		last = vq->chains[last].next;
	vq->chains[last].next = vq->free_head;
	vq->free_head = head;
	vq->nfree = (u16)(vq->nfree + c->ndesc);
	vq->ninflight--;
	c->ndesc = 0;
	c->token = NULL;
	return token;
}

void *virtqueue_get(struct virtqueue *vq, u32 *ret_len)
{
	u16 ahead = (u16)(__atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE) - vq->used_idx);

	if (ahead == 0 || unlikely(virtio_is_broken(vq->dev)))
		return NULL;
	if (unlikely(ahead > vq->ninflight)) {
		virtio_break(vq->dev, "used index beyond what was made available");
		return NULL;
	}
	const struct virtq_used_elem *e = &vq->used->ring[vq->used_idx & (vq->size - 1u)];
	u32 id = READ_ONCE(e->id), len = READ_ONCE(e->len);

	if (unlikely(id >= vq->size || vq->chains[id].ndesc == 0)) {
		virtio_break(vq->dev, "used id is not in flight");
		return NULL;
	}
	if (unlikely(len > vq->chains[id].in_len)) {
		virtio_break(vq->dev, "used length beyond the buffer");
		return NULL;
	}
	vq->used_idx++;
	*ret_len = len;
	return chain_free(vq, (u16)id);
}

static bool irq_arm(struct virtqueue *vq, u16 event)
{
	/* Written even if irq_armed says that it is so: an interrupt handler may be disabling it on another CPU just now. */
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), event);
	else
		WRITE_ONCE(vq->avail->flags, 0);
	vq->irq_armed = true;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return (u16)(__atomic_load_n(&vq->used->idx, __ATOMIC_ACQUIRE) - event) - 1u < 0x7fffu;
}

bool virtqueue_irq_enable(struct virtqueue *vq)
{
	return irq_arm(vq, vq->used_idx);
}

bool virtqueue_irq_enable_delayed(struct virtqueue *vq)
{
	return irq_arm(vq, (u16)(vq->used_idx + vq->ninflight * 3u / 4u));
}

void virtqueue_irq_disable(struct virtqueue *vq)
{
	if (!vq->irq_armed)
		return;
	vq->irq_armed = false;
	/* Half the number circle away: no device gets there unless 2^15 chains pass, and then it does no harm. */
	if (vq->event_idx)
		WRITE_ONCE(*used_event(vq), (u16)(vq->used_idx + 0x7fff));
	else
		WRITE_ONCE(vq->avail->flags, VIRTQ_AVAIL_NO_INTERRUPT);
}

COLD void *virtqueue_detach(struct virtqueue *vq)
{
	if (vq->ninflight == 0)
		return NULL;
	for (unsigned i = 0; i < vq->size; i++)
		if (vq->chains[i].ndesc)
			return chain_free(vq, (u16)i);
	ASSERT(!"chains in flight are counted wrong");
	return NULL;
}
