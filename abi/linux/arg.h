/*
 * Guest arguments as the host's. A bad guest pointer is not refused here: the host gets a pointer
 * that it finds bad too, so that it makes its own checks in its own order and says EFAULT only
 * where Linux says it. Used by the handlers of one call on its thread.
 */
#ifndef LX_ARG_H
#define LX_ARG_H

#include "linux.h"

/* An address without memory, for the host. NULL if there is no room for it. */
void *lx_nowhere(struct blink_plugin *abi);

/* Whether a range could be the guest's at all; the host refuses others before it looks at more. */
bool lx_is_user(struct lx_call *c, uint64_t address, uint64_t size);
/* What the host is given for an address that is not. */
#define LX_BEYOND ((void *)~UINT64_C(0xffff))

/* A structure the host reads: `buf` filled from the guest, NULL for 0, or nowhere. */
const void *lx_arg(struct lx_call *c, void *buf, uint64_t src, size_t size);

/* A buffer of the guest, and an iovec array of it, for the host; given back by lx_unpin. Memory
 * that is good only at its beginning is followed by an entry that is bad, and a bad array is one
 * that the host finds as bad. 0 or -ENOMEM. */
int lx_buffer(struct lx_call *c, uint64_t address, uint64_t size, uint32_t access,
              struct lx_pinned *out);
int lx_buffer_iov(struct lx_call *c, uint64_t vector, uint64_t count, uint32_t access,
                  struct lx_pinned *out);

/* Only the whole buffer as one piece of host memory: *host is it, nowhere, or a copy in `out` for
 * what lies apart (paged memory): lx_piece_end writes that back. */
struct lx_piece {
    struct lx_pinned pinned;
    void *host; /* what the host is given */
    void *copy; /* or NULL */
    uint64_t address, size;
};
int lx_piece(struct lx_call *c, uint64_t address, uint64_t size, uint32_t access,
             struct lx_piece *out);
/* `used` bytes of it were filled by the host. 0 or -EFAULT. */
int lx_piece_end(struct lx_call *c, struct lx_piece *piece, uint64_t used);

/* The result of a call that filled `src`: copy it out if it succeeded. */
int64_t lx_give(struct lx_call *c, int64_t result, uint64_t dst, const void *src, size_t size);
/* The same of a pair of new descriptors, which are closed if the guest cannot be told. */
int64_t lx_give_pair(struct lx_call *c, int64_t result, uint64_t dst, const int fd[2]);

#endif
