/*
 * tmpfs_file.c - regular files of the memory file system, memory files (memfd).
 *
 * The contents are the pages of the file's object; what has no page is what the file began with in the
 * root (below lower_size, (W2) in tmpfs_lower.c) or a hole that reads as zeros. Pages come by writes (here)
 * and by faults of shared mappings (read_pages).
 *
 * Counting: a page is charged to the mount before it is made. `charged` of a file is what it has
 * in used_pages, `pending` the part whose pages may not be in the object yet; whatever charged
 * has beyond pending and the object's pages is given back (tmpfs_settle). So pages that were
 * dropped, or that a fault and a write both charged, come back at the next settling.
 *
 * Locks: vnode->lock exclusively for writes, truncation and fallocate (fs/ takes it); readers and
 * faults take none. tmpfs.lock for counts.
 * What can fail: -ENOSPC (the limit), -ENOMEM, -EPERM (seals), -EFBIG.
 */
#include "fs/tmpfs.h"
#include "base/link.h"
#include "sched/thread.h"

/* ---- Counting ---- */

static void tmpfs_settle_locked(struct tmpfs *t, struct tmpfs_inode *i, u64 arrived)
{
	u64 have = READ_ONCE(i->obj->npages);
	i->pending -= arrived;
	if (i->charged > i->pending + have) {
		u64 excess = i->charged - i->pending - have;
		i->charged -= excess;
		t->used_pages -= excess;
	}
}

/* `arrived` of the pending pages are in the object now, or will not come. */
static void tmpfs_settle(struct tmpfs_inode *i, u64 arrived)
{
	struct tmpfs *t = tmpfs_of(&i->v);
	spin_lock(&t->lock);
	tmpfs_settle_locked(t, i, arrived);
	spin_unlock(&t->lock);
}

static int tmpfs_charge(struct tmpfs_inode *i, u64 n)
{
	struct tmpfs *t = tmpfs_of(&i->v);
	int r = -ENOSPC;
	spin_lock(&t->lock);
	if (t->max_pages && t->used_pages + n > t->max_pages)
		tmpfs_settle_locked(t, i, 0);
	if (!t->max_pages || (n <= t->max_pages && t->used_pages <= t->max_pages - n)) {
		t->used_pages += n;
		i->charged += n;
		i->pending += n;
		r = 0;
	}
	spin_unlock(&t->lock);
	return r;
}

int tmpfs_pages_take(struct tmpfs *t, u64 n)
{
	spin_lock(&t->lock);
	bool fits = !t->max_pages || t->used_pages + n <= t->max_pages;
	t->used_pages += fits ? n : 0;
	spin_unlock(&t->lock);
	return fits ? 0 : -ENOSPC;
}

void tmpfs_pages_give(struct tmpfs *t, u64 n)
{
	spin_lock(&t->lock);
	t->used_pages -= n;
	spin_unlock(&t->lock);
}

/* ---- The object ---- */

static COLD int tmpfs_read_pages(struct vm_object *o, struct page **pages, unsigned npages)
{
	struct tmpfs_inode *i = &container_of(o, struct tmpfs_file, obj)->i;
	int r = tmpfs_charge(i, npages);
	if (r)
		return r;
	for (unsigned k = 0; k < npages && !r; k++)
		r = tmpfs_lower_fill(i, pages[k]);
	tmpfs_settle(i, npages);
	return r;
}

/* Where a file has no page are still the root's bytes, or zeros: the page that the end of lower_size lies in is lower's last one, or there. */
static int tmpfs_read_absent(struct vm_object *o, u64 index, struct page **ret_page)
{
	struct tmpfs_inode *i = &container_of(o, struct tmpfs_file, obj)->i;
	return index * PAGE_SIZE < READ_ONCE(i->lower_size) ? tmpfs_lower_page(i, index, ret_page) : 0;
}

static u64 tmpfs_object_size(struct vm_object *o)
{
	return READ_ONCE(container_of(o, struct tmpfs_file, obj)->i.v.size);
}

static void tmpfs_object_release(struct vm_object *o)
{
	heap_free(container_of(o, struct tmpfs_file, obj));
}

static const struct vm_object_ops tmpfs_object_ops = {
	.read_pages = tmpfs_read_pages, .read_absent = tmpfs_read_absent, .size = tmpfs_object_size, .release = tmpfs_object_release,
};

void tmpfs_file_init(struct tmpfs_file *f)
{
	vm_object_init(&f->obj, &tmpfs_object_ops);
	f->i.obj = &f->obj;
	f->i.v.object = &f->obj;
	f->i.v.changes = 1;
	f->i.seals = LX_F_SEAL_SEAL;
}

