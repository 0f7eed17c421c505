/*
 * link.h - what a kernel is made of is decided when it is linked (docs/decisions/linking.md).
 *
 * LINK_PICK(table, name) marks an entry of a table that the link script picks by name: kernel/boot/kernel.lds
 * picks all, `pith build` what a manifest names. What no entry refers to is not linked (--gc-sections).
 * On the host everything is linked and tables are arrays.
 *
 * A struct of operations of which a program may need some only says LINK_SLOT(fn) for one: fn, which is not static, or NULL where the
 * script has no line for it. LINK_SLOT_OF(fn) declares it at file scope. Only for data: the compiler takes the address of a function for
 * true, so code reads it from a volatile variable, RO_AFTER_INIT.
 */
#ifndef BASE_LINK_H
#define BASE_LINK_H

/*
 * The picked entries of a table, in the script's order. LINK_TABLE declares it at file scope, LINK_EACH is a for statement's head,
 * LINK_FIRST the first entry or NULL.
 */
/* The compiler must not know that this is another object than the first entry. */
#define LINK_END(table) ({ __typeof__(&__stop_pick_##table[0]) end_ = __stop_pick_##table; __asm__("" : "+r"(end_)); end_; })
#define LINK_EACH(p, table) p = __start_pick_##table; p < LINK_END(table); p++
#define LINK_FIRST(table) (&__start_pick_##table[0] < LINK_END(table) ? &__start_pick_##table[0] : NULL)

/* Called at the end of the boot, with others of the table "init", in the script's order; 0 or a negative errno, which ends the boot. */
#define LINK_INIT(name, fn) static int (*const link_init_##name)(void) LINK_PICK(init, name) = fn

#ifdef PITH_HOST
/* A test that needs no entry of a table has an empty one. */
#define LINK_TABLE(type, table) extern const type __start_pick_##table[] __attribute__((weak)), __stop_pick_##table[] __attribute__((weak))
#define LINK_PICK(table, name) __attribute__((used, section("pick_" #table), aligned(8)))
#define LINK_SLOT_OF(fn)       extern __typeof__(fn) fn
#define LINK_SLOT(fn)          fn
#else
#define LINK_TABLE(type, table) extern const type __start_pick_##table[], __stop_pick_##table[]
#define LINK_PICK(table, name) __attribute__((used, section(".pick." #table "." #name), aligned(8)))
#define LINK_SLOT_OF(fn)       extern __typeof__(fn) slot_##fn __attribute__((weak))
#define LINK_SLOT(fn)          slot_##fn
#endif

#endif
