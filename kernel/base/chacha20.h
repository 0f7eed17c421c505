/* chacha20.h - the ChaCha20 block function (RFC 8439, section 2.3). Pure. */
#ifndef BASE_CHACHA20_H
#define BASE_CHACHA20_H

#include "base/types.h"

/* One 64-byte block of key stream. key: 8 words, nonce: 3 words. */
void chacha20_block(const u32 key[8], u32 counter, const u32 nonce[3], u8 out[64]);

#endif
