/*
 * Writers of files of /proc that have a source file of their own.
 */
#ifndef LX_PROCFS_H
#define LX_PROCFS_H

#include <stdio.h>

#include "linux.h"

/* 0, or -ENOENT: the host's file is as good. */
int lx_write_cpuinfo(struct lx_call *c, FILE *f);

#endif
