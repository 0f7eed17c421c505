/*
 * tmpfs_lower.c - a memory file system over a directory of the root: what the directory held is there, and
 * can be changed in memory.
 *
 * Directories and files of such a mount have a `lower`: the root's object that they begin as. A directory
 * takes its entries from there when it is first looked into, one level at a time; a file takes a page when it
 * is first written or mapped shared (tmpfs_file.c). Nothing is copied at boot.
 *
 * Invariants:
 *  (W1) Every operation on a directory calls tmpfs_dir_ready first; while lower is set nobody has seen its entries.
 *  (W2) A file's lower_size is at most its size and its lower's: bytes below it that have no page are
 *       lower's, everything else without a page is zero.
 *  (W3) The root is read-only: what lower says does not change.
 *
 * Locks: lower_lock (a mutex) around taking a directory's entries; after the memory file system's vnode locks and
 * before the root's. What can fail: memory, the root's disk (-EIO, -EUCLEAN): the directory stays as it was.
 */
#include "fs/tmpfs.h"

static struct mutex lower_lock = MUTEX_INIT(lower_lock);

struct lower_name {
	struct list link;
	size_t len;
	char name[];
};

struct lower_names {
	struct list list;
	bool out_of_memory;
};

/* readdir holds the directory's lock: only the names are taken there. */
static bool lower_collect(void *arg, const char *name, size_t len, u64 ino, enum vnode_type type, u64 next_off)
{
	struct lower_names *names = arg;
	struct lower_name *n;

	if (fs_name_is_dot(name, len) || fs_name_is_dotdot(name, len))
		return true;
	n = heap_alloc(sizeof *n + len + 1);
	names->out_of_memory = !n;
	if (!n)
		return false;
	memcpy(n->name, name, len);
	n->len = len;
	list_append(&names->list, &n->link);
	return true;
}

static int lower_link(struct tmpfs_inode *i, struct vnode *from)
{
	char *text = heap_alloc(FS_PATH_MAX);
	ssize_t n = text ? fs_readlink(from, text, FS_PATH_MAX - 1) : -ENOMEM;

	if (n >= 0) {
		text[n] = '\0';
		n = tmpfs_link_text(i, text);
	}
	heap_free(text);
	return (int)n;
}

/* i, which is new, begins as `from`, whose reference is taken over where that succeeds. */
static int lower_begin(struct tmpfs_inode *i, struct vnode *from, const struct vattr *a)
{
	i->atime = a->atime;
	i->mtime = a->mtime;
	i->ctime = a->ctime;
	i->btime = a->btime;
	if (from->type == VNODE_LINK)
		return lower_link(i, from);
	i->lower = from;
	vnode_get(from);
	if (from->type == VNODE_REG)
		i->v.size = i->lower_size = from->size;
	return 0;
}

/* An entry of dir for what its lower has under name. */
static int lower_entry(struct tmpfs_inode *dir, const struct lower_name *n)
{
	struct tmpfs_inode *i = NULL;
	struct vnode *from;
	struct vattr a;
	int r = namei_lookup(dir->lower, n->name, n->len, &from);

	if (r)
		return r;
	r = fs_getattr(from, &a);
	if (!r && from->type != VNODE_DIR && from->type != VNODE_REG && from->type != VNODE_LINK)
		log_warn("fs: %s of the root is a special file and not shown\n", n->name);
	else if (!r && !(i = tmpfs_inode_new(tmpfs_of(&dir->v), a.mode, 0)))
		r = -ENOMEM;
	if (i && !r)
		r = lower_begin(i, from, &a);
	if (i && !r)
		r = tmpfs_add_entry(dir, n->name, n->len, i);
	if (i)
		vnode_put(&i->v);
	vnode_put(from);
	return r;
}

static int lower_take_locked(struct tmpfs_inode *dir)
{
	struct lower_names names = { .list = LIST_INIT(names.list) };
	struct timespec64 mtime = dir->mtime, ctime = dir->ctime;
	struct vnode *lower = dir->lower;
	struct lower_name *n, *next;
	int r = fs_readdir(lower, 0, lower_collect, &names);

	if (!r && names.out_of_memory)
		r = -ENOMEM;
	list_for_each_entry_safe(n, next, &names.list, link) {
		/* Taken by an attempt that failed later? */
		if (!r && !tmpfs_has_entry(dir, n->name, n->len))
			r = lower_entry(dir, n);
		list_remove(&n->link);
		heap_free(n);
	}
	if (r)
		return r;
	dir->mtime = mtime;
	dir->ctime = ctime;
	__atomic_store_n(&dir->lower, NULL, __ATOMIC_RELEASE);
	vnode_put(lower);
	return 0;
}

int tmpfs_dir_take(struct tmpfs_inode *dir)
{
	int r = 0;

	mutex_lock(&lower_lock);
	if (dir->lower)
		r = lower_take_locked(dir);
	mutex_unlock(&lower_lock);
	if (r)
		log_warn("fs: a directory of the root cannot be read (error %d)\n", -r);
	return r;
}

int tmpfs_lower_page(struct tmpfs_inode *i, u64 index, struct page **ret)
{
	return vm_object_get_page(i->lower->object, index, ret);
}

int tmpfs_lower_fill(struct tmpfs_inode *i, struct page *to)
{
	u64 off = to->index * PAGE_SIZE, size = READ_ONCE(i->lower_size);
	size_t len = off < size ? (size_t)MIN(PAGE_SIZE, size - off) : 0;
	struct page *from;
	int r = len ? tmpfs_lower_page(i, to->index, &from) : 0;

	if (r)
		return r;
	if (len) {
		memcpy(page_to_virt(to), page_to_virt(from), len);
		page_put(from);
	}
	memset((char *)page_to_virt(to) + len, 0, PAGE_SIZE - len);
	return 0;
}

int fs_mount_tmpfs_over(const char *path, u32 mode, u64 max_bytes)
{
	struct vnode *under = NULL, *root = NULL;
	int r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &under);

	if (r)
		return r;
	r = fs_mount_tmpfs(path, mode, max_bytes);
	if (!r)
		r = fs_namei(NULL, path, NAMEI_FOLLOW | NAMEI_DIRECTORY, &root);
	if (r) {
		vnode_put(under);
		return r;
	}
	tmpfs_inode(root)->lower = under;    /* with its reference */
	vnode_put(root);
	return 0;
}
