/*
 * link.h - what a kernel is made of is decided when it is linked (docs/decisions/linking.md).
 *
 * LINK_PICK(table, name) marks an entry of a table that the link script picks by name: shared/parts.def lists the
 * tables, kernel/boot/everything.lds picks all, and `pith build` writes a script that picks what a manifest names. What no
 * entry refers to is not linked (--gc-sections).
 * LINK_TIE(entry) in a function: where this function is linked, that entry is too. It costs nothing at run time.
 * Entries that nobody picks but that are tied lie in sections of LINK_TIED(table, name).
 * On the host everything is linked and tables are arrays.
 */
#ifndef BASE_LINK_H
#define BASE_LINK_H

#ifdef PITH_HOST
#define LINK_PICK(table, name) __attribute__((used, section("pick_" #table)))
#define LINK_TIED(table, name) __attribute__((used, section("tied_" #table)))
#define LINK_TIE(entry) ((void)0)
#else
#define LINK_PICK(table, name) __attribute__((used, section(".pick." #table "." #name)))
#define LINK_TIED(table, name) __attribute__((used, section(".tied." #table "." #name)))
/* A relocation without effect from the function's section to the entry's: the collector of unused sections follows it. */
#define LINK_TIE(entry) __asm__ volatile(".reloc ., R_X86_64_NONE, %c0" : : "i"(&(entry)))
#endif

#endif
