/*
 * inventory.c - reading the kernel's note about itself.
 */
#include "image/inventory.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "util/file.h"
#include "util/str.h"

#define NOTE_OWNER "Pith"
#define NOTE_TYPE  1u
#define NOTE_MAX   (1u << 20)

static const struct { const char *word, *key; } kinds[] = {
	{ "syscall ", "syscalls" }, { "driver ", "drivers" }, { "filesystem ", "filesystems" }, { "mitigation ", "mitigations" },
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

bool inventory_read(int fd, uint64_t offset, uint64_t len, json_t *object)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	bool found = false;

	for (size_t i = 0; i < KIND_COUNT; i++)
		json_object_set_new(object, kinds[i].key, json_array());
	if (len < sizeof ehdr || file_pread_all(fd, &ehdr, sizeof ehdr, offset) < 0)
		return false;
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
