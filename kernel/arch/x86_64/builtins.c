/* builtins.c - functions that the compiler may call for an operation that the base instruction set lacks. */
#include "base/types.h"

int __popcountdi2(u64 v);
int __popcountdi2(u64 v)
{
	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (int)(v * 0x0101010101010101ull >> 56);
}
