/*
 * fdtable.c - the process's descriptors.
 *
 * Descriptors lie in chunks of 64; a directory points to the chunks, and where none was needed yet to an empty one. Directory and chunks only
 * grow: an old directory stays allocated when a larger one replaces it, so that a looker-up
 * without a lock never reads freed memory (the sum of the old ones is smaller than the newest).
 *
 * Lookup takes no lock: it reads the slot, counts a reference, and looks at the slot again: if the file is still there, the
 * table's own reference was too, so it is one; if not, it gives it back and starts over (file.c, invariants 1 and 2).
 *
 * Invariants:
 *  1. A bit in chunk->used is set from fd_reserve until the slot is closed.
 *  2. A slot is non-NULL only while its used bit is set; used and NULL = reserved.
 *  3. No free descriptor is below next_free.
 *  4. A bit in the directory's `full` is set exactly if all 64 bits of the chunk are used.
 *
 * Locks: table_lock (spinlock, leaf; allocation below it does not sleep). Files are put with
 * no lock held. What can fail: memory, the limit.
 */
#include "proc/file.h"
#include "proc/policy.h"
#include "proc/process.h"
#include "base/string.h"
#include "mm/heap.h"
#include "base/log.h"

#define CHUNK_BITS 6u
#define CHUNK      (1u << CHUNK_BITS)
#define FIRST_DIR  16u               /* chunks in the first directory: RLIMIT_NOFILE's default */

struct fd_chunk {
	struct file *slots[CHUNK];   /* written with T; read without */
	u64 used, cloexec;           /* T: table_lock */
};

static struct spinlock table_lock = SPINLOCK_INIT;
static struct heap_cache chunk_cache = HEAP_CACHE(fd_chunk);
static struct fd_chunk first_chunk;
static struct fd_chunk no_chunk;     /* nothing is ever put into it */
static struct fd_chunk *first_dir[FIRST_DIR] = { &first_chunk, [1 ... FIRST_DIR - 1] = &no_chunk };
static u64 first_full[1];
static struct fd_chunk **dir = first_dir;   /* T; read without, before ndir's growth is seen */
static u64 *full = first_full;              /* T */
static u32 ndir = FIRST_DIR;                /* T; read without (acquire) */
static u32 next_free;                       /* T */

static ALWAYS_INLINE bool in_directory(unsigned fd)
{
	return likely(fd >> CHUNK_BITS < __atomic_load_n(&ndir, __ATOMIC_ACQUIRE));
}

/* Of one that is in the directory. */
static ALWAYS_INLINE struct file **slot_at(unsigned fd)
{
	struct fd_chunk *c = __atomic_load_n(&__atomic_load_n(&dir, __ATOMIC_ACQUIRE)[fd >> CHUNK_BITS], __ATOMIC_ACQUIRE);

	return &c->slots[fd & (CHUNK - 1)];
}

static NOINLINE struct file **slot_of(unsigned fd)
{
	return in_directory(fd) ? slot_at(fd) : NULL;
}

/* The slot had f when its reference was counted, and then no more. */
static COLD NOINLINE struct file *lookup_again(int fd, struct file *f)
{
	struct file **slot = slot_at((unsigned)fd);

	do {
		file_put(f);
		f = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
		if (!f)
			break;
		__atomic_fetch_add(&f->refs, 1, __ATOMIC_SEQ_CST);
	} while (__atomic_load_n(slot, __ATOMIC_ACQUIRE) != f);
	return f;
}

static ALWAYS_INLINE struct file *lookup(int fd)
{
	struct file **slot, *f;

	if (unlikely(!in_directory((unsigned)fd)))
		return NULL;
	slot = slot_at((unsigned)fd);
	f = __atomic_load_n(slot, __ATOMIC_ACQUIRE);
	if (unlikely(!f))
		return NULL;
	__atomic_fetch_add(&f->refs, 1, __ATOMIC_SEQ_CST);
	return likely(__atomic_load_n(slot, __ATOMIC_ACQUIRE) == f) ? f : lookup_again(fd, f);
}

struct file *fd_lookup_any(int fd)
{
	return lookup(fd);
}

static COLD NOINLINE struct file *path_only(struct file *f)
{
	file_put(f);
	return NULL;
}

