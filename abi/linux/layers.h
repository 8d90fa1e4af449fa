/*
 * The host folders that make up the guest's file tree: none (the guest sees the host's tree), one
 * (--root), or several that lie over each other (BLINK_OVERLAYS), the first that has a path wins.
 * Made with the instance, read by all threads; chroot puts another in its place.
 */
#ifndef LX_LAYERS_H
#define LX_LAYERS_H

#include "linux.h"

#define LX_LAYERS 16

struct lx_layer {
    char *prefix; /* real host path without a slash at its end: "" is the host's "/" */
    size_t size;  /* of prefix */
};

struct lx_layers {
    struct lx_layers *before; /* of chroot, kept: another thread may be walking there */
    uint32_t count;
    uint32_t host_trees; /* bit k: host_tree_names[k] is the host's whole, the layers have none */
    struct lx_layer layer[LX_LAYERS];
};

/* Whether a guest path lies in /proc, /dev or /sys, where what the layers lack is the host's. */
bool lx_host_tree(const char *guest);

/* Resolve an absolute guest path to a host path, symbolic links and ".." staying in the layers.
 * -ENOENT if a folder on the way is missing; a missing last component is not an error: `host` is
 * then where it would be made. */
int lx_walk(struct blink_plugin *abi, const char *guest, uint32_t flags, char *host,
            size_t host_size);

#endif
