/*
 * The plugins linked into this executable; the table is made by the build.
 */
#ifndef CORE_CLI_BUILTIN_H
#define CORE_CLI_BUILTIN_H

#include "plugin/registry.h"

/* Ends with file_name NULL. */
extern const struct plugin_builtin cli_builtins[];

#endif
