/*
 * elf_file.c - what an ELF file asks of its surroundings, read through libelf.
 *
 * The dynamic section is found by the program headers, as the loader finds it:
 * section headers may be missing. Only the list of imported symbols, which is
 * used for a hint, comes from the section headers.
 */
#include "image/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PHDRS_MAX   512
#define DYNAMIC_MAX 65536
#define STRING_MAX  4096

/* Reads a NUL-terminated string at a file offset; NULL when it does not end in time. */
static char *string_at(int fd, uint64_t offset)
{
	char text[STRING_MAX];
	ssize_t n = pread(fd, text, sizeof text, (off_t)offset);

	if (n <= 0 || !memchr(text, '\0', (size_t)n))
		return NULL;
	return xstrdup(text);
}

/* Where the loader would find an address of the image in the file. */
static bool address_to_offset(Elf *elf, size_t phdr_count, uint64_t address, uint64_t *ret_offset)
{
	GElf_Phdr phdr;

	for (size_t i = 0; i < phdr_count; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr) || phdr.p_type != PT_LOAD)
			continue;
		if (address >= phdr.p_vaddr && address - phdr.p_vaddr < phdr.p_filesz) {
			*ret_offset = phdr.p_offset + (address - phdr.p_vaddr);
			return true;
		}
	}
	return false;
}

static void dynamic_read(Elf *elf, int fd, size_t phdr_count, const GElf_Phdr *dynamic, struct elf_file *file)
{
	size_t len = dynamic->p_filesz < DYNAMIC_MAX ? (size_t)dynamic->p_filesz : DYNAMIC_MAX;
	Elf_Data *data = elf_getdata_rawchunk(elf, (int64_t)dynamic->p_offset, len, ELF_T_DYN);
	uint64_t strtab = 0, offset;
	GElf_Dyn dyn;

	if (!data)
		return;
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		if (dyn.d_tag == DT_STRTAB)
			strtab = dyn.d_un.d_ptr;
	}
	if (!address_to_offset(elf, phdr_count, strtab, &offset))
		return;
	for (int i = 0; gelf_getdyn(data, i, &dyn) && dyn.d_tag != DT_NULL; i++) {
		char *text;

		if (dyn.d_tag != DT_NEEDED && dyn.d_tag != DT_SONAME && dyn.d_tag != DT_RPATH && dyn.d_tag != DT_RUNPATH)
			continue;
		text = string_at(fd, offset + dyn.d_un.d_val);
		if (!text)
			continue;
		if (dyn.d_tag == DT_NEEDED) {
			strv_take(&file->needed, text);
		} else {
			char **field = dyn.d_tag == DT_SONAME ? &file->soname : dyn.d_tag == DT_RPATH ? &file->rpath : &file->runpath;

			free(*field);
			*field = text;
		}
	}
	if (file->runpath) {
		free(file->rpath);
		file->rpath = NULL;
	}
}

static void imports_read(Elf *elf, struct elf_file *file)
{
	Elf_Scn *section = NULL;
	GElf_Shdr shdr;
	GElf_Sym sym;

	while ((section = elf_nextscn(elf, section))) {
		Elf_Data *data;

		if (!gelf_getshdr(section, &shdr) || shdr.sh_type != SHT_DYNSYM)
			continue;
		data = elf_getdata(section, NULL);
		for (int i = 1; data && gelf_getsym(data, i, &sym); i++) {
			const char *name = elf_strptr(elf, shdr.sh_link, sym.st_name);

			if (!name || sym.st_shndx != SHN_UNDEF)
				continue;
			if (!strcmp(name, "pthread_exit") || !strcmp(name, "pthread_cancel"))
				file->unwinds_threads = true;
			else if (!strcmp(name, "dlopen"))
				file->opens_libraries = true;
		}
	}
}

static int elf_parse(Elf *elf, int fd, uint64_t file_len, struct elf_file *file)
{
	GElf_Ehdr ehdr;
	GElf_Phdr phdr;
	size_t phdr_count;

	if (elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &ehdr) || elf_getphdrnum(elf, &phdr_count) < 0)
		return -ENOEXEC;
	file->elf_class = ehdr.e_ident[EI_CLASS];
	file->encoding = ehdr.e_ident[EI_DATA];
	file->machine = ehdr.e_machine;
	file->type = ehdr.e_type;
	file->entry = ehdr.e_entry;
	if (phdr_count > PHDRS_MAX)
		return -ENOEXEC;
	for (size_t i = 0; i < phdr_count; i++) {
		if (!gelf_getphdr(elf, (int)i, &phdr))
			return -ENOEXEC;
		if (phdr.p_filesz > file_len || phdr.p_offset > file_len - phdr.p_filesz)
			return phdr.p_type == PT_LOAD || phdr.p_type == PT_INTERP ? -ENOEXEC : 0;
		if (phdr.p_type == PT_LOAD) {
			file->load_len += phdr.p_memsz;
		} else if (phdr.p_type == PT_INTERP) {
			free(file->interp);
			file->interp = string_at(fd, phdr.p_offset);
			if (!file->interp)
				return -ENOEXEC;
		} else if (phdr.p_type == PT_DYNAMIC) {
			dynamic_read(elf, fd, phdr_count, &phdr, file);
		}
	}
	imports_read(elf, file);
	return 0;
}

int elf_file_read(const char *path, struct elf_file *ret_file)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char magic[SELFMAG];
	struct stat st;
	int error;
	Elf *elf;

	*ret_file = (struct elf_file){ 0 };
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		error = S_ISDIR(st.st_mode) ? -EISDIR : -ENOEXEC;
		close(fd);
		return error;
	}
	if (pread(fd, magic, SELFMAG, 0) != SELFMAG || memcmp(magic, ELFMAG, SELFMAG) != 0) {
		close(fd);
		return -ENOEXEC;
	}
	elf_version(EV_CURRENT);
	elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	error = elf ? elf_parse(elf, fd, (uint64_t)st.st_size, ret_file) : -ENOEXEC;
	elf_end(elf);
	close(fd);
	if (error)
		elf_file_free(ret_file);
	return error;
}

void elf_file_free(struct elf_file *file)
{
	free(file->interp);
	free(file->soname);
	free(file->rpath);
	free(file->runpath);
	strv_free(&file->needed);
	*file = (struct elf_file){ 0 };
}

bool elf_file_is_native(const struct elf_file *file)
{
	return file->elf_class == ELFCLASS64 && file->encoding == ELFDATA2LSB && file->machine == EM_X86_64;
}

const char *elf_machine_name(const struct elf_file *file)
{
	switch (file->machine) {
	case EM_X86_64: return file->elf_class == ELFCLASS64 ? "x86-64" : "x32";
	case EM_386: return "32-bit x86";
	case EM_AARCH64: return "aarch64";
	case EM_ARM: return "32-bit arm";
	case EM_RISCV: return "riscv";
	case EM_PPC64: return "ppc64";
	case EM_S390: return "s390x";
	case EM_MIPS: return "mips";
	default: return "another machine";
	}
}

bool elf_file_holds(const char *path, const char *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map = MAP_FAILED;
	bool holds = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0)
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map != MAP_FAILED) {
		holds = memmem(map, (size_t)st.st_size, text, strlen(text) + 1) != NULL;
		munmap(map, (size_t)st.st_size);
	}
	if (fd >= 0)
		close(fd);
	return holds;
}
