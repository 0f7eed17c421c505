/*
 * names.c - which function lies at an address of a running machine.
 *
 * Files are mapped by pages, so that a piece of code stands in memory at the same place within its page as in the file. Pieces of
 * CHUNK bytes of all executable segments are kept by their hash; the piece around an address is read once and remembered. Two
 * files with the same piece are the same code; the first one's name is taken.
 *
 * The kernel is loaded at a random page and changes some of its own code at boot: its base is where the bytes at an address
 * fit its file, tried at each new address until it is known.
 */
#include "profile/names.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/erofs_read.h"
#include "scan/object.h"
#include "util/err.h"
#include "util/file.h"
#include "util/str.h"

#define CHUNK       2048u
#define PAGE        4096u
#define WINDOW      32u                /* bytes that must be alike to find the kernel */
#define FILE_MAX    (1u << 30)
#define KERNEL_HALF (1ull << 63)
#define CALL_MAX    7u                 /* bytes of the longest call */
#define FUNCTION_MAX 8192u             /* of the kernel's longest function, and more */

struct chunk {
	uint64_t hash, address;       /* address: where the file's headers put it */
	unsigned int file;
};

struct file {
	char *path;
	int fd;                       /* its bytes, in memory */
	bool tried;
	struct scan_object object;    /* from the first hit on */
	bool good;
};

struct seen {
	uint64_t address;             /* of the chunk in the machine */
	const struct chunk *chunk;    /* NULL: in no file */
};

struct names {
	int root_fd;
	uint64_t root_offset, root_len;
	struct file *files;
	size_t file_count;
	struct chunk *chunks;         /* sorted by hash */
	size_t chunk_count, chunk_cap;
	struct seen *seen;
	size_t seen_count;
	struct scan_object kernel, symbols;
	bool kernel_good, symbols_good, based;
	uint64_t base;
};

static uint64_t hash_of(const uint8_t *bytes)
{
	uint64_t h = 14695981039346656037ull, word;

	for (size_t i = 0; i < CHUNK; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		h = (h ^ word) * 1099511628211ull;
		h ^= h >> 32;
	}
	return h;
}

static void chunk_add(struct names *names, const struct buf *bytes, uint64_t offset, uint64_t address)
{
	uint8_t piece[CHUNK] = { 0 }; /* past the file's end there are zeros */
	uint64_t len = bytes->len - offset < CHUNK ? bytes->len - offset : CHUNK;

	memcpy(piece, bytes->data + offset, len);
	if (names->chunk_count == names->chunk_cap) {
		names->chunk_cap = names->chunk_cap ? 2 * names->chunk_cap : 4096;
		names->chunks = xrealloc(names->chunks, names->chunk_cap * sizeof *names->chunks);
	}
	names->chunks[names->chunk_count++] = (struct chunk){ .hash = hash_of(piece), .address = address, .file = (unsigned int)names->file_count };
}

/* The executable segments of one file; how many pieces they have. */
static size_t segments_add(struct names *names, const struct buf *bytes)
{
	size_t before = names->chunk_count;
	Elf64_Ehdr head;

	if (bytes->len < sizeof head || memcmp(bytes->data, ELFMAG, SELFMAG))
		return 0;
	memcpy(&head, bytes->data, sizeof head);
	for (unsigned int i = 0; i < head.e_phnum && head.e_ident[EI_CLASS] == ELFCLASS64; i++) {
		uint64_t at = head.e_phoff + i * sizeof(Elf64_Phdr);
		Elf64_Phdr p;

		if (head.e_phoff > bytes->len || at + sizeof p > bytes->len)
			break;
		memcpy(&p, bytes->data + at, sizeof p);
		if (p.p_type != PT_LOAD || !(p.p_flags & PF_X) || p.p_offset > bytes->len || p.p_filesz > bytes->len - p.p_offset)
			continue;
		for (uint64_t o = p.p_offset / CHUNK * CHUNK; o < p.p_offset + p.p_filesz; o += CHUNK)
			chunk_add(names, bytes, o, p.p_vaddr - p.p_offset + o);
	}
	return names->chunk_count - before;
}

static void root_visit(void *context, const struct erofs_file *f)
{
	struct names *names = context;
	struct buf bytes = { 0 };
	int fd;

	if (S_ISREG(f->mode) && f->len > sizeof(Elf64_Ehdr) &&
	    erofs_read_file(names->root_fd, names->root_offset, names->root_len, f->nid, FILE_MAX, &bytes) && segments_add(names, &bytes)) {
		fd = file_memfd("code", bytes.data, bytes.len);
		names->files = xrealloc(names->files, (names->file_count + 1) * sizeof *names->files);
		names->files[names->file_count++] = (struct file){ .path = xstrdup(f->path), .fd = fd };
	}
	buf_free(&bytes);
}

static int compare_hash(const void *a, const void *b)
{
	const struct chunk *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash ? 1 : x->file < y->file ? -1 : x->file > y->file;
}

struct names *names_open(int root_fd, uint64_t root_offset, uint64_t root_len, const char *kernel, const char *symbols)
{
	struct names *names = xcalloc(1, sizeof *names);

