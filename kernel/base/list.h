/*
 * list.h - intrusive doubly linked lists (circular, with a head).
 * Invariant: an initialised node is on exactly one list or points at itself.
 * No locks of its own.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) { &(name), &(name) }

static inline void list_init(struct list *l) { l->next = l->prev = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

void list_insert_between_call(struct list *n, struct list *prev, struct list *next);
static ALWAYS_INLINE void list_insert_between_here(struct list *n, struct list *prev, struct list *next)
{
	n->prev = prev;
	n->next = next;
	prev->next = n;
	next->prev = n;
}
static ALWAYS_INLINE void list_insert_between(struct list *n, struct list *prev, struct list *next)
{
	FOR_SIZE ? list_insert_between_call(n, prev, next) : list_insert_between_here(n, prev, next);
}
/* First and last position of the list headed by l. */
static inline void list_push(struct list *l, struct list *n) { list_insert_between(n, l, l->next); }
static inline void list_append(struct list *l, struct list *n) { list_insert_between(n, l->prev, l); }
/* Take n off its list and make it point at itself: removing twice is harmless. */
void list_remove_call(struct list *n);
static ALWAYS_INLINE void list_remove_here(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}
static ALWAYS_INLINE void list_remove(struct list *n)
{
	FOR_SIZE ? list_remove_call(n) : list_remove_here(n);
}
static inline struct list *list_first(struct list *l) { return list_empty(l) ? NULL : l->next; }
static inline struct list *list_pop(struct list *l)
{
	struct list *n = list_first(l);
	if (n)
		list_remove(n);
	return n;
}
/* Move everything on from to the end of to; from becomes empty. */
static inline void list_splice(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_for_each(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define list_for_each_entry(pos, head, member)                                         \
	for (pos = list_entry((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = list_entry(pos->member.next, __typeof__(*pos), member))
/* pos may be removed (and freed) in the body. */
#define list_for_each_entry_safe(pos, tmp, head, member)                               \
	for (pos = list_entry((head)->next, __typeof__(*pos), member),                 \
	     tmp = list_entry(pos->member.next, __typeof__(*pos), member);             \
	     &pos->member != (head);                                                   \
	     pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
