/*
 * ialloc.c - inodes: finding a free one, giving it back, and the list of orphans.
 *
 * Files go to the group of their directory; directories are spread over groups with room. The inode
 * table of a group is used from its start: itable_unused says how much of its end was never used.
 *
 * Orphans are inodes without a name that are still open, or files being cut: they are on a list on disk
 * (superblock, then dtime of each), so that a mount after a crash finishes the work.
 *
 * Under M with a transaction. What can fail: -ENOSPC, -EIO, -ENOMEM, -EUCLEAN.
 */
#include "fs/ext4/ext4.h"

static u32 group_of(const struct ext4 *e, u32 ino) { return (ino - 1) / e->inodes_per_group; }

/* The group for a new directory: the next with more than its share of inodes and some room. */
static u32 directory_group(struct ext4 *e)
{
	u32 share = e->free_inodes / e->ngroups;

	for (u32 k = 1; k <= e->ngroups; k++) {
		u32 g = (e->alloc_group + k) % e->ngroups;
		if (e->groups[g].free_inodes && e->groups[g].free_inodes >= share && e->groups[g].free_blocks > 16)
			return e->alloc_group = g;
	}
	return e->alloc_group;
}

/* The first free inode of a group as a bit, or -ENOSPC. */
static int find_bit(const struct ext4 *e, u32 g, const u8 *map)
{
	u32 first = g == 0 ? (e->super->rev_level ? e->super->first_ino : 11) - 1 : 0;

	for (u32 k = first; k < e->inodes_per_group; k++) {
		if (map[k / 8] == 0xff) {
			k |= 7;
			continue;
		}
		if (!(map[k / 8] >> k % 8 & 1))
			return (int)k;
	}
	return -ENOSPC;
}

/* Is the inode the only one in use of its block of the table? Then nobody needs what the block held. */
static bool alone_in_block(const struct ext4 *e, const u8 *map, u32 bit)
{
	u32 per = e->block_size / e->inode_size, first = ROUND_DOWN(bit, per);
	u32 end = MIN(first + per, e->inodes_per_group);

	for (u32 k = first; k < end; k++)
		if (k != bit && map[k / 8] >> k % 8 & 1)
			return false;
	return true;
}

static int take_inode(struct ext4 *e, u32 n, bool is_dir, u32 *ret_ino, bool *ret_alone)
{
	struct ext4_group *g = &e->groups[n];
	struct ext4_buf *b;

	if (!g->free_inodes || g->bad)
		return -ENOSPC;
	int r = ext4_inode_bitmap(e, n, &b);
	if (r)
		return r == -EUCLEAN ? -ENOSPC : r;
	int bit = find_bit(e, n, b->data);
	if (bit < 0) {
		buf_put(e, b);
		return bit;
	}
	b->data[bit / 8] |= (u8)(1u << bit % 8);
	g->free_inodes--;
	g->used_dirs += is_dir;
	e->free_inodes--;
	if (e->csum || e->gdt_csum) {
		u32 used = e->inodes_per_group - g->itable_unused;
		if ((u32)bit >= used)
			g->itable_unused = e->inodes_per_group - (u32)bit - 1;
	}
	*ret_alone = alone_in_block(e, b->data, (u32)bit);
	ext4_bitmap_changed(e, n, b, true);
	buf_put(e, b);
	*ret_ino = n * e->inodes_per_group + (u32)bit + 1;
	return 0;
}

int ext4_alloc_inode(struct ext4 *e, struct ext4_inode *dir, bool is_dir, u32 *ret_ino, bool *ret_alone)
{
	u32 first = is_dir ? directory_group(e) : group_of(e, (u32)dir->v.ino);
	int r = -ENOSPC;

	for (u32 k = 0; k < e->ngroups && r == -ENOSPC; k++)
		r = take_inode(e, (first + k) % e->ngroups, is_dir, ret_ino, ret_alone);
	return r;
}

int ext4_free_inode(struct ext4 *e, u32 ino, bool was_dir)
{
	u32 n = group_of(e, ino), bit = (ino - 1) % e->inodes_per_group;
	struct ext4_group *g = &e->groups[n];
	struct ext4_buf *b;
	int r = ext4_inode_bitmap(e, n, &b);

	if (r)
		return r;
	if (!(b->data[bit / 8] >> bit % 8 & 1)) {
		r = ext4_corrupted(e, ino, "freeing a free inode");
	} else {
		b->data[bit / 8] &= (u8)~(1u << bit % 8);
		g->free_inodes++;
		g->used_dirs -= was_dir && g->used_dirs;
		e->free_inodes++;
		ext4_bitmap_changed(e, n, b, true);
	}
	buf_put(e, b);
	return r;
}

/* ---- Orphans ---- */

static void orphan_head(struct ext4 *e, u32 ino)
{
	e->super->last_orphan = ino;
	ext4_super_store(e);
}

int ext4_orphan_add(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);

	if (i->orphan)
		return 0;
	i->next_orphan = e->super->last_orphan;
	i->orphan = true;
	list_push(&e->orphans, &i->orphan_link);
	orphan_head(e, (u32)i->v.ino);
	return ext4_inode_store(i, true);
}

int ext4_orphan_remove(struct ext4_inode *i)
{
	struct ext4 *e = ext4_of(&i->v);
	int r = 0;

	if (!i->orphan)
		return 0;
	if (e->orphans.next == &i->orphan_link) {
		orphan_head(e, i->next_orphan);
	} else {
		struct ext4_inode *before = list_entry(i->orphan_link.prev, struct ext4_inode, orphan_link);
		before->next_orphan = i->next_orphan;
		r = ext4_inode_store(before, false);
	}
	list_remove(&i->orphan_link);
	i->orphan = false;
	i->next_orphan = 0;
	return r ? r : ext4_inode_store(i, true);
}

/*
 * Finish what a crash interrupted. Each inode on the list without names is deleted, each with names is cut to its size. The
 * list is hostile: it may have circles, so it is no longer than there are inodes.
 */
int ext4_orphans_recover(struct ext4 *e)
{
	struct vnode *v;
	u32 done = 0;
	int r = 0;

	e->recovering = true;
	while (e->super->last_orphan && !r && !e->failed) {
		u32 ino = e->super->last_orphan;
		r = done++ > e->ninodes ? ext4_corrupted(e, ino, "the list of orphans is a circle") : ext4_iget(e, ino, &v);
		if (r)
			break;
		struct ext4_inode *i = ext4_inode(v);
		r = ext4_begin(e);
		if (!r) {
			/* On disk the link to the next is where a deleted inode's time is. */
			i->orphan = true;
			list_push(&e->orphans, &i->orphan_link);
			if (i->nlink && v->type != VNODE_REG)
				r = ext4_orphan_remove(i);
			ext4_end(e);
		}
		if (!r && i->nlink && v->type == VNODE_REG)
			r = ext4_truncate(i, v->size);
		else if (!r && !i->nlink)
			r = ext4_inode_delete(i);
		vnode_put(v);
	}
	e->recovering = false;
	if (done)
		log_info("ext4: %u orphans removed", done);
	return r;
}