struct file *fd_lookup(int fd)
{
	struct file *f = lookup(fd);

	return unlikely(f && file_flags(f) & LX_O_PATH) ? path_only(f) : f;
}

/* ---- Growth ---- */

static COLD int dir_grow_locked(u32 want)
{
	u32 n = ndir;

	while (n <= want)
		n *= 2;
	struct fd_chunk **d = heap_alloc_array(n, sizeof(*d));
	u64 *bits = heap_alloc_array(DIV_ROUND_UP(n, 64), sizeof(*bits));
	if (!d || !bits) {
		heap_free(d);
		heap_free(bits);
		return -ENOMEM;
	}
	for (u32 i = 0; i < n; i++)
		d[i] = i < ndir ? dir[i] : &no_chunk;
	memcpy(bits, full, DIV_ROUND_UP(ndir, 64) * sizeof(*bits));
	if (full != first_full)
		heap_free(full);         /* read with the lock only */
	full = bits;
	__atomic_store_n(&dir, d, __ATOMIC_RELEASE);
	__atomic_store_n(&ndir, n, __ATOMIC_RELEASE);
	return 0;
}

static COLD int chunk_get_locked(u32 i, struct fd_chunk **ret)
{
	int r;

	if (i >= ndir && (r = dir_grow_locked(i)) < 0)
		return r;
	if (dir[i] == &no_chunk) {
		struct fd_chunk *c = heap_cache_alloc(&chunk_cache);
		if (!c)
			return -ENOMEM;
		__atomic_store_n(&dir[i], c, __ATOMIC_RELEASE);
	}
	*ret = dir[i];
	return 0;
}

static void mark_used_locked(struct fd_chunk *c, u32 fd, bool cloexec)
{
	u64 bit = 1ull << (fd & (CHUNK - 1));
	u32 i = fd >> CHUNK_BITS;

	c->used |= bit;
	c->cloexec = cloexec ? c->cloexec | bit : c->cloexec & ~bit;
	if (c->used == ~0ull)
		full[i / 64] |= 1ull << (i % 64);
}

static void mark_free_locked(struct fd_chunk *c, u32 fd)
{
	u64 bit = 1ull << (fd & (CHUNK - 1));
	u32 i = fd >> CHUNK_BITS;

	c->used &= ~bit;
	c->cloexec &= ~bit;
	full[i / 64] &= ~(1ull << (i % 64));
	if (fd < next_free)
		next_free = fd;
}

/* ---- Allocation ---- */

static u32 limit_now(void)
{
	u64 l = READ_ONCE(process_rlimits[RLIM_NOFILE].cur);

	return l < FD_MAX ? (u32)l : FD_MAX;
}

/* The lowest free descriptor >= from; it may lie beyond the directory. */
static u32 lowest_free_locked(u32 from)
{
	u32 i = from >> CHUNK_BITS;
	u64 below = (1ull << (from & (CHUNK - 1))) - 1;

	while (i < ndir) {
		if (full[i / 64] >> (i % 64) & 1) {
			u64 open = ~full[i / 64] >> (i % 64);
			i = open ? i + (u32)__builtin_ctzll(open) : (i / 64 + 1) * 64;
			below = 0;
			continue;
		}
		u64 free = ~(dir[i]->used | below);
		if (free)
			return (i << CHUNK_BITS) + (u32)__builtin_ctzll(free);
		below = 0;
		i++;
	}
	return MAX(i << CHUNK_BITS, from);
}

int fd_reserve(bool cloexec, int min)
{
	struct fd_chunk *c;
	u32 limit = limit_now(), from, fd;
	int r = -EMFILE;

	spin_lock(&table_lock);
	from = MAX((u32)min, next_free);
	fd = lowest_free_locked(from);
	if (fd < limit) {
		r = chunk_get_locked(fd >> CHUNK_BITS, &c);
		if (r == 0) {
			mark_used_locked(c, fd, cloexec);
			if (from == next_free)
				next_free = fd + 1;
			r = (int)fd;
		}
	}
	spin_unlock(&table_lock);
	if (unlikely(r == -EMFILE))
		policy_limit_tell(POLICY_DESCRIPTORS);
	return r;
}

