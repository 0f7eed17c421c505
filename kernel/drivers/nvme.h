/* nvme.h - NVM Express 1.4 as nvme.c uses it: registers, commands, identify data. Layout only, little-endian. */
#ifndef DRIVERS_NVME_H
#define DRIVERS_NVME_H

#include "base/types.h"

#define NVME_CLASS 0x010802u

/* Section 3.1: controller registers. */
enum { NVME_CAP = 0x00, NVME_VS = 0x08, NVME_INTMS = 0x0c, NVME_CC = 0x14, NVME_CSTS = 0x1c, NVME_AQA = 0x24, NVME_ASQ = 0x28, NVME_ACQ = 0x30,
       NVME_BELLS = 0x1000 };
#define NVME_CAP_MQES(cap)   ((unsigned)((cap) & 0xffff))        /* entries of a queue, less one */
#define NVME_CAP_TO(cap)     ((unsigned)((cap) >> 24 & 0xff))    /* units of 500 ms */
#define NVME_CAP_DSTRD(cap)  ((unsigned)((cap) >> 32 & 0xf))
#define NVME_CAP_NVM(cap)    ((cap) >> 37 & 1)
#define NVME_CAP_MPSMIN(cap) ((unsigned)((cap) >> 48 & 0xf))     /* 2^(12 + n) bytes */
#define NVME_CC_ENABLE       (1u | 6u << 16 | 4u << 20)          /* 4 KiB pages, commands of 64 bytes, completions of 16 */
#define NVME_CSTS_RDY        1u
#define NVME_CSTS_CFS        2u

enum { NVME_ADMIN_CREATE_SQ = 0x01, NVME_ADMIN_CREATE_CQ = 0x05, NVME_ADMIN_IDENTIFY = 0x06, NVME_ADMIN_SET_FEATURES = 0x09 };
enum { NVME_CMD_FLUSH = 0x00, NVME_CMD_WRITE = 0x01, NVME_CMD_READ = 0x02, NVME_CMD_ZEROES = 0x08, NVME_CMD_DSM = 0x09 };
enum { NVME_ID_NS = 0, NVME_ID_CTRL = 1, NVME_ID_NS_LIST = 2 };
#define NVME_FEAT_QUEUES 0x07u
#define NVME_DSM_DEALLOCATE 4u

struct nvme_cmd {
	u8 opcode, flags;
	u16 cid;
	u32 nsid;
	u64 reserved, metadata;
	u64 prp1, prp2;
	u32 cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
struct nvme_cqe {
	u32 result, reserved;
	u16 sq_head, sq_id;
	u16 cid, status;             /* bit 0: phase */
};
struct nvme_dsm_range {
	u32 attributes, nblocks;
	u64 block;
};
_Static_assert(sizeof(struct nvme_cmd) == 64 && sizeof(struct nvme_cqe) == 16 && sizeof(struct nvme_dsm_range) == 16, "as the specification has them");

/* Identify data, by offset (section 5.15). */
enum { NVME_CTRL_SN = 4, NVME_CTRL_SN_LEN = 20, NVME_CTRL_MDTS = 77, NVME_CTRL_ONCS = 520, NVME_CTRL_VWC = 525 };
enum { NVME_ONCS_DSM = 1u << 2, NVME_ONCS_ZEROES = 1u << 3 };
enum { NVME_NS_SIZE = 0, NVME_NS_FLBAS = 26, NVME_NS_ATTR = 99, NVME_NS_FORMATS = 128 };

#endif