	names->root_fd = root_fd;
	names->root_offset = root_offset;
	names->root_len = root_len;
	erofs_walk(root_fd, root_offset, root_len, root_visit, names);
	if (names->chunk_count)
		qsort(names->chunks, names->chunk_count, sizeof *names->chunks, compare_hash);
	names->kernel_good = scan_object_open(kernel, &names->kernel) == 0;
	names->symbols_good = symbols && scan_object_open(symbols, &names->symbols) == 0;
	return names;
}

static const struct chunk *chunk_find(const struct names *names, uint64_t hash)
{
	size_t low = 0, high = names->chunk_count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (names->chunks[middle].hash < hash)
			low = middle + 1;
		else
			high = middle;
	}
	return low < names->chunk_count && names->chunks[low].hash == hash ? &names->chunks[low] : NULL;
}

static const struct chunk *chunk_at(struct names *names, uint64_t address, names_read *read, void *context)
{
	uint8_t bytes[CHUNK];
	const struct chunk *found;

	for (size_t i = names->seen_count; i-- > 0;) {
		if (names->seen[i].address == address)
			return names->seen[i].chunk;
	}
	if (!read(context, address, bytes, CHUNK))
		return NULL; /* not there yet */
	found = chunk_find(names, hash_of(bytes));
	names->seen = xrealloc(names->seen, (names->seen_count + 1) * sizeof *names->seen);
	names->seen[names->seen_count++] = (struct seen){ .address = address, .chunk = found };
	return found;
}

static const char *program_name(struct names *names, uint64_t address, names_read *read, void *context)
{
	const struct chunk *chunk = chunk_at(names, address / CHUNK * CHUNK, read, context);
	struct file *file = chunk ? &names->files[chunk->file] : NULL;
	const char *name = NULL;

	if (!file)
		return "[unknown]";
	if (!file->tried) {
		char *path = xasprintf("/proc/self/fd/%d", file->fd), *bracketed = xasprintf("[%s]", strrchr(file->path, '/') + 1);

		file->tried = true;
		file->good = file->fd >= 0 && scan_object_open(path, &file->object) == 0;
		free(path);
		free(file->path);
		file->path = bracketed;
	}
	if (file->good)
		name = scan_object_name(&file->object, chunk->address + address % CHUNK);
	return name ? name : file->path;
}

/* Finds the kernel's base from the bytes at an address of it. */
static void kernel_locate(struct names *names, uint64_t address, names_read *read, void *context)
{
	uint8_t bytes[WINDOW];
	unsigned int fits = 0;

	if (!names->kernel_good || !read(context, address, bytes, WINDOW))
		return;
	for (size_t i = 0; i < names->kernel.range_count; i++) {
		const struct scan_range *r = &names->kernel.ranges[i];

		for (uint64_t at = r->start + (address - r->start) % PAGE; at + WINDOW <= r->end; at += PAGE) {
			if (memcmp(r->bytes + (at - r->start), bytes, WINDOW))
				continue;
			fits++;
			names->base = address - at;
		}
	}
	names->based = fits == 1;
}

static const char *kernel_name(struct names *names, uint64_t address, names_read *read, void *context)
{
	const char *name = NULL;

	if (!names->based)
		kernel_locate(names, address, read, context);
	if (names->based && names->symbols_good)
		name = scan_object_name(&names->symbols, address - names->base);
	return name ? name : "[kernel]";
}

const char *names_find(struct names *names, uint64_t address, names_read *read, void *context)
{
	return address >= KERNEL_HALF ? kernel_name(names, address, read, context) : program_name(names, address, read, context);
}

bool names_returns(const struct names *names, uint64_t address, uint64_t pc)
{
	uint64_t at = address - names->base, to = pc - names->base;
	const uint8_t *code = names->based ? scan_object_code(&names->kernel, at - CALL_MAX, CALL_MAX) : NULL;
	int32_t distance;

	if (!code)
		return false;
	/* Intel SDM 2A, CALL. */
	memcpy(&distance, code + CALL_MAX - 4, sizeof distance);
	if (code[CALL_MAX - 5] == 0xe8) {
		uint64_t target = at + (uint64_t)(int64_t)distance;

		if (names->symbols_good ? target == scan_object_start(&names->symbols, to) : to - target < FUNCTION_MAX)
			return true;
	}
	for (size_t len = 2; len <= CALL_MAX; len++) {
		if (code[CALL_MAX - len] == 0xff && (code[CALL_MAX - len + 1] & 0x38) == 0x10)
			return true;
	}
	return false;
}

void names_close(struct names *names)
{
	for (size_t i = 0; i < names->file_count; i++) {
		if (names->files[i].good)
			scan_object_close(&names->files[i].object);
		if (names->files[i].fd >= 0)
			close(names->files[i].fd);
		free(names->files[i].path);
	}
	if (names->kernel_good)
		scan_object_close(&names->kernel);
	if (names->symbols_good)
		scan_object_close(&names->symbols);
	free(names->files);
	free(names->chunks);
	free(names->seen);
	free(names);
}
