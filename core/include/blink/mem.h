/*
 * Service "blink.mem/1": guest memory. The only way by which a plugin touches it. Addresses are
 * guest linear addresses. A guest address that is not mapped, or not for this access, is -EFAULT,
 * never a crash.
 */
#ifndef BLINK_MEM_H
#define BLINK_MEM_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define BLINK_IFACE_MEM "blink.mem/1"

#define BLINK_PAGE_SIZE 4096u

/* Protection of a region. */
#define BLINK_PROT_READ  1u
#define BLINK_PROT_WRITE 2u
#define BLINK_PROT_EXEC  4u

/* Flags of map(). */
#define BLINK_MAP_FIXED     0x01u /* at exactly this address, replacing what is there */
#define BLINK_MAP_NOREPLACE 0x02u /* at exactly this address, -EEXIST if anything is there */
#define BLINK_MAP_SHARED    0x04u /* writes reach the file, or other processes after fork */
#define BLINK_MAP_ANON      0x08u /* zero-filled; fd is ignored */
#define BLINK_MAP_32BIT     0x10u /* below 2 GiB */
#define BLINK_MAP_GROWSDOWN 0x20u /* a stack: grows down on a touch below, within its limit */
#define BLINK_MAP_NORESERVE 0x40u
#define BLINK_MAP_POPULATE  0x80u
#define BLINK_MAP_LOCKED    0x100u

/* Flags of remap(), as Linux's mremap. */
#define BLINK_REMAP_MAYMOVE   1u
#define BLINK_REMAP_FIXED     2u
#define BLINK_REMAP_DONTUNMAP 4u

/* Advice. */
enum {
    BLINK_ADVISE_DONTNEED, /* private anonymous pages read as zero again, file pages are dropped */
    BLINK_ADVISE_FREE,
    BLINK_ADVISE_WILLNEED,
    BLINK_ADVISE_OTHER, /* checked for being mapped only */
};

/* One region of an address space. */
struct blink_mem_region {
    uint32_t struct_size;
    uint32_t prot;   /* BLINK_PROT_* */
    uint64_t start;  /* first byte */
    uint64_t end;    /* past the last byte */
    uint64_t offset; /* of `start` in the file */
    uint64_t inode;  /* of the file, 0 if anonymous */
    uint64_t device;
    uint32_t flags; /* BLINK_MAP_SHARED, ANON, GROWSDOWN */
    uint32_t reserved;
    char name[256]; /* path of the file, "[heap]", "[stack]", or "" */
};

/* A piece of guest memory as host memory. */
struct blink_mem_span {
    void *host;
    size_t size;
};

struct blink_mem_iface {
    uint32_t struct_size;
    uint32_t reserved;
    /*
     * Map `size` bytes (rounded up to pages; `address` and `offset` page-aligned, `address` 0 or
     * a hint without FIXED) of `fd` or of zeros. *out is the address. -EINVAL, -ENOMEM, -EEXIST,
     * -EACCES, -ENODEV and others as mmap(2). `fd` may be closed afterwards. [vcpu] [main]
     */
    int (*map)(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot,
               uint32_t flags, int32_t fd, uint64_t offset, uint64_t *out);
    /* As munmap(2): holes are fine. In the memory of a whole machine there is no RAM any more, and
     * devices may still claim it. [vcpu] [main] */
    int (*unmap)(struct blink_mem *mem, uint64_t address, uint64_t size);
    /* As mprotect(2): -ENOMEM if anything in the range is not mapped. In the memory of a whole
     * machine, where addresses are physical, RAM without BLINK_PROT_WRITE is ROM: the guest's
     * stores to it are lost, copy_out still writes it. [vcpu] [main] */
    int (*protect)(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t prot);
    /* As mremap(2). [vcpu] */
    int (*remap)(struct blink_mem *mem, uint64_t address, uint64_t old_size, uint64_t new_size,
                 uint32_t flags, uint64_t new_address, uint64_t *out);
    /* As madvise(2). [vcpu] */
    int (*advise)(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t advice);
    /* As msync(2), `flags` of the host. [vcpu] */
    int (*sync)(struct blink_mem *mem, uint64_t address, uint64_t size, int32_t flags);
    /* The region that holds `address`, or the first above it; -ENOENT if there is none. [any] */
    int (*query)(struct blink_mem *mem, uint64_t address, struct blink_mem_region *out);
    /* Name a region for /proc/self/maps. [vcpu] [main] */
    int (*set_name)(struct blink_mem *mem, uint64_t address, uint64_t size, const char *name);
    /* Copy from the guest: 0, or -EFAULT with nothing promised of dst. [any] */
    int (*copy_in)(struct blink_mem *mem, void *dst, uint64_t src, size_t size);
    /* Copy to the guest: 0, or -EFAULT (bytes before the bad page may be written). [any] */
    int (*copy_out)(struct blink_mem *mem, uint64_t dst, const void *src, size_t size);
    /* Copy a string with its NUL: its length, -EFAULT, or -ENAMETOOLONG if no NUL in `max`.
     * [any] */
    int64_t (*copy_string)(struct blink_mem *mem, char *dst, uint64_t src, size_t max);
    /*
     * Pin guest memory for direct use by the host: fills spans[0..*count) (in: capacity) that
     * cover the range in order. With `access` BLINK_PROT_WRITE code on it is dropped first and
     * dirty bits are set. Stops early at the capacity or at the first bad page; *size is what is
     * covered. -EFAULT if not even the first byte is good. Until unpin the pages stay where they
     * are. [vcpu] [main]
     */
    int (*pin)(struct blink_mem *mem, uint64_t address, uint64_t *size, uint32_t access,
               struct blink_mem_span *spans, uint32_t *count);
    /* Give back what pin lent, same arguments. [vcpu] [main] */
    void (*unpin)(struct blink_mem *mem, uint64_t address, uint64_t size, uint32_t access);
    /* Restrict where map() without FIXED places things, and where stacks end. [main] */
    int (*set_layout)(struct blink_mem *mem, uint64_t map_low, uint64_t map_high);
    /* The current layout: the range map() chooses from, and the highest usable address + 1.
     * [any] */
    void (*get_layout)(struct blink_mem *mem, uint64_t *map_low, uint64_t *map_high, uint64_t *top);
};

#ifdef __cplusplus
}
#endif

#endif
