/*
 * inventory.c - reading what a kernel contains: its note, and its table of system calls.
 */
#include "image/inventory.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "scan/table.h"
#include "util/file.h"
#include "util/str.h"

#define NOTE_OWNER "Pith"
#define NOTE_TYPE  1u
#define NOTE_MAX   (1u << 20)
#define NAMES_MAX  4096u     /* of sections */
#define TABLE      ".syscalls"
#define RECORD_LEN 6u
#define RECORD_NR  4u        /* the number in a record */

static const struct { const char *word, *key; } kinds[] = {
	{ "syscall ", "syscalls" }, { "driver ", "drivers" }, { "filesystem ", "filesystems" }, { "mitigation ", "mitigations" },
	{ "part ", "kernel_parts" },
};

#define KIND_COUNT (sizeof kinds / sizeof *kinds)

static void text_read(const char *text, size_t len, json_t *object)
{
	const char *end = text + len;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t line_len = newline ? (size_t)(newline - text) : (size_t)(end - text);

		for (size_t i = 0; i < KIND_COUNT; i++) {
			size_t word_len = strlen(kinds[i].word);

			if (line_len > word_len && !memcmp(text, kinds[i].word, word_len))
				json_array_append_new(json_object_get(object, kinds[i].key), json_stringn(text + word_len, line_len - word_len));
		}
		text += line_len + (newline != NULL);
	}
}

/* One PT_NOTE segment: notes of owner length, text length, type, each part padded to 4 bytes. */
static bool segment_read(const char *data, size_t len, json_t *object)
{
	size_t at = 0;
	bool found = false;

	while (len - at >= sizeof(Elf64_Nhdr)) {
		Elf64_Nhdr note;
		size_t owner_at = at + sizeof note, text_at;

		memcpy(&note, data + at, sizeof note);
		if (note.n_namesz > len || note.n_descsz > len)
			break;
		text_at = owner_at + (note.n_namesz + 3u) / 4 * 4;
		if (text_at > len || note.n_descsz > len - text_at)
			break;
		if (note.n_type == NOTE_TYPE && note.n_namesz == sizeof NOTE_OWNER && !memcmp(data + owner_at, NOTE_OWNER, sizeof NOTE_OWNER)) {
			text_read(data + text_at, strnlen(data + text_at, note.n_descsz), object);
			found = true;
		}
		at = text_at + (note.n_descsz + 3u) / 4 * 4;
		if (at > len)
			break;
	}
	return found;
}

/* The kernel's records of calls (kernel/linux/dispatch.c): where the handler is, and the number. */
static void table_read(int fd, uint64_t at, uint64_t len, json_t *list)
{
	struct buf table = { 0 };

	buf_zero(&table, len);
	if (file_pread_all(fd, table.data, table.len, at) == 0) {
		for (size_t i = 0; i + RECORD_LEN <= len; i += RECORD_LEN) {
			uint16_t nr;

			memcpy(&nr, table.data + i + RECORD_NR, sizeof nr);
			if (scan_call_level(nr) != SCAN_NONE)
				json_array_append_new(list, scan_call_name(nr) ? json_string(scan_call_name(nr)) : json_sprintf("%u", nr));
		}
	}
	buf_free(&table);
}

/* The section with the table, found by its name. */
static void table_find(int fd, uint64_t offset, uint64_t len, const Elf64_Ehdr *ehdr, json_t *list)
{
	char names[NAMES_MAX + 1] = "";
	Elf64_Shdr shdr;

	if (ehdr->e_shentsize != sizeof shdr || !ehdr->e_shoff ||
	    file_pread_all(fd, &shdr, sizeof shdr, offset + ehdr->e_shoff + ehdr->e_shstrndx * sizeof shdr) < 0 || shdr.sh_size > NAMES_MAX ||
	    file_pread_all(fd, names, shdr.sh_size, offset + shdr.sh_offset) < 0)
		return;
	for (unsigned int i = 0; i < ehdr->e_shnum; i++) {
		if (file_pread_all(fd, &shdr, sizeof shdr, offset + ehdr->e_shoff + i * sizeof shdr) < 0)
			return;
		if (shdr.sh_name < NAMES_MAX && !strcmp(names + shdr.sh_name, TABLE) && shdr.sh_size <= NOTE_MAX && shdr.sh_offset <= len &&
		    shdr.sh_size <= len - shdr.sh_offset)
			table_read(fd, offset + shdr.sh_offset, shdr.sh_size, list);
	}
}

bool inventory_read(int fd, uint64_t offset, uint64_t len, json_t *object)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	bool found = false;

	for (size_t i = 0; i < KIND_COUNT; i++)
		json_object_set_new(object, kinds[i].key, json_array());
	if (len < sizeof ehdr || file_pread_all(fd, &ehdr, sizeof ehdr, offset) < 0)
		return false;
	table_find(fd, offset, len, &ehdr, json_object_get(object, "syscalls"));
	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		struct buf data = { 0 };

		if (file_pread_all(fd, &phdr, sizeof phdr, offset + ehdr.e_phoff + i * sizeof phdr) < 0)
			break;
		if (phdr.p_type != PT_NOTE || phdr.p_filesz > NOTE_MAX || phdr.p_offset > len || phdr.p_filesz > len - phdr.p_offset)
			continue;
		buf_zero(&data, phdr.p_filesz);
		if (file_pread_all(fd, data.data, data.len, offset + phdr.p_offset) == 0 && segment_read(data.data, data.len, object))
			found = true;
		buf_free(&data);
	}
	return found;
}
