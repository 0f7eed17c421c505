/*
 * procfs_maps.c - /proc/self/{maps,smaps}: the areas are copied first, with their files held, and
 * printed afterwards, so that no path is walked with the address space locked.
 * What can fail: -ENOMEM.
 */
#include "proc/procfs_impl.h"
#include "vm/aspace.h"
#include "base/print.h"
#include "base/string.h"
#include "mm/heap.h"

struct map_row {
	u64 start, end, off;
	u32 prot, flags;
	const char *name;            /* constant, or the object's */
	struct vnode *vnode;         /* held */
	struct vm_object *object;    /* held if the name may be its own */
};
struct map_rows {
	struct map_row *rows;
	size_t n, size;
	bool failed;
};

static bool collect(const struct vm_area *a, void *arg)
{
	struct map_rows *m = arg;

	if (m->n == m->size) {
		size_t size = m->size ? m->size * 2 : 64;
		struct map_row *rows = heap_realloc(m->rows, size * sizeof(*rows));
		if (!rows) {
			m->failed = true;
			return false;
		}
		m->rows = rows;
		m->size = size;
	}
	struct map_row *r = &m->rows[m->n++];
	*r = (struct map_row){ a->start, a->end, a->object ? a->object_off : 0, a->prot, a->flags, a->name, a->file,
				a->name && a->object ? a->object : NULL };
	if (r->vnode)
		vnode_get(r->vnode);
	if (r->object)
		vm_object_get(r->object);
	return true;
}

static void show_row(struct pseudo_text *t, const struct map_row *r, char *path)
{
	u32 dev = r->vnode && r->vnode->mount ? r->vnode->mount->dev : 0;
	u64 ino = r->vnode ? r->vnode->ino : 0;
	char head[128];
	int n = fmt_buf(head, sizeof(head), "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)r->start,
			(unsigned long long)r->end, r->prot & VM_PROT_READ ? 'r' : '-', r->prot & VM_PROT_WRITE ? 'w' : '-',
			r->prot & VM_PROT_EXEC ? 'x' : '-', r->flags & VM_MAP_SHARED ? 's' : 'p', (unsigned long long)(r->vnode ? r->off : 0),
			dev >> 8 & 0xfff, dev & 0xff, (unsigned long long)ino);
	const char *name = r->name;

	if (r->vnode && fs_path_of(r->vnode, path, FS_PATH_MAX) >= 0)
		name = path;
	pseudo_append(t, head, (size_t)n);
	if (name)
		pseudo_printf(t, "%*s%s", n < 73 ? 73 - n : 0, "", name);
	pseudo_append(t, "\n", 1);
}

static int show(struct pseudo_text *t, bool details)
{
	struct map_rows m = { 0 };
	char *path = heap_alloc(FS_PATH_MAX);

	if (!path)
		return -ENOMEM;
	vm_for_each_area(collect, &m);
	for (size_t i = 0; i < m.n; i++) {
		show_row(t, &m.rows[i], path);
		if (details)
			pseudo_printf(t, "Size:           %8llu kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n",
				      (unsigned long long)(m.rows[i].end - m.rows[i].start) / 1024);
		if (m.rows[i].vnode)
			vnode_put(m.rows[i].vnode);
		if (m.rows[i].object)
			vm_object_put(m.rows[i].object);
	}
	heap_free(m.rows);
	heap_free(path);
	return m.failed ? -ENOMEM : 0;
}

int procfs_show_maps(struct pseudo_text *t, u64 arg)
{
	return show(t, false);
}

int procfs_show_smaps(struct pseudo_text *t, u64 arg)
{
	return show(t, true);
}
