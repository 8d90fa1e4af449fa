/*
 * A guest process for the tests of abi-linux: an instance on a fake host, started, whose system
 * calls the test makes one by one. The test owns it; one at a time.
 */
#ifndef TESTS_ABI_LINUX_GUEST_H
#define TESTS_ABI_LINUX_GUEST_H

#include <blink/abi.h>
#include <fakehost.h>
#include <stdint.h>

/* Guest memory that every guest has: 16 pages to read and write, one to read only, and nothing
 * for a page's length behind each. */
#define GOOD      UINT64_C(0x20000000)
#define GOOD_SIZE UINT64_C(0x10000)
#define GOOD_END  (GOOD + GOOD_SIZE)
#define READONLY  UINT64_C(0x20020000)
#define NOTHING   UINT64_C(0x20030000)

struct guest {
    struct fakehost *fh;
    const struct blink_abi_ops *ops;
    struct blink_plugin *abi;
    struct blink_cpu *cpu;
};

/* With --root ROOT and --strace STRACE, each NULL if not given. The instance, or NULL if it could
 * not be made: the log of fh says why. */
struct guest *guest_create(const char *root, const char *strace);
void guest_destroy(struct guest *g);

/* A system call: RAX afterwards. */
int64_t guest_call(struct guest *g, uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2,
                   uint64_t a3, uint64_t a4, uint64_t a5);
#define CALL(...) CALL_(__VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_(g, n, a, b, c, d, e, f, ...)                                                         \
  guest_call(g, n, (uint64_t)(a), (uint64_t)(b), (uint64_t)(c), (uint64_t)(d), (uint64_t)(e),      \
             (uint64_t)(f))

/* Bytes into and out of GOOD memory at an offset: put gives the guest address. */
uint64_t guest_put(struct guest *g, uint64_t offset, const void *bytes, size_t size);
uint64_t guest_string(struct guest *g, uint64_t offset, const char *text);
void guest_get(struct guest *g, uint64_t offset, void *out, size_t size);

/* A fresh folder below the system's place for temporary files, removed by guest_remove with all
 * that is in it. */
void guest_folder(char *path, size_t size);
void guest_remove(const char *path);

#endif
