/* sys_arch.h - nothing: lwIP runs under one lock of kernel/net/inet.c (NO_SYS). */
#ifndef LWIP_ARCH_SYS_ARCH_H
#define LWIP_ARCH_SYS_ARCH_H
#endif
