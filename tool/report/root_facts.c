/*
 * root_facts.c - walking an image's root (root_facts.h).
 *
 * A shell is a file by one of the names that shells have; an executable is an ELF file that is meant to be started (static, marked as
 * position-independent executable, or with an interpreter and no name for linkers), a library one that is not.
 */
#include "report/root_facts.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <nettle/sha1.h>

#include "image/erofs_read.h"
#include "report/gadgets.h"
#include "util/hash.h"

#define FILE_MAX  (256u << 20)
#define CODE_MAX  (256ull << 20) /* of ELF files that are looked into for gadgets */

struct walk {
	const struct image *image;
	json_t *files, *shells, *setuid, *hardening;
	json_int_t directories, links, bytes, executables, libraries;
	uint64_t looked_into;
	struct gadget_count gadgets;
	bool too_much;
};

static bool is_shell(const char *path)
{
	static const char *const names[] = { "sh", "bash", "dash", "zsh", "ksh", "mksh", "fish", "csh", "tcsh", "ash", "busybox", "rbash", "toybox" };
	const char *name = strrchr(path, '/');

	for (size_t i = 0; name && i < sizeof names / sizeof *names; i++) {
		if (!strcmp(name + 1, names[i]))
			return true;
	}
	return false;
}

/* Program headers one by one: false when there are no more. */
static bool phdr_at(const struct buf *file, const Elf64_Ehdr *ehdr, unsigned int i, Elf64_Phdr *ret_phdr)
{
	if (i >= ehdr->e_phnum || ehdr->e_phentsize != sizeof *ret_phdr || ehdr->e_phoff > file->len ||
	    file->len - ehdr->e_phoff < (i + 1) * sizeof *ret_phdr)
		return false;
	memcpy(ret_phdr, file->data + ehdr->e_phoff + i * sizeof *ret_phdr, sizeof *ret_phdr);
	return true;
}

struct dynamic {
	bool there, now, pie, named;
};

static void dynamic_look(const struct buf *file, const Elf64_Phdr *dynamic, struct dynamic *ret)
{
	Elf64_Dyn d;

	ret->there = true;

	for (uint64_t at = 0; dynamic->p_offset <= file->len && dynamic->p_filesz <= file->len - dynamic->p_offset && at + sizeof d <= dynamic->p_filesz;
	     at += sizeof d) {
		memcpy(&d, file->data + dynamic->p_offset + at, sizeof d);
		ret->now = ret->now || (d.d_tag == DT_FLAGS && (d.d_un.d_val & DF_BIND_NOW)) || (d.d_tag == DT_FLAGS_1 && (d.d_un.d_val & DF_1_NOW)) ||
			   d.d_tag == DT_BIND_NOW;
		ret->pie = ret->pie || (d.d_tag == DT_FLAGS_1 && (d.d_un.d_val & DF_1_PIE));
		ret->named = ret->named || d.d_tag == DT_SONAME;
	}
}

/* What an ELF file is, and how the program was hardened when it was linked. */
static void elf_look(struct walk *w, const char *path, const struct buf *file)
{
	bool interpreter = false, nx = false, relro = false;
	struct dynamic dynamic = { 0 };
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;

	memcpy(&ehdr, file->data, sizeof ehdr);
	for (unsigned int i = 0; phdr_at(file, &ehdr, i, &phdr); i++) {
		interpreter = interpreter || phdr.p_type == PT_INTERP;
		relro = relro || phdr.p_type == PT_GNU_RELRO;
		nx = nx || (phdr.p_type == PT_GNU_STACK && !(phdr.p_flags & PF_X));
		if (phdr.p_type == PT_DYNAMIC)
			dynamic_look(file, &phdr, &dynamic);
	}
	if (dynamic.pie || (interpreter && !dynamic.named) || (!dynamic.there && ehdr.e_type == ET_EXEC))
		w->executables++;
	else
		w->libraries++;
	if (w->image->conf.exec && !strcmp(path, w->image->conf.exec))
		w->hardening = json_pack("{s:b, s:b, s:b, s:b}", "pie", ehdr.e_type == ET_DYN, "nx_stack", nx, "relro", relro, "bind_now", dynamic.now);
	w->looked_into += file->len;
	w->too_much = w->too_much || w->looked_into > CODE_MAX;
	if (!w->too_much)
		gadgets_count_elf((const uint8_t *)file->data, file->len, &w->gadgets);
}

