/*
 * namei.c - walking paths.
 *
 * The walk is a loop, not a recursion: a symbolic link pushes its text as a frame (on the heap)
 * and the walk goes on in it, so the kernel stack stays flat whatever the links say; at most
 * FS_LINKS_MAX are followed in one walk.
 *
 * Invariants:
 *  (N1) w->at always carries a reference; w->p points into the caller's path or the top frame.
 *  (N2) A frame's rest is NULL when nothing of the path follows its link; only the lowest frame
 *       can be so, since a link in the last place first drops all frames (their rests are used up).
 *
 * Locks: a directory's lock (shared) around a question to its file system; the cache's own inside.
 * What can fail: -ENOENT -ENOTDIR -ELOOP -ENAMETOOLONG -EXDEV (scoped walks) -ENOMEM, and what
 * file systems say (-EIO, -EUCLEAN).
 */
#include "fs/internal.h"

struct walk_frame {
	struct walk_frame *up;
	const char *rest;            /* where to go on in the text above; NULL: nowhere (N2) */
	char text[];
};

int walk_begin(struct walk *w, struct vnode *start, const char *path, u32 flags)
{
	struct vnode *root = fs_root();
	*w = (struct walk){ 0 };
	if (!path[0])
		return -ENOENT;
	if (!root)
		return -ENOENT;
	if (!start)
		start = root;
	w->flags = flags;
	w->path = w->p = path;
	w->top = flags & (NAMEI_BENEATH | NAMEI_IN_ROOT) ? start : root;
	if (path[0] == '/') {
		if (flags & NAMEI_BENEATH)
			return -EXDEV;
		w->at = w->top;
	} else {
		w->at = start;
	}
	vnode_get(w->at);
	return 0;
}

static COLD void walk_pop(struct walk *w)
{
	struct walk_frame *f = w->frames;
	w->frames = f->up;
	w->p = f->rest;
	heap_free(f);
}

void walk_end(struct walk *w)
{
	while (w->frames)
		walk_pop(w);
	if (w->at)
		vnode_put(w->at);
	w->at = NULL;
}

static inline void walk_move(struct walk *w, struct vnode *v)
{
	vnode_put(w->at);
	w->at = v;
}

/* ---- One step ---- */

int namei_ask_locked(struct vnode *dir, const char *name, size_t len, bool remember, struct vnode **ret)
{
	if (len > FS_NAME_MAX)
		return -ENAMETOOLONG;
	if (!dir->ops->lookup)
		return -ENOTDIR;
	struct vnode *v = NULL;
	int r = dir->ops->lookup(dir, name, len, &v);
	if (r == -ENOENT && remember && !(dir->flags & VNODE_VOLATILE))
		dcache_enter(dir, name, len, NULL);
	if (r)
		return r;
	r = dcache_enter(dir, name, len, v);
	if (r) {
		vnode_put(v);
		return r;
	}
	*ret = v;
	return 0;
}

int namei_lookup_locked(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	int r = dcache_lookup(dir, name, len, ret);
	return r == -EAGAIN ? namei_ask_locked(dir, name, len, true, ret) : r;
}

int namei_lookup(struct vnode *dir, const char *name, size_t len, struct vnode **ret)
{
	int r = dcache_lookup(dir, name, len, ret);
	if (likely(r != -EAGAIN))
		return r;
	rwlock_read(&dir->lock);
	r = namei_lookup_locked(dir, name, len, ret);
	rwlock_unlock_read(&dir->lock);
	return r;
}

/* ".." */
static COLD int walk_up(struct walk *w)
{
	struct vnode *v = w->at;
	if (v == w->top)
		return w->flags & NAMEI_BENEATH ? -EXDEV : 0;
	while (v == v->mount->root) {
		if (!v->mount->covers)
			return 0;
		if (w->flags & NAMEI_NOXDEV)
			return -EXDEV;
		v = v->mount->covers;
	}
	struct vnode *dir = dcache_parent(v);
	if (!dir)
		return -ENOENT;
	walk_move(w, mount_enter(dir));
	return 0;
}

