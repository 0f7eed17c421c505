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
	u32 prot, max_prot, flags;
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
	*r = (struct map_row){ a->start, a->end, a->object ? a->object_off : 0, a->prot, a->max_prot, a->flags, a->name, a->file,
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

#define KIB(pages) ((unsigned long long)(pages) * (PAGE_SIZE / KiB))

/* Nothing is shared with another process: every page is private to this one. */
static void show_resident(struct pseudo_text *t, const struct vm_resident *r, bool rollup)
{
	u64 file = r->file_clean_pages + r->file_dirty_pages, all = r->anon_pages + r->shmem_pages + file;
	u64 dirty = r->anon_pages + r->shmem_pages + r->file_dirty_pages;

	pseudo_printf(t, "Rss:            %8llu kB\nPss:            %8llu kB\nPss_Dirty:      %8llu kB\n", KIB(all), KIB(all), KIB(dirty));
	if (rollup)
		pseudo_printf(t, "Pss_Anon:       %8llu kB\nPss_File:       %8llu kB\nPss_Shmem:      %8llu kB\n", KIB(r->anon_pages), KIB(file), KIB(r->shmem_pages));
	pseudo_printf(t, "Shared_Clean:   %8u kB\nShared_Dirty:   %8u kB\nPrivate_Clean:  %8llu kB\nPrivate_Dirty:  %8llu kB\nReferenced:     %8llu kB\n"
			 "Anonymous:      %8llu kB\n", 0, 0, KIB(r->file_clean_pages), KIB(dirty), KIB(all), KIB(r->anon_pages));
	pseudo_printf(t, "KSM:            %8u kB\nLazyFree:       %8u kB\nAnonHugePages:  %8u kB\nShmemPmdMapped: %8u kB\nFilePmdMapped:  %8u kB\n"
			 "Shared_Hugetlb: %8u kB\nPrivate_Hugetlb:%8u kB\nSwap:           %8u kB\nSwapPss:        %8u kB\nLocked:         %8llu kB\n",
		      0, 0, 0, 0, 0, 0, 0, 0, 0, KIB(r->locked_pages));
}

static void show_details(struct pseudo_text *t, const struct map_row *row)
{
	const struct { u32 on; const char *name; } flags[] = {
		{ row->prot & VM_PROT_READ, "rd" }, { row->prot & VM_PROT_WRITE, "wr" }, { row->prot & VM_PROT_EXEC, "ex" },
		{ row->flags & VM_MAP_SHARED, "sh" }, { row->max_prot & VM_PROT_READ, "mr" }, { row->max_prot & VM_PROT_WRITE, "mw" },
		{ row->max_prot & VM_PROT_EXEC, "me" }, { row->flags & VM_MAP_SHARED, "ms" }, { row->flags & VM_MAP_STACK, "gd" },
		{ row->flags & VM_MAP_LOCKED, "lo" }, { row->flags & VM_MAP_NORESERVE, "nr" },
	};
	struct vm_resident r;

	vm_resident(row->start, row->end, &r);
	pseudo_printf(t, "Size:           %8llu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n", (unsigned long long)(row->end - row->start) / KiB, 4, 4);
	show_resident(t, &r, false);
	pseudo_printf(t, "THPeligible:    %8u\nVmFlags:", 0);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].on)
			pseudo_printf(t, " %s", flags[i].name);
	pseudo_append(t, " \n", 2);
}

static void rows_free(struct map_rows *m)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->rows[i].vnode)
			vnode_put(m->rows[i].vnode);
		if (m->rows[i].object)
			vm_object_put(m->rows[i].object);
	}
	heap_free(m->rows);
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
			show_details(t, &m.rows[i]);
	}
	rows_free(&m);
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

struct span {
	u64 start, end;
};

static bool widen(const struct vm_area *a, void *arg)
{
	struct span *s = arg;

	if (!s->end)
		s->start = a->start;
	s->end = a->end;
	return true;
}

int procfs_show_smaps_rollup(struct pseudo_text *t, u64 arg)
{
	struct vm_resident r;
	struct span s = { 0 };
	char head[96];

	vm_for_each_area(widen, &s);
	vm_resident(s.start, s.end, &r);
	int n = fmt_buf(head, sizeof(head), "%08llx-%08llx ---p 00000000 00:00 0 ", (unsigned long long)s.start, (unsigned long long)s.end);
	pseudo_printf(t, "%s%*s[rollup]\n", head, n < 73 ? 73 - n : 0, "");
	show_resident(t, &r, true);
	return 0;
}
