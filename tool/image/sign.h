/*
 * sign.h - Ed25519 signatures (RFC 8032) with keys in PEM files, by OpenSSL's libcrypto.
 *
 *   openssl genpkey -algorithm ed25519 -out key.pem        the private key, for --sign
 *   openssl pkey -in key.pem -pubout -out pub.pem          the public key, for --key and --require-signed
 *
 * Everything returns 0, or an exit status after a line that names the file.
 */
#ifndef TOOL_IMAGE_SIGN_H
#define TOOL_IMAGE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIGN_KEY_LEN 32u
#define SIGN_LEN     64u

struct sign_key; /* a private key */

int sign_key_read(const char *path, struct sign_key **ret_key);
void sign_key_free(struct sign_key *key);
void sign_key_public(const struct sign_key *key, uint8_t ret_public[SIGN_KEY_LEN]);
int sign_make(const struct sign_key *key, const void *text, size_t len, uint8_t ret_signature[SIGN_LEN]);

int sign_public_read(const char *path, uint8_t ret_public[SIGN_KEY_LEN]);
/* *ret_good: the signature is the key's for these bytes. */
int sign_check(const uint8_t public[SIGN_KEY_LEN], const void *text, size_t len, const uint8_t signature[SIGN_LEN], bool *ret_good);

#endif