/* The vnode is gone: give the pages back; the memory of the inode goes with the object. */
void tmpfs_file_release(struct tmpfs_inode *i)
{
	vm_object_drop(i->obj, 0, UINT64_MAX);
	tmpfs_settle(i, 0);
	vm_object_put(i->obj);
}

/* The page at index with a reference, made if it is absent. */
static int tmpfs_page(struct tmpfs_inode *i, u64 index, struct page **ret)
{
	*ret = vm_object_lookup(i->obj, index);
	if (likely(*ret != NULL))
		return 0;
	if (unlikely(index * PAGE_SIZE < i->lower_size))
		return vm_object_get_page(i->obj, index, ret);       /* charged by read_pages */
	int r = tmpfs_charge(i, 1);
	if (r)
		return r;
	r = vm_object_grab_page(i->obj, index, ret);
	tmpfs_settle(i, 1);
	return r;
}

/* Zero what is there of [from, to), which lies in one page. Cannot fail where from is not below lower_size. */
static COLD int tmpfs_zero_part(struct tmpfs_inode *i, u64 from, u64 to)
{
	struct page *p = NULL;
	int r = 0;
	if (from < to && from < i->lower_size)
		r = tmpfs_page(i, from / PAGE_SIZE, &p);
	else if (from < to)
		p = vm_object_lookup(i->obj, from / PAGE_SIZE);
	if (!p)
		return r;
	memset((char *)page_to_virt(p) + from % PAGE_SIZE, 0, (size_t)(to - from));
	page_put(p);
	return 0;
}

/* The size grows: what a mapping wrote beyond the old end must not show. */
static COLD void tmpfs_extend(struct tmpfs_inode *i, u64 size)
{
	u64 old = i->v.size;
	if (old % PAGE_SIZE)
		tmpfs_zero_part(i, old, MIN(ROUND_UP(old, PAGE_SIZE), size));
	WRITE_ONCE(i->v.size, size);
}

/* ---- Reading and writing ---- */

static bool time_after(const struct timespec64 *a, const struct timespec64 *b)
{
	return a->sec > b->sec || (a->sec == b->sec && a->nsec > b->nsec);
}

static void tmpfs_accessed(struct tmpfs_inode *i)
{
	/* relatime: only if it was changed since the last access. Until the next change nobody needs to look again. */
	u32 seen = __atomic_load_n(&i->v.changes, __ATOMIC_ACQUIRE);
	if (time_after(&i->atime, &i->mtime) && time_after(&i->atime, &i->ctime)) {
		WRITE_ONCE(i->v.read_noted, seen);
		return;
	}
	struct timespec64 now;
	fs_now(&now);
	i->atime = now;
}

static ssize_t tmpfs_read(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	ssize_t n = vm_object_read(v->object, u, off, READ_ONCE(v->size));
	tmpfs_accessed(tmpfs_inode(v));
	return n;
}

/* What a write has for a page that the file lacks, len bytes. All of a page is filled first and then shown, and need not be cleared. Bytes moved or errno. */
static NOINLINE ssize_t tmpfs_write_absent(struct tmpfs_inode *i, struct uio *u, u64 off, size_t len)
{
	size_t rest = u->resid - PAGE_SIZE;
	if (len < PAGE_SIZE || off < i->lower_size) {
		struct page *p;
		int r = tmpfs_page(i, off / PAGE_SIZE, &p);
		if (r)
			return r;
		len = uio_get(u, (char *)page_to_virt(p) + off % PAGE_SIZE, len);
		page_put(p);
		return (ssize_t)len;
	}
	ssize_t n = tmpfs_charge(i, 1);
	if (n)
		return n;
	u->resid = PAGE_SIZE;
	n = vm_object_write(i->obj, u, off);
	u->resid += rest;
	tmpfs_settle(i, 1);
	return n;
}

static ssize_t tmpfs_write(struct vnode *v, struct uio *u, u64 off, bool nonblock)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	size_t done = 0;
	ssize_t n = 0;
	if (i->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (i->seals & LX_F_SEAL_GROW && off + u->resid > v->size)
		return -EPERM;
	tmpfs_drop_ids(i);
	if (off > v->size && v->size % PAGE_SIZE)
		tmpfs_zero_part(i, v->size, MIN(ROUND_UP(v->size, PAGE_SIZE), off));
	while (u->resid) {
		size_t at = off % PAGE_SIZE, len = MIN(PAGE_SIZE - at, u->resid);
		struct page *p = vm_object_lookup(i->obj, off / PAGE_SIZE);
		if (likely(p != NULL)) {
			n = (ssize_t)uio_get(u, (char *)page_to_virt(p) + at, len);
			page_put_here(p);
		} else {
			n = tmpfs_write_absent(i, u, off, len);
			if (n < 0)
				break;
		}
		done += (size_t)n;
		off += (size_t)n;
		if ((size_t)n < len)
			break;
		if (u->resid)
			sched_poll();
	}
	if (done) {
		if (off > v->size)
			WRITE_ONCE(v->size, off);
		fs_now(&i->mtime);
		i->ctime = i->mtime;
		tmpfs_times_changed(i);
	}
	return done || n >= 0 ? uio_result(u, done) : n;
}

