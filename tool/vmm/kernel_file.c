/*
 * kernel_file.c - which kernel file the command boots.
 */
#include "vmm/kernel_file.h"

#include <elf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/err.h"
#include "util/file.h"

/* A name beside the running command; NULL if it is not there. */
static char *beside_command(const char *name)
{
	char self[PATH_MAX], *slash, *path;
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (n <= 0)
		return NULL;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return NULL;
	path = xasprintf("%.*s/%s", (int)(slash - self), self, name);
	if (access(path, R_OK) == 0)
		return path;
	free(path);
	return NULL;
}

char *kernel_file_locate(void)
{
	const char *given = getenv("PITH_KERNEL");
	char *path;

	if (given && *given)
		return access(given, R_OK) == 0 ? file_absolute(given) : NULL;
	path = beside_command("pith.elf.stripped");
	if (!path)
		path = beside_command("../lib/pith/kernel.elf");
	return path;
}

int kernel_file_find(char **ret_path)
{
	const char *given = getenv("PITH_KERNEL");

	*ret_path = kernel_file_locate();
	if (*ret_path)
		return 0;
	if (given && *given)
		return err_report(PITH_FAILED, given, "cannot read the kernel that PITH_KERNEL names: %s; check the path", strerror(errno));
	return err_report(PITH_FAILED, "the kernel", "neither beside the command nor in ../lib/pith from there; run make, or set PITH_KERNEL");
}

char *kernel_file_find_debug(void)
{
	const char *given = getenv("PITH_KERNEL_DEBUG");
	char *path;

	if (given && *given)
		return access(given, R_OK) == 0 ? xstrdup(given) : NULL;
	path = beside_command("pith.elf");
	if (!path)
		path = beside_command("../lib/pith/pith.elf.debug");
	return path;
}

static char *part_find(const char *name)
{
	char *in_lib = xasprintf("../lib/pith/%s", name), *path = beside_command(name);

	if (!path)
		path = beside_command(in_lib);
	free(in_lib);
	return path;
}

int kernel_file_find_part(const char *name, char **ret_path)
{
	*ret_path = part_find(name);
	return *ret_path ? 0 : err_report(PITH_FAILED, name, "neither beside the command nor in ../lib/pith from there; run make, or install pith again");
}

char *kernel_file_find_map(void)
{
	return getenv("PITH_KERNEL") ? NULL : part_find("kernel.map");
}

/* A kernel of the user's choice (PITH_KERNEL) may be another one than the table's: only a table in its own directory counts. */
char *kernel_file_find_lines(void)
{
	static const char *const names[] = { "pith.lines", "kernel.lines" };
	char *kernel = kernel_file_locate(), *slash = kernel ? strrchr(kernel, '/') : NULL, *path = NULL;

	for (size_t i = 0; slash && !path && i < sizeof names / sizeof *names; i++) {
		path = xasprintf("%.*s/%s", (int)(slash - kernel), kernel, names[i]);
		if (access(path, R_OK) < 0) {
			free(path);
			path = NULL;
		}
	}
	free(kernel);
	return path;
}

uint64_t kernel_file_load_end(int fd, uint64_t offset)
{
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr;
	uint64_t end = 0;

	if (file_pread_all(fd, &ehdr, sizeof ehdr, offset) < 0 || memcmp(ehdr.e_ident, ELFMAG, SELFMAG) ||
	    ehdr.e_ident[EI_CLASS] != ELFCLASS64 || ehdr.e_phentsize != sizeof phdr)
		return 0;
	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		if (file_pread_all(fd, &phdr, sizeof phdr, offset + ehdr.e_phoff + i * sizeof phdr) < 0)
			return 0;
		if (phdr.p_type == PT_LOAD && phdr.p_paddr + phdr.p_memsz > end)
			end = phdr.p_paddr + phdr.p_memsz;
	}
	return end;
}
