/* fuzz.h - a cursor over a fuzzer's input: past the end everything is 0, so that every input means something. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/string.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
	const u8 *p;
	size_t left;
};

static inline void fuzz_take(struct fuzz_input *in, void *buf, size_t len)
{
	size_t n = MIN(len, in->left);

	memset(buf, 0, len);
	memcpy(buf, in->p, n);
	in->p += n;
	in->left -= n;
}
static inline u8 fuzz_u8(struct fuzz_input *in)
{
	u8 v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}
static inline u16 fuzz_u16(struct fuzz_input *in)
{
	u16 v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}
static inline u32 fuzz_u32(struct fuzz_input *in)
{
	u32 v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}
static inline u64 fuzz_u64(struct fuzz_input *in)
{
	u64 v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

#endif
