/*
 * list.c - the list's operations as calls, for files made for size. No locks; cannot fail.
 */
#include "base/list.h"

void list_insert_between_call(struct list *n, struct list *prev, struct list *next) { list_insert_between_here(n, prev, next); }
void list_remove_call(struct list *n) { list_remove_here(n); }
