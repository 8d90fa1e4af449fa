/*
 * Socket addresses between guest and host: the bytes are the same, but the paths of AF_UNIX lie
 * in the guest's file tree.
 */
#ifndef LX_SOCKADDR_H
#define LX_SOCKADDR_H

#include <sys/socket.h>

#include "linux.h"

struct lx_address {
    union {
        struct sockaddr any;
        uint8_t bytes[sizeof(struct sockaddr_storage)];
    } u;
    socklen_t size;
    const void *host; /* what the host is given: u, NULL, or nowhere */
    int folder;       /* open while a long path is reached through it, or -1 */
};

/* The guest's address for the host; `making`: bind makes the name. An error can only be the
 * path's. Ended by lx_address_finish, also after an error. */
int lx_address_in(struct lx_call *c, uint64_t src, uint64_t size, bool making,
                  struct lx_address *out);
void lx_address_finish(struct lx_address *a);

/* What the host wrote there, as the guest names it; size is what the host said. */
void lx_address_as_guest(struct lx_call *c, struct lx_address *a);

/* Give it to the guest: as much as it has room for, and the true size where the room was. */
int64_t lx_address_give(struct lx_call *c, struct lx_address *a, uint64_t dst, uint64_t size_at);

#endif