/* JSON is UTF-8; what a name has beside it becomes question marks. */
static json_t *path_text(const char *path)
{
	json_t *text = json_string(path);
	char *plain;

	if (text)
		return text;
	plain = xstrdup(path);
	for (char *p = plain; *p; p++)
		*p = *p & 0x80 ? '?' : *p;
	text = json_string(plain);
	free(plain);
	return text;
}

/* No package vouches for what is in it: its digests stand in the report (SHA-1 because SPDX wants it). */
static void digests_add(json_t *file, const struct buf *bytes)
{
	char hex[HASH_HEX_LEN], hex1[2 * SHA1_DIGEST_SIZE + 1];
	uint8_t digest[HASH_LEN], digest1[SHA1_DIGEST_SIZE];
	struct sha1_ctx sha1;
	struct hash h;

	hash_init(&h);
	hash_add(&h, bytes->data, bytes->len);
	hash_end(&h, digest);
	hash_hex(digest, hex);
	sha1_init(&sha1);
	sha1_update(&sha1, bytes->len, (const uint8_t *)bytes->data);
	sha1_digest(&sha1, sizeof digest1, digest1);
	for (size_t i = 0; i < sizeof digest1; i++)
		snprintf(hex1 + 2 * i, 3, "%02x", digest1[i]);
	json_object_set_new(file, "sha256", json_string(hex));
	json_object_set_new(file, "sha1", json_string(hex1));
}

static bool is_unpackaged(const struct walk *w, const char *path)
{
	json_t *name;
	size_t i;

	json_array_foreach(json_object_get(w->image->meta, "unpackaged"), i, name) {
		if (!strcmp(json_string_value(name) ? json_string_value(name) : "", path))
			return true;
	}
	return false;
}

static void visit(void *context, const struct erofs_file *f)
{
	struct walk *w = context;
	struct buf bytes;
	json_t *path = path_text(f->path);

	if (S_ISDIR(f->mode))
		w->directories++;
	if (S_ISLNK(f->mode))
		w->links++;
	if (is_shell(f->path))
		json_array_append(w->shells, path);
	if (S_ISREG(f->mode)) {
		if (f->mode & (S_ISUID | S_ISGID))
			json_array_append(w->setuid, path);
		json_t *file = json_pack("{s:O, s:I}", "path", path, "bytes", (json_int_t)f->len);
		bool own = is_unpackaged(w, f->path);

		json_array_append_new(w->files, file);
		w->bytes += (json_int_t)f->len;
		if ((own || f->len >= sizeof(Elf64_Ehdr)) && erofs_read_file(w->image->fd, w->image->root_offset, w->image->root_len, f->nid, FILE_MAX, &bytes)) {
			if (own)
				digests_add(file, &bytes);
			if (f->len >= sizeof(Elf64_Ehdr) && !memcmp(bytes.data, ELFMAG, SELFMAG) && bytes.data[EI_CLASS] == ELFCLASS64)
				elf_look(w, f->path, &bytes);
			buf_free(&bytes);
		}
	}
	json_decref(path);
}

json_t *root_facts(const struct image *image, json_t **ret_files)
{
	struct walk w = { .image = image, .files = json_array(), .shells = json_array(), .setuid = json_array() };
	json_t *facts = NULL;

	if (erofs_walk(image->fd, image->root_offset, image->root_len, visit, &w)) {
		facts = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:O, s:O}", "files", (json_int_t)json_array_size(w.files), "directories", w.directories,
				  "links", w.links, "file_bytes", w.bytes, "executables", w.executables, "libraries", w.libraries, "shells", w.shells,
				  "setuid", w.setuid);
		if (!w.too_much) {
			json_object_set_new(facts, "code_bytes", json_integer((json_int_t)w.gadgets.code_bytes));
			json_object_set_new(facts, "gadgets", json_integer((json_int_t)w.gadgets.gadgets));
		}
		if (w.hardening)
			json_object_set(facts, "hardening", w.hardening);
		*ret_files = json_incref(w.files);
	}
	json_decref(w.files);
	json_decref(w.shells);
	json_decref(w.setuid);
	json_decref(w.hardening);
	return facts;
}
