/*
 * sign.c - keys and signatures, by libcrypto (OpenSSL 3).
 *
 * The library is loaded when a key is asked for: loading it takes 2 ms, more than the rest of the command's start, and few
 * commands have to do with keys.
 */
#include "image/sign.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "util/err.h"
#include "util/file.h"

#define KEY_FILE_MAX (1u << 16)
#define LIBRARY      "libcrypto.so.3"

/* What is used of it, with the types of its headers. */
#define FUNCTIONS(F)                                                                                                       \
	F(BIO_new_mem_buf) F(BIO_free) F(PEM_read_bio_PrivateKey) F(PEM_read_bio_PUBKEY) F(EVP_PKEY_free) F(EVP_PKEY_get_id) \
	F(EVP_PKEY_get_raw_public_key) F(EVP_PKEY_new_raw_public_key) F(EVP_MD_CTX_new) F(EVP_MD_CTX_free)                  \
	F(EVP_DigestSignInit) F(EVP_DigestSign) F(EVP_DigestVerifyInit) F(EVP_DigestVerify)
#define F(name) __typeof__(name) *name##_;
static struct {
	FUNCTIONS(F)
} crypto;
#undef F

static int library_load(void)
{
	static const struct { const char *name; size_t at; } functions[] = {
#define F(name) { #name, offsetof(__typeof__(crypto), name##_) },
		FUNCTIONS(F)
#undef F
	};
	void *library = dlopen(LIBRARY, RTLD_NOW);

	for (size_t i = 0; library && i < sizeof functions / sizeof *functions; i++) {
		void *function = dlsym(library, functions[i].name);

		if (!function)
			library = NULL;
		else
			memcpy((char *)&crypto + functions[i].at, &function, sizeof function);
	}
	return library ? 0 : err_report(PITH_FAILED, LIBRARY, "OpenSSL's library cannot be loaded; install it: apt-get install libssl3");
}

struct sign_key {
	EVP_PKEY *pkey;
	uint8_t public[SIGN_KEY_LEN];
};

/* Asked for a pass phrase: nobody is here to type one. */
static int pass_phrase_none(char *text, int len, int writing, void *asked)
{
	*(bool *)asked = true;
	return 0;
}

/* A key of either kind from a PEM file, which is wiped from memory; NULL in *ret_pkey: it holds none. *ret_other: but one of the other kind. */
static int pem_read(const char *path, bool private, EVP_PKEY **ret_pkey, bool *ret_asked, bool *ret_other)
{
	struct buf text = { 0 };
	int error = file_read(path, KEY_FILE_MAX, &text), status;
	BIO *bio;

	if (error)
		return err_report(PITH_USAGE, path, "cannot read the key: %s; check the path", strerror(-error));
	status = library_load();
	if (!status) {
		bio = crypto.BIO_new_mem_buf_(text.data ? text.data : "", (int)text.len);
		*ret_pkey = !bio ? NULL : private ? crypto.PEM_read_bio_PrivateKey_(bio, NULL, pass_phrase_none, ret_asked) : crypto.PEM_read_bio_PUBKEY_(bio, NULL, NULL, NULL);
		crypto.BIO_free_(bio);
		*ret_other = text.data && strstr(text.data, private ? "BEGIN PUBLIC KEY" : "PRIVATE KEY");
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	buf_free(&text);
	return status;
}

static bool is_ed25519(EVP_PKEY *pkey, uint8_t public[SIGN_KEY_LEN])
{
	size_t len = SIGN_KEY_LEN;

	return crypto.EVP_PKEY_get_id_(pkey) == EVP_PKEY_ED25519 && crypto.EVP_PKEY_get_raw_public_key_(pkey, public, &len) == 1 && len == SIGN_KEY_LEN;
}

int sign_key_read(const char *path, struct sign_key **ret_key)
{
	bool asked = false, other = false;
	struct sign_key *key = xcalloc(1, sizeof *key);
	int status = pem_read(path, true, &key->pkey, &asked, &other);

	if (!status && !key->pkey && asked)
		status = err_report(PITH_USAGE, path, "the key is encrypted; decrypt it: openssl pkey -in %s -out FILE", path);
	else if (!status && !key->pkey && other)
		status = err_report(PITH_USAGE, path, "a public key; --sign takes the private one");
	else if (!status && !key->pkey)
		status = err_report(PITH_USAGE, path, "no private key in PEM form; make one: openssl genpkey -algorithm ed25519 -out key.pem");
	else if (!status && !is_ed25519(key->pkey, key->public))
		status = err_report(PITH_USAGE, path, "not an Ed25519 key; make one: openssl genpkey -algorithm ed25519 -out key.pem");
	if (status)
		sign_key_free(key);
	else
		*ret_key = key;
	return status;
}

void sign_key_free(struct sign_key *key)
{
	if (key && key->pkey)
		crypto.EVP_PKEY_free_(key->pkey);
	free(key);
}

void sign_key_public(const struct sign_key *key, uint8_t ret_public[SIGN_KEY_LEN])
{
	memcpy(ret_public, key->public, SIGN_KEY_LEN);
}

int sign_make(const struct sign_key *key, const void *text, size_t len, uint8_t ret_signature[SIGN_LEN])
{
	EVP_MD_CTX *ctx = crypto.EVP_MD_CTX_new_();
	size_t signature_len = SIGN_LEN;
	bool good = ctx && crypto.EVP_DigestSignInit_(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
		    crypto.EVP_DigestSign_(ctx, ret_signature, &signature_len, text, len) == 1 && signature_len == SIGN_LEN;

	crypto.EVP_MD_CTX_free_(ctx);
	return good ? 0 : err_report(PITH_FAILED, "--sign", "libcrypto cannot sign; check the key with openssl pkey -check");
}

int sign_public_read(const char *path, uint8_t ret_public[SIGN_KEY_LEN])
{
	bool asked = false, other = false;
	EVP_PKEY *pkey = NULL;
	int status = pem_read(path, false, &pkey, &asked, &other);

	if (status)
		return status;
	if (!pkey && other)
		status = err_report(PITH_USAGE, path, "a private key; here its public half is needed: openssl pkey -in %s -pubout -out FILE", path);
	else if (!pkey)
		status = err_report(PITH_USAGE, path, "no public key in PEM form; make it: openssl pkey -in key.pem -pubout -out pub.pem");
	else if (!is_ed25519(pkey, ret_public))
		status = err_report(PITH_USAGE, path, "not an Ed25519 key");
	crypto.EVP_PKEY_free_(pkey);
	return status;
}

int sign_check(const uint8_t public[SIGN_KEY_LEN], const void *text, size_t len, const uint8_t signature[SIGN_LEN], bool *ret_good)
{
	int status = library_load();
	EVP_MD_CTX *ctx;
	EVP_PKEY *pkey;

	if (status)
		return status;
	pkey = crypto.EVP_PKEY_new_raw_public_key_(EVP_PKEY_ED25519, NULL, public, SIGN_KEY_LEN);
	ctx = crypto.EVP_MD_CTX_new_();
	*ret_good = pkey && ctx && crypto.EVP_DigestVerifyInit_(ctx, NULL, NULL, NULL, pkey) == 1 &&
		    crypto.EVP_DigestVerify_(ctx, signature, SIGN_LEN, text, len) == 1;
	crypto.EVP_MD_CTX_free_(ctx);
	crypto.EVP_PKEY_free_(pkey);
	return 0;
}