int walk_enter(const struct walk *w, struct vnode **ret)
{
	*ret = mount_enter(*ret);
	if (unlikely(w->flags & NAMEI_NOXDEV) && (*ret)->mount != w->at->mount) {
		vnode_put(*ret);
		return -EXDEV;
	}
	return 0;
}

/* Look name up in w->at, entering mounts. */
static NOINLINE int walk_lookup(struct walk *w, const char *name, size_t len, struct vnode **ret)
{
	int r = namei_lookup(w->at, name, len, ret);
	return r ? r : walk_enter(w, ret);
}

/* Go where link says; last: nothing of the path follows it. The reference of link stays the caller's. */
static COLD int walk_follow(struct walk *w, struct vnode *link, bool last)
{
	if (w->nlinks++ >= FS_LINKS_MAX)
		return -ELOOP;
	if (w->flags & NAMEI_NOSYMLINKS)
		return -ELOOP;
	if (link->ops->follow) {
		struct vnode *v;
		if (w->flags & NAMEI_NOMAGIC)
			return -ELOOP;
		if (w->flags & (NAMEI_BENEATH | NAMEI_IN_ROOT))
			return -EXDEV;
		int r = link->ops->follow(link, &v);
		if (r)
			return r;
		if (w->flags & NAMEI_NOXDEV && v->mount != w->at->mount) {
			vnode_put(v);
			return -EXDEV;
		}
		walk_move(w, v);
		return 0;
	}
	/* Targets whose length is known take no more than they need. */
	size_t room = link->size && link->size < FS_PATH_MAX ? link->size + 1 : FS_PATH_MAX;
	struct walk_frame *f = heap_alloc(sizeof *f + room);
	if (!f)
		return -ENOMEM;
	ssize_t n = fs_readlink(link, f->text, room);
	if (n <= 0 || (size_t)n >= room) {
		heap_free(f);
		return n < 0 ? (int)n : n == 0 ? -ENOENT : -ENAMETOOLONG;
	}
	f->text[n] = '\0';
	if (f->text[0] == '/') {
		if (w->flags & NAMEI_BENEATH) {
			heap_free(f);
			return -EXDEV;
		}
		if (w->flags & NAMEI_NOXDEV && w->top->mount != w->at->mount) {
			heap_free(f);
			return -EXDEV;
		}
		vnode_get(w->top);
		walk_move(w, w->top);
	}
	f->rest = w->p;
	if (last) {
		while (w->frames)
			walk_pop(w);
		f->rest = NULL;
	}
	f->up = w->frames;
	w->frames = f;
	w->p = f->text;
	return 0;
}

static COLD int walk_step(struct walk *w, const char *name, size_t len)
{
	struct vnode *v;
	if (fs_name_is_dot(name, len))
		return 0;
	if (fs_name_is_dotdot(name, len))
		return walk_up(w);
	int r = walk_lookup(w, name, len, &v);
	if (r)
		return r;
	if (v->type == VNODE_LINK) {
		r = walk_follow(w, v, false);
		vnode_put(v);
		return r;
	}
	walk_move(w, v);
	return 0;
}

/* ---- Walks ---- */

/* The path ends at `end`, in the caller's text unless there are frames, whose texts are not too long. Known last: it costs nothing then. */
static inline int walk_ends(const struct walk *w, const char *end)
{
	return unlikely(!w->frames && end - w->path >= (ptrdiff_t)FS_PATH_MAX) ? -ENAMETOOLONG : 0;
}

