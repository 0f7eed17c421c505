/* file_port.h - the standard streams: ports of the host as open files that look like pipes. */
#ifndef PROC_FILE_PORT_H
#define PROC_FILE_PORT_H

#include "proc/file.h"

extern const struct file_ops port_file_ops;
unsigned port_file_number(const struct file *f);

#endif