/* ---- Size and space ---- */

COLD int tmpfs_truncate(struct tmpfs_inode *i, u64 size)
{
	u64 old = i->v.size;
	if (size < old && i->seals & LX_F_SEAL_SHRINK)
		return -EPERM;
	if (size > old && i->seals & LX_F_SEAL_GROW)
		return -EPERM;
	if (size > old) {
		tmpfs_extend(i, size);
		return 0;
	}
	if (size < i->lower_size && size % PAGE_SIZE) {
		/* The last page becomes the file's own, so that no fault brings back what is cut off. */
		struct page *p;
		int r = tmpfs_page(i, size / PAGE_SIZE, &p);
		if (r)
			return r;
		page_put(p);
	}
	WRITE_ONCE(i->v.size, size);
	WRITE_ONCE(i->lower_size, MIN(i->lower_size, size));
	vm_object_truncate(i->obj, DIV_ROUND_UP(size, PAGE_SIZE));
	if (size % PAGE_SIZE)
		tmpfs_zero_part(i, size, ROUND_UP(size, PAGE_SIZE));
	tmpfs_settle(i, 0);
	return 0;
}

static COLD int tmpfs_punch(struct tmpfs_inode *i, u64 off, u64 end)
{
	u64 first = ROUND_UP(off, PAGE_SIZE), last = ROUND_DOWN(end, PAGE_SIZE), drop = first;
	if (first > last)                    /* inside one page */
		return tmpfs_zero_part(i, off, end);
	int r = tmpfs_zero_part(i, off, first);
	if (!r)
		r = tmpfs_zero_part(i, last, end);
	/* Where the root's bytes would show again, zeros are written. */
	while (!r && drop < last && drop < i->lower_size) {
		r = tmpfs_zero_part(i, drop, drop + PAGE_SIZE);
		drop += PAGE_SIZE;
		sched_poll();
	}
	if (!r && drop < last)
		vm_object_drop(i->obj, drop / PAGE_SIZE, last / PAGE_SIZE - 1);
	tmpfs_settle(i, 0);
	return r;
}

/* Make all pages of [off, end). All are charged before the first is made: no half-filled range for want of space. */
static COLD int tmpfs_allocate(struct tmpfs_inode *i, u64 off, u64 end)
{
	u64 first = off / PAGE_SIZE, last = (end - 1) / PAGE_SIZE, absent = 0;
	struct page *p;
	int r = 0;
	if (last - first >= page_total_count())
		return -ENOSPC;
	for (u64 k = first; k <= last; k++) {
		p = vm_object_lookup(i->obj, k);
		if (p)
			page_put(p);
		absent += !p && k * PAGE_SIZE >= i->lower_size;
		sched_poll();
	}
	/* What cannot be had at all is refused at once, instead of taking the last page from the program. */
	u64 spare = page_total_count() / 64, had = page_free_count() + page_kind_count(PAGE_KIND_FILE);
	r = absent && absent + spare > had ? -ENOSPC : tmpfs_charge(i, absent);
	bool charged = !r;
	for (u64 k = first; !r && k <= last; k++) {
		/* The root's are charged one by one (read_pages). */
		r = k * PAGE_SIZE < i->lower_size ? vm_object_get_page(i->obj, k, &p) : vm_object_grab_page(i->obj, k, &p);
		if (!r)
			page_put(p);
		sched_poll();
	}
	if (charged)
		tmpfs_settle(i, absent);
	return r;
}

COLD int tmpfs_fallocate(struct vnode *v, u32 mode, u64 off, u64 len)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	u64 end = off + len;
	int r = 0;
	if (i->seals & (LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE) && mode & (LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE))
		return -EPERM;
	if (i->seals & LX_F_SEAL_GROW && end > v->size && !(mode & LX_FALLOC_KEEP_SIZE))
		return -EPERM;
	tmpfs_drop_ids(i);
	if (mode & (LX_FALLOC_PUNCH_HOLE | LX_FALLOC_ZERO_RANGE))
		r = tmpfs_punch(i, off, end);
	if (!r && !(mode & LX_FALLOC_PUNCH_HOLE))
		r = tmpfs_allocate(i, off, end);
	if (!r && !(mode & LX_FALLOC_KEEP_SIZE) && end > v->size)
		tmpfs_extend(i, end);
	fs_now(&i->ctime);
	if (!r)
		i->mtime = i->ctime;
	tmpfs_times_changed(i);
	return r;
}

