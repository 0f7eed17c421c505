/* lx_ipc.h - Linux's numbers for System V IPC and POSIX message queues (uapi/linux/{ipc,shm,sem,msg,mqueue}.h) and its limits. */
#ifndef PROC_LX_IPC_H
#define PROC_LX_IPC_H

#include "base/types.h"

#define LX_IPC_PRIVATE 0
#define LX_IPC_CREAT   001000
#define LX_IPC_EXCL    002000
#define LX_IPC_NOWAIT  004000
#define LX_IPC_RMID    0
#define LX_IPC_SET     1
#define LX_IPC_STAT    2
#define LX_IPC_INFO    3

#define LX_SHM_HUGETLB 004000        /* shmget */
#define LX_SHM_RDONLY  010000        /* shmat */
#define LX_SHM_RND     020000
#define LX_SHM_REMAP   040000
#define LX_SHM_EXEC    0100000
#define LX_SHM_DEST    01000         /* in the mode: gone when nobody is attached */
#define LX_SHM_LOCKED  02000
#define LX_SHM_LOCK     11
#define LX_SHM_UNLOCK   12
#define LX_SHM_STAT     13
#define LX_SHM_INFO     14
#define LX_SHM_STAT_ANY 15
#define LX_SHMMNI 4096u
#define LX_SHMMAX (UINT64_MAX - (1ull << 24))
#define LX_SHMALL (UINT64_MAX - (1ull << 24))

#define LX_SEM_UNDO 0x1000
#define LX_SEM_GETPID   11
#define LX_SEM_GETVAL   12
#define LX_SEM_GETALL   13
#define LX_SEM_GETNCNT  14
#define LX_SEM_GETZCNT  15
#define LX_SEM_SETVAL   16
#define LX_SEM_SETALL   17
#define LX_SEM_STAT     18
#define LX_SEM_INFO     19
#define LX_SEM_STAT_ANY 20
#define LX_SEMMNI 32000u
#define LX_SEMMSL 32000u
#define LX_SEMMNS 1024000000u
#define LX_SEMOPM 500u
#define LX_SEMVMX 32767
#define LX_SEMAEM 32767

#define LX_MSG_NOERROR 010000
#define LX_MSG_EXCEPT  020000
#define LX_MSG_COPY    040000
#define LX_MSG_STAT     11
#define LX_MSG_INFO     12
#define LX_MSG_STAT_ANY 13
#define LX_MSGMNI 32000u
#define LX_MSGMAX 8192u
#define LX_MSGMNB 16384u

#define LX_MQ_PRIO_MAX    32768u
#define LX_MQ_QUEUES_MAX  256u
#define LX_MQ_MSG_MAX     10
#define LX_MQ_MSGSIZE_MAX 8192
#define LX_SI_MESGQ       (-3)
#define LX_NOTIFY_COOKIE_LEN 32
#define LX_NOTIFY_WOKENUP    1
#define LX_NOTIFY_REMOVED    2

#endif
