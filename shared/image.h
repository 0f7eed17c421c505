/*
 * image.h - the image: one raw disk file with a GPT (UEFI 2.10, chapter 5).
 *
 *   partition "pith-kernel"  the kernel, an ELF64 file with a PVH note
 *   partition "pith-config"  the boot configuration (shared/bootconf.h), zero padded
 *   partition "pith-root"    the EROFS root
 *   partition "pith-verity"  the root's hash tree, dm-verity's format (tool/image/verity.h); the root hash
 *                            is in the configuration (verity=)
 *   partition "pith-meta"    what went in, for people and `pith inspect`: one JSON
 *                            object, zero padded; the kernel does not read it
 *   partition "pith-seal"    digests of the others, and the signature (tool/image/seal.h), zero padded
 *
 * Partitions start on 1 MiB boundaries; type GUIDs are below; the disk's and the
 * partitions' own GUIDs are derived from the contents (SHA-256), so that the same
 * inputs give the same bytes: a partition's GUID is the beginning of the SHA-256 of
 * all its bytes, the disk's that of the partitions' digests (version 8 GUIDs), so a
 * changed byte shows. The kernel partition's exact ELF length is found in the ELF
 * headers; the EROFS length in its superblock. What lies outside of tables and
 * partitions is zero. docs/image.md is the long form.
 */
#ifndef PITH_SHARED_IMAGE_H
#define PITH_SHARED_IMAGE_H

#define PITH_GUID_KERNEL "7e9ec2a1-5a1b-4b0e-9f2b-70697468006b"
#define PITH_GUID_CONFIG "7e9ec2a1-5a1b-4b0e-9f2b-706974680063"
#define PITH_GUID_ROOT   "7e9ec2a1-5a1b-4b0e-9f2b-706974680072"
#define PITH_GUID_VERITY "7e9ec2a1-5a1b-4b0e-9f2b-706974680076"
#define PITH_GUID_SEAL   "7e9ec2a1-5a1b-4b0e-9f2b-706974680073"
#define PITH_GUID_META   "7e9ec2a1-5a1b-4b0e-9f2b-70697468006d"
#define PITH_IMAGE_ALIGN (1u << 20)
#endif