int walk_to_parent(struct walk *w)
{
	for (;;) {
		while (*w->p == '/')
			w->p++;
		if (!*w->p) {
			if (w->frames && w->frames->rest) {
				walk_pop(w);
				continue;
			}
			w->name = "";
			w->name_len = 0;
			return walk_ends(w, w->p);
		}
		if (likely(!(w->flags & NAMEI_NOXDEV)))
			w->p = dcache_descend(&w->at, w->p);
		const char *name = w->p, *end = name;
		while (*end && *end != '/')
			end++;
		size_t len = (size_t)(end - name);
		const char *next = end;
		while (*next == '/')
			next++;
		if (w->at->type != VNODE_DIR)
			return -ENOTDIR;
		w->p = next;
		if (!*next && !(w->frames && w->frames->rest)) {
			w->trailing |= next != end;
			w->name = name;
			w->name_len = len;
			return walk_ends(w, next);
		}
		int r = walk_step(w, name, len);
		if (r) {
			w->name = name;
			w->name_len = len;
			return r;
		}
	}
}

bool walk_last_is_special(const struct walk *w)
{
	return !w->name_len || fs_name_is_dot(w->name, w->name_len) || fs_name_is_dotdot(w->name, w->name_len);
}

int walk_lookup_last(struct walk *w, struct vnode **ret)
{
	return walk_lookup(w, w->name, w->name_len, ret);
}

COLD int walk_follow_last(struct walk *w, struct vnode *link)
{
	int r = walk_follow(w, link, true);
	if (r)
		return r;
	if (link->ops->follow) {
		w->name = "";
		w->name_len = 0;
		return 0;
	}
	return walk_to_parent(w);
}

COLD int walk_to_end(struct walk *w, struct vnode **ret)
{
	int r = walk_to_parent(w);
	while (!r) {
		struct vnode *v;
		if (walk_last_is_special(w)) {
			if (fs_name_is_dotdot(w->name, w->name_len) && (r = walk_up(w)))
				break;
			v = w->at;
			vnode_get(v);
		} else {
			r = walk_lookup_last(w, &v);
			if (r)
				break;
		}
		if (v->type == VNODE_LINK && w->name_len && (w->flags & NAMEI_FOLLOW || w->trailing)) {
			r = walk_follow_last(w, v);
			vnode_put(v);
			continue;
		}
		if ((w->trailing || w->flags & NAMEI_DIRECTORY) && v->type != VNODE_DIR) {
			vnode_put(v);
			return -ENOTDIR;
		}
		*ret = v;
		return 0;
	}
	return r;
}

struct vnode *walk_quick(struct vnode *start, const char *path, u32 flags)
{
	struct vnode *root = fs_root();

	if (unlikely(!root || !path[0] || flags & (NAMEI_BENEATH | NAMEI_IN_ROOT | NAMEI_NOXDEV)))
		return NULL;
	return dcache_resolve(path[0] == '/' || !start ? root : start, path);
}

static NOINLINE COLD int namei_walk(struct vnode *start, const char *path, u32 flags, struct vnode **ret)
{
	NO_AUTO_INIT struct walk w;
	int r = walk_begin(&w, start, path, flags);
	if (r)
		return r;
	r = walk_to_end(&w, ret);
	walk_end(&w);
	return r;
}

int fs_namei(struct vnode *start, const char *path, u32 flags, struct vnode **ret)
{
	struct vnode *v = walk_quick(start, path, flags);

	if (unlikely(!v))
		return namei_walk(start, path, flags, ret);
	if (flags & NAMEI_DIRECTORY && v->type != VNODE_DIR) {
		vnode_put(v);
		return -ENOTDIR;
	}
	*ret = v;
	return 0;
}

COLD int fs_namei_parent(struct vnode *start, const char *path, u32 flags, struct vnode **ret_dir, char *name, bool *ret_trailing_slash)
{
	NO_AUTO_INIT struct walk w;
	int r = walk_begin(&w, start, path, flags);
	if (r)
		return r;
	r = walk_to_parent(&w);
	if (!r && w.name_len > FS_NAME_MAX)
		r = -ENAMETOOLONG;
	if (!r) {
		memcpy(name, w.name, w.name_len);
		name[w.name_len] = '\0';
		*ret_trailing_slash = w.trailing;
		vnode_get(w.at);
		*ret_dir = w.at;
	}
	walk_end(&w);
	return r;
}
