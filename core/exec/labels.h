/*
 * Names of generated code, see labels.c, and the files in which GDB gets them, see gdb.c.
 */
#ifndef CORE_EXEC_LABELS_H
#define CORE_EXEC_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LABEL_ROOM 48u /* of a name */

/* A piece of generated code. */
struct label {
    uint64_t at, rip; /* on the host; of the guest, or 0 */
    uint32_t size;
    const char *what; /* constant, short */
};

/* What it is called: WHAT_RIP, or WHAT. [any] */
void label_name(const struct label *label, char out[LABEL_ROOM]);

struct gdb_file;
/* Tell GDB of pieces, which get sorted. NULL: no memory. [any] */
struct gdb_file *gdb_register(struct label *pieces, size_t count);
/* They are gone, and the file is freed; `silent`: in a process that GDB is not to hear of. [any] */
void gdb_unregister(struct gdb_file *file, bool silent);

#endif