NOINLINE void fd_fill(int fd, struct file *f)
{
	struct file **slot = slot_of((unsigned)fd);

	ASSERT(slot && !*slot);
	__atomic_store_n(slot, f, __ATOMIC_RELEASE);
}

COLD void fd_unreserve(int fd)
{
	spin_lock(&table_lock);
	mark_free_locked(dir[fd >> CHUNK_BITS], (u32)fd);
	spin_unlock(&table_lock);
}

int fd_install(struct file *f, bool cloexec, int min)
{
	int fd = fd_reserve(cloexec, min);

	if (fd >= 0)
		fd_fill(fd, f);
	return fd;
}

/* ---- Closing ---- */

/* Some descriptor of f is gone: release what belongs to the process and the table's reference. */
static void file_closed(struct file *f)
{
	if (f->ops->flush)
		f->ops->flush(f);
	file_put(f);
}

COLD int fd_install_at(struct file *f, int fd, bool cloexec)
{
	struct fd_chunk *c;
	struct file *old = NULL;
	int r;

	if (fd < 0 || (u32)fd >= limit_now())
		return -EBADF;
	spin_lock(&table_lock);
	r = chunk_get_locked((u32)fd >> CHUNK_BITS, &c);
	if (r == 0) {
		old = c->slots[fd & (CHUNK - 1)];
		if (!old && c->used >> (fd & (CHUNK - 1)) & 1)
			r = -EBUSY;
	}
	if (r == 0) {
		mark_used_locked(c, (u32)fd, cloexec);
		__atomic_store_n(&c->slots[fd & (CHUNK - 1)], f, __ATOMIC_RELEASE);
	}
	spin_unlock(&table_lock);
	if (r < 0)
		return r;
	if (old)
		file_closed(old);
	return fd;
}

static struct file *take_locked(u32 fd)
{
	struct file **slot = slot_of(fd), *f;

	if (!slot || !*slot)
		return NULL;
	f = *slot;
	__atomic_store_n(slot, NULL, __ATOMIC_RELEASE);
	mark_free_locked(dir[fd >> CHUNK_BITS], fd);
	return f;
}

int fd_close(int fd)
{
	spin_lock(&table_lock);
	struct file *f = take_locked((u32)fd);
	spin_unlock(&table_lock);
	if (!f)
		return -EBADF;
	file_closed(f);
	return 0;
}

COLD s64 fd_next_used(u64 from)
{
	for (u64 fd = from; fd < (u64)READ_ONCE(ndir) << CHUNK_BITS;) {
		struct fd_chunk *c = dir[fd >> CHUNK_BITS];
		u64 used = c->used >> (fd & (CHUNK - 1));
		if (!used) {
			fd = (fd | (CHUNK - 1)) + 1;
			continue;
		}
		fd += (u64)__builtin_ctzll(used);
		if (c->slots[fd & (CHUNK - 1)])
			return (s64)fd;
		fd++;
	}
	return -1;
}

COLD int fd_close_range(unsigned first, unsigned last, bool cloexec_only)
{
	for (s64 fd = fd_next_used(first); fd >= 0 && fd <= (s64)last; fd = fd_next_used((u64)fd + 1)) {
		if (cloexec_only)
			(void)fd_set_cloexec((int)fd, true);
		else
			(void)fd_close((int)fd);
	}
	return 0;
}

void fd_close_all(void)
{
	fd_close_range(0, ~0u, false);
}

COLD int fd_get_cloexec(int fd)
{
	struct file **slot;
	int r = -EBADF;

	spin_lock(&table_lock);
	slot = slot_of((unsigned)fd);
	if (slot && *slot)
		r = (int)(dir[fd >> CHUNK_BITS]->cloexec >> (fd & (CHUNK - 1)) & 1);
	spin_unlock(&table_lock);
	return r;
}

COLD int fd_set_cloexec(int fd, bool on)
{
	struct file **slot;
	u64 bit = 1ull << (fd & (CHUNK - 1));
	int r = -EBADF;

	spin_lock(&table_lock);
	slot = slot_of((unsigned)fd);
	if (slot && *slot) {
		struct fd_chunk *c = dir[fd >> CHUNK_BITS];
		c->cloexec = on ? c->cloexec | bit : c->cloexec & ~bit;
		r = 0;
	}
	spin_unlock(&table_lock);
	return r;
}