/* Data: what has a page, and what the root's file still shows. Holes are whole pages; the end of the file is one. */
COLD s64 tmpfs_seek(struct vnode *v, u64 off, bool hole)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	u64 size = READ_ONCE(v->size), lower = MIN(READ_ONCE(i->lower_size), size), at = off / PAGE_SIZE;
	bool found;

	if (off < lower) {
		if (!hole)
			return (s64)off;
		off = lower;
		at = DIV_ROUND_UP(lower, PAGE_SIZE);
	}
	if (!hole) {
		found = vm_object_next(i->obj, &at);
		u64 to = MAX(off, at * PAGE_SIZE);
		return found && to < size ? (s64)to : -ENXIO;
	}
	for (u64 next = at; next * PAGE_SIZE < size; next = ++at) {
		if (!vm_object_next(i->obj, &next) || next != at)
			break;
		sched_poll();
	}
	off = MAX(off, at * PAGE_SIZE);
	return (s64)MIN(size, off);
}

/* As long as nothing of it was changed a private mapping shows the root's pages, which need not be copied. */
static COLD int tmpfs_mmap_object(struct vnode *v, bool shared, struct vm_object **ret)
{
	struct tmpfs_inode *i = tmpfs_inode(v);
	bool unchanged = i->lower && !shared && READ_ONCE(i->lower_size) == i->lower->size && READ_ONCE(v->size) == i->lower->size &&
			 !READ_ONCE(i->obj->npages);
	*ret = unchanged ? i->lower->object : i->obj;
	vm_object_get(*ret);
	return 0;
}

LINK_SLOT_OF(tmpfs_fallocate);
LINK_SLOT_OF(tmpfs_seek);
LINK_SLOT_OF(tmpfs_getxattr);
LINK_SLOT_OF(tmpfs_setxattr);
LINK_SLOT_OF(tmpfs_listxattr);
const struct vnode_ops tmpfs_file_ops = {
	.mmap_object = tmpfs_mmap_object,
	.read = tmpfs_read, .write = tmpfs_write, .fallocate = LINK_SLOT(tmpfs_fallocate),
	.getattr = tmpfs_getattr, .setattr = tmpfs_setattr, .release = tmpfs_release,
	.getxattr = LINK_SLOT(tmpfs_getxattr), .setxattr = LINK_SLOT(tmpfs_setxattr), .listxattr = LINK_SLOT(tmpfs_listxattr),
	.seek = LINK_SLOT(tmpfs_seek),
};

bool tmpfs_file_in_memory(struct vnode *v)
{
	return v->ops == &tmpfs_file_ops && !READ_ONCE(tmpfs_inode(v)->lower_size);
}

/* ---- Memory files ---- */

COLD int fs_new_memfile(const char *name, struct vnode **ret)
{
	static struct tmpfs *memfiles;
	char text[FS_NAME_MAX + 1];
	if (!memfiles) {
		struct tmpfs *t;
		int r = tmpfs_new("tmpfs", 0, 0777, &t);
		if (r)
			return r;
		struct tmpfs *none = NULL;
		if (!__atomic_compare_exchange_n(&memfiles, &none, t, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
			vnode_put(t->m.root);
			heap_free(t);
		}
	}
	int n = fmt_buf(text, sizeof text, "memfd:%s", name);
	if (n < 0 || (size_t)n >= sizeof text)
		return -EINVAL;
	struct tmpfs_inode *i = tmpfs_inode_new(memfiles, LX_S_IFREG | 0777, 0);
	if (!i)
		return -ENOMEM;
	i->seals = 0;
	int r = dcache_name_loose(&i->v, NULL, text, (size_t)n, true);
	if (r)
		vnode_put(&i->v);
	else
		*ret = &i->v;
	return r;
}

COLD int fs_memfile_seal(struct vnode *v, u32 seals)
{
	if (v->ops != &tmpfs_file_ops || seals & ~(LX_F_SEAL_SEAL | LX_F_SEAL_SHRINK | LX_F_SEAL_GROW | LX_F_SEAL_WRITE | LX_F_SEAL_FUTURE_WRITE))
		return -EINVAL;
	int r = -EPERM;
	rwlock_write(&v->lock);
	if (!(tmpfs_inode(v)->seals & LX_F_SEAL_SEAL)) {
		tmpfs_inode(v)->seals |= seals;
		r = 0;
	}
	rwlock_unlock_write(&v->lock);
	return r;
}

int fs_memfile_seals(struct vnode *v, u32 *ret_seals)
{
	if (v->ops != &tmpfs_file_ops)
		return -EINVAL;
	*ret_seals = READ_ONCE(tmpfs_inode(v)->seals);
	return 0;
}
