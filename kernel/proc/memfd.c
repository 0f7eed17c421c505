/* memfd.c - unnamed memory files. What can fail: memory. */
#include "proc/event_files.h"

int memfd_create_file(const char *name, bool sealable, struct file **ret)
{
	struct vnode *v;
	int r;

	r = fs_new_memfile(name, &v);
	if (r < 0)
		return r;
	if (!sealable)
		r = fs_memfile_seal(v, LX_F_SEAL_SEAL);
	if (r == 0)
		r = file_from_vnode(v, LX_O_RDWR | LX_O_LARGEFILE, ret);
	vnode_put(v);
	return r;
}
