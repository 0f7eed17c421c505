/* memfd.c - unnamed memory files. What can fail: memory. */
#include "proc/event_files.h"
#include "base/print.h"

int memfd_create_file(const char *name, bool sealable, struct file **ret)
{
	char shown[FS_NAME_MAX + 1];
	struct vnode *v;
	int r;

	fmt_buf(shown, sizeof(shown), "memfd:%s", name);
	r = fs_new_memfile(shown, &v);
	if (r < 0)
		return r;
	if (!sealable)
		r = fs_memfile_seal(v, LX_F_SEAL_SEAL);
	if (r == 0)
		r = file_from_vnode(v, LX_O_RDWR | LX_O_LARGEFILE, ret);
	vnode_put(v);
	return r;
}
