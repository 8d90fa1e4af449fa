/*
 * Fixture of the memory tests: an address space of either strategy with one vCPU, hooks that keep
 * a record, and accesses made as guest code makes them. Host faults come back as mem_fault.
 */
#ifndef TESTS_MEM_SUPPORT_H
#define TESTS_MEM_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the four above, as cmocka wants it. */
#include <cmocka.h>

#include "mem/internal.h"
#include "mem/space.h"

#define PAGE UINT64_C(4096)

/* Where tests map at fixed places: free in plain and in instrumented processes. ARENA is the
 * guest's, ORACLE the host's own. Both take several hundred gigabytes from there on. */
#if defined(__SANITIZE_THREAD__)
  #define ARENA  UINT64_C(0x1000000000)
  #define ORACLE UINT64_C(0x4000000000)
#else
  #define ARENA  UINT64_C(0x300000000000)
  #define ORACLE UINT64_C(0x380000000000)
#endif

#define R   BLINK_PROT_READ
#define W   BLINK_PROT_WRITE
#define X   BLINK_PROT_EXEC
#define RW  (R | W)
#define RX  (R | X)
#define RWX (R | W | X)

#define ANON       BLINK_MAP_ANON
#define FIXED      BLINK_MAP_FIXED
#define FIXED_ANON (FIXED | ANON)

struct space {
    struct blink_mem *mem;
    struct blink_cpu *cpu;
    /* What drop_code was told. */
    uint32_t drops;
    uint64_t drop_start, drop_end;
    /* Called by drop_code if set. */
    void (*on_drop)(struct space *s);
    uint64_t arg;
};

/* cmocka set-up and tear-down; *state is the wanted strategy before, the space after. */
int space_setup(void **state);
int space_teardown(void **state);
struct space *space_new(const struct mem_options *options);
void space_free(struct space *s);

/* The test once for each strategy. */
#define LINEAR(test)                                                                               \
  { #test "_linear", test, space_setup, space_teardown, (void *)(uintptr_t)MEM_LINEAR }
#define PAGED(test)                                                                                \
  { #test "_paged", test, space_setup, space_teardown, (void *)(uintptr_t)MEM_PAGED }
#define BOTH(test) LINEAR(test), PAGED(test)

#define NO_FAULT UINT32_MAX
/* One byte as guest code accesses it: NO_FAULT, or the vector with *fault (which may be NULL).
 * A store that hits translated code is repeated until it succeeds. */
uint32_t guest_load(struct space *s, uint64_t address, uint8_t *value, struct mem_fault *fault);
uint32_t guest_store(struct space *s, uint64_t address, uint8_t value, struct mem_fault *fault);
uint32_t guest_fetch(struct space *s, uint64_t address, uint8_t *value, struct mem_fault *fault);

/* The same with assertions. */
uint8_t load(struct space *s, uint64_t address);
void store(struct space *s, uint64_t address, uint8_t value);
void assert_load_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error);
void assert_store_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error);
void assert_fetch_fault(struct space *s, uint64_t address, uint32_t vector, uint32_t error);

/* Map at a fixed place; asserts. */
void map_at(struct space *s, uint64_t address, uint64_t size, uint32_t prot, uint32_t flags);
/* mem_map with the address in the result, or -errno. */
int64_t map_any(struct space *s, uint64_t hint, uint64_t size, uint32_t prot, uint32_t flags);
struct blink_mem_region query(struct space *s, uint64_t address);
void assert_region(struct space *s, uint64_t start, uint64_t end, uint32_t prot);
void assert_hole(struct space *s, uint64_t start, uint64_t end);

/* A file of `pages` pages, already unlinked; page k is filled with byte 'a' + k. */
int pattern_file(uint32_t pages);

/* The guarded copy of the fixture: as exec's, it survives faults. */
int guarded_copy(void *dst, const void *src, size_t size);

#endif
