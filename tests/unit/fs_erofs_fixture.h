/*
 * fs_erofs_fixture.h - mounting images in memory, walking them to the end, taking them down again.
 */
#ifndef FS_EROFS_FIXTURE_H
#define FS_EROFS_FIXTURE_H

#include "fs/erofs.h"
#include "fs_fixture.h"

static inline int image_mount(struct ram_disk *d, u8 *data, size_t len)
{
	ram_disk_init(d, data, len);
	return fs_mount_root_erofs(&d->dev, 0, 0, NULL);
}

static inline void image_unmount(struct ram_disk *d)
{
	struct erofs *e = container_of(fs_root()->mount, struct erofs, m);
	mount_detach_root(&e->m);
	while (dcache_shrink(1000))
		;
	vnode_put(e->m.root);
	erofs_free(e);
	heap_free(d->dev.queue);
	d->dev.queue = NULL;
}

/* Look at everything below dir, within limits that a damaged image cannot raise. */
struct image_walk {
	unsigned budget;             /* objects still to be looked at */
	struct vnode *dir;
	unsigned depth, errors;
};

static inline void image_walk_dir(struct image_walk *w);

static inline bool image_walk_entry(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next)
{
	struct image_walk *w = arg;
	struct vnode *v;
	char path[FS_NAME_MAX + 1], buf[600];
	struct vattr a;
	if (!w->budget)
		return false;
	w->budget--;
	memcpy(path, name, len);
	path[len] = '\0';
	if (fs_name_is_dot(name, len) || fs_name_is_dotdot(name, len))
		return true;
	if (fs_namei(w->dir, path, 0, &v)) {
		w->errors++;
		return true;
	}
	fs_getattr(v, &a);
	if (v->type == VNODE_LINK) {
		fs_readlink(v, buf, sizeof buf);
	} else if (v->type == VNODE_REG) {
		u64 offs[] = { 0, v->size / 2, v->size > 500 ? v->size - 500 : 0, v->size };
		for (unsigned k = 0; k < ARRAY_SIZE(offs); k++) {
			struct uio u;
			uio_init_kernel(&u, buf, sizeof buf);
			w->errors += fs_read(v, &u, offs[k], false) < 0;
		}
	} else if (v->type == VNODE_DIR && w->depth < 6) {
		struct image_walk below = { .budget = w->budget, .dir = v, .depth = w->depth + 1 };
		image_walk_dir(&below);
		w->budget = below.budget;
		w->errors += below.errors;
	}
	vnode_put(v);
	return true;
}

static inline void image_walk_dir(struct image_walk *w)
{
	struct vnode *v;
	w->errors += fs_readdir(w->dir, 0, image_walk_entry, w) < 0;
	if (!fs_namei(w->dir, "no-such-name", NAMEI_FOLLOW, &v))
		vnode_put(v);
}

#endif
