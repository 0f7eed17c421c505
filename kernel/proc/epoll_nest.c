/*
 * epoll_nest.c - sets inside sets: no cycles, bounded depth (invariant 4 of epoll.c).
 *
 * Locks: the caller holds links_mutex, so memberships stand still.
 */
#include "proc/epoll.h"
#include "proc/epoll_impl.h"


/* Levels of sets below ep (0: none inside); UINT32_MAX if `outer` is among them. */
static unsigned depth_below(struct epoll *ep, const struct epoll *outer, unsigned level)
{
	unsigned deepest = 0;

	if (ep == outer || level > EPOLL_NESTS_MAX)
		return ~0u;
	for (struct rb_node *n = rb_first(&ep->items); n; n = rb_next(n)) {
		struct epoll_item *it = rb_entry(n, struct epoll_item, node);
		if (!file_is_epoll(it->file))
			continue;
		unsigned d = depth_below(it->file->priv, outer, level + 1);
		if (d == ~0u)
			return d;
		deepest = MAX(deepest, d + 1);
	}
	return deepest;
}

static unsigned depth_above(struct epoll *ep, unsigned level)
{
	unsigned highest = 0;

	if (level > EPOLL_NESTS_MAX)
		return level;
	list_for_each(l, &ep->file->epoll_links) {
		unsigned above = depth_above(list_entry(l, struct epoll_item, file_link)->ep, level + 1) + 1;
		highest = MAX(highest, above);
	}
	return highest;
}

int epoll_nesting_check(struct epoll *outer, struct epoll *inner)
{
	unsigned below = depth_below(inner, outer, 0);

	if (below == ~0u || below + depth_above(outer, 0) + 1 > EPOLL_NESTS_MAX)
		return -ELOOP;
	return 0;
}
