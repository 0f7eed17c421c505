/* hidden.h - included before everything: no symbol of the kernel is visible outside, so addresses are relative to the program counter. */
#ifndef BASE_HIDDEN_H
#define BASE_HIDDEN_H
#pragma GCC visibility push(hidden)
#endif
