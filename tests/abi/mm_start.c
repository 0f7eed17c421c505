/* mm_start.c - what a program finds when it starts: auxiliary vector, stack, maps. */
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include "mm_probe.h"

extern char **environ;

int main(int argc, char **argv)
{
	probe_init();
	const ElfW(Ehdr) *vdso = (void *)getauxval(AT_SYSINFO_EHDR);
	const ElfW(Phdr) *ph = (void *)getauxval(AT_PHDR);
	unsigned char *rnd = (void *)getauxval(AT_RANDOM), any = 0;

	NOTE("argc", "%d %d", argc, argv[argc] == NULL);
	NOTE("page size", "%lu", getauxval(AT_PAGESZ));
	NOTE("clock ticks", "%lu", getauxval(AT_CLKTCK));
	NOTE("phdr", "%d %lu", ph != NULL, getauxval(AT_PHENT));
	NOTE("phdr type", "%d", ph && ph->p_type <= PT_PHDR);
	NOTE("phnum", "%d", getauxval(AT_PHNUM) > 2);
	NOTE("base of a static program", "%lu", getauxval(AT_BASE));
	NOTE("entry", "%d", getauxval(AT_ENTRY) != 0);
	NOTE("secure", "%lu", getauxval(AT_SECURE));
	NOTE("flags", "%lu", getauxval(AT_FLAGS));
	NOTE("platform", "%s", (char *)getauxval(AT_PLATFORM));
	NOTE("execfn", "%d", strcmp(strrchr((char *)getauxval(AT_EXECFN), '/') + 1, strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0]) == 0);
	for (int i = 0; i < 16; i++)
		any |= rnd[i];
	NOTE("random", "%d", any != 0);
	NOTE("hwcap", "%d", (getauxval(AT_HWCAP) & (1 << 26)) != 0);
	NOTE("minsigstksz", "%d", getauxval(AT_MINSIGSTKSZ) >= 1024);
	NOTE("uid agrees", "%d %d", getauxval(AT_UID) == getuid(), getauxval(AT_EGID) == getegid());
	NOTE("vdso", "%d", vdso && !memcmp(vdso->e_ident, ELFMAG, 4));
	NOTE("vdso is read-only", "%s", vdso ? probe_write((void *)vdso) : "none");
	NOTE("strings above the vectors", "%d", (char *)environ < argv[0] && (char *)argv < (char *)environ);
	NOTE("stack is aligned", "%lu", (unsigned long)&argv[-1] % 16);
	NOTE("rodata", "%s", probe_write((void *)"constant"));
	NOTE("text", "%s", probe_write((void *)main));
	return 0;
}
