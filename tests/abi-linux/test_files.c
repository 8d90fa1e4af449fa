/*
 * Files as the guest sees them: structures byte for byte as this machine's kernel writes them,
 * open flags both ways, the older folder entries, and what /proc tells of the guest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "guest.h"
#include "linux.h"

static char folder[PATH_MAX];

static int setup(void **state) {
    guest_folder(folder, sizeof folder);
    assert_int_equal(chdir(folder), 0);
    *state = guest_create(NULL, NULL);
    return 0;
}

static int teardown(void **state) {
    guest_destroy(*state);
    assert_int_equal(chdir("/"), 0);
    guest_remove(folder);
    return 0;
}

static int64_t open_path(struct guest *g, const char *path, uint64_t flags) {
    return CALL(g, SYS_open, guest_string(g, 0, path), flags, 0644);
}

/* ---- structures ---- */

#if defined(__x86_64__)
  #define PATH_ARG 1001 /* the path "file", an open file, room for the result */
  #define FD_ARG   1002
  #define OUT_ARG  1003

/* Calls whose result is the same each time: native and guest must write the same bytes. */
static const struct {
    uint32_t number;
    uint64_t a[5];
    uint32_t size;
} written[] = {
    {SYS_stat, {PATH_ARG, OUT_ARG}, 144},
    {SYS_lstat, {PATH_ARG, OUT_ARG}, 144},
    {SYS_fstat, {FD_ARG, OUT_ARG}, 144},
    {SYS_newfstatat, {(uint64_t)AT_FDCWD, PATH_ARG, OUT_ARG, AT_SYMLINK_NOFOLLOW}, 144},
    {SYS_newfstatat, {FD_ARG, OUT_ARG + 1, OUT_ARG, 0x1000}, 144}, /* "" */
    {SYS_statx, {(uint64_t)AT_FDCWD, PATH_ARG, 0, 0x7ff, OUT_ARG}, 256},
    {SYS_getrlimit, {RLIMIT_NOFILE, OUT_ARG}, 16},
    {SYS_prlimit64, {0, RLIMIT_CORE, 0, OUT_ARG}, 16},
    {SYS_getresuid, {OUT_ARG, OUT_ARG + 4, OUT_ARG + 8}, 12},
    {SYS_getgroups, {64, OUT_ARG}, 256},
    {SYS_readlink, {PATH_ARG, OUT_ARG, 64}, 64},
    {SYS_getcwd, {OUT_ARG, 256}, 256},
    {SYS_clock_getres, {1, OUT_ARG}, 16},
    {SYS_getdents64, {FD_ARG, OUT_ARG, 256}, 256},
    {SYS_read, {FD_ARG, OUT_ARG, 64}, 64},
    {SYS_pread64, {FD_ARG, OUT_ARG, 64, 3}, 64},
    {SYS_uname, {OUT_ARG}, 390},
};

static void same_bytes(void **state) {
    struct guest *g = *state;
    uint8_t native[512], guests[512];
    int fd = open("file", O_RDWR | O_CREAT, 0644);
    assert_int_equal(write(fd, "some words", 10), 10);
    for (size_t k = 0; k < sizeof written / sizeof written[0]; k++) {
        uint64_t n[5], v[5];
        memset(native, 0, sizeof native);
        guest_put(g, 0x1000, native, sizeof native);
        for (int i = 0; i < 5; i++) {
            uint64_t a = written[k].a[i];
            n[i] = v[i] = a;
            if (a == PATH_ARG) {
                n[i] = (uintptr_t) "file";
                v[i] = guest_string(g, 0, "file");
            } else if (a == FD_ARG) {
                n[i] = v[i] = (uint64_t)fd;
            } else if (a >= OUT_ARG && a < OUT_ARG + 16) {
                n[i] = (uintptr_t)native + (a - OUT_ARG);
                v[i] = GOOD + 0x1000 + (a - OUT_ARG);
            }
        }
        lseek(fd, 0, SEEK_SET);
        int64_t rc = syscall(written[k].number, n[0], n[1], n[2], n[3], n[4]);
        lseek(fd, 0, SEEK_SET);
        int64_t rg = CALL(g, written[k].number, v[0], v[1], v[2], v[3], v[4]);
        assert_int_equal(rg, rc < 0 ? -errno : rc);
        guest_get(g, 0x1000, guests, sizeof guests);
        if (memcmp(native, guests, written[k].size))
            fail_msg("call %u writes other bytes", written[k].number);
    }
    close(fd);
}
#endif

/* ---- flags ---- */

static void open_flags(void **state) {
    struct guest *g = *state;
    static const struct {
        uint32_t guest, host;
    } pairs[] = {
        {G_O_DIRECTORY, O_DIRECTORY}, {G_O_NOFOLLOW, O_NOFOLLOW},
        {G_O_DIRECT, O_DIRECT},       {02000, O_APPEND},
        {04000, O_NONBLOCK},          {02000000, O_CLOEXEC},
        {01000000, O_NOATIME},        {010000000, O_PATH},
        {020200000, O_TMPFILE},       {0100, O_CREAT},
        {04010000, O_SYNC},
    };
    for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++) {
        assert_int_equal(lx_open_flags(pairs[k].guest), pairs[k].host);
        assert_int_equal(lx_open_flags_back((int)pairs[k].host), pairs[k].guest);
    }
    /* Every bit goes there and back, alone. */
    for (int bit = 0; bit < 31; bit++)
        assert_int_equal(lx_open_flags_back(lx_open_flags(1u << bit)), 1u << bit);
    int64_t fd = open_path(g, "f", 02 | 0100 | 02000 | 04000);
    assert_int_equal(CALL(g, SYS_fcntl, fd, F_GETFL), 02 | 02000 | 04000 | G_O_LARGEFILE);
    assert_int_equal(CALL(g, SYS_fcntl, fd, F_SETFL, 0), 0);
    assert_int_equal(CALL(g, SYS_fcntl, fd, F_GETFL), 02 | G_O_LARGEFILE);
    assert_int_equal(open_path(g, "f", G_O_DIRECTORY), -ENOTDIR);
}

/* ---- folder entries ---- */

static void old_entries(void **state) {
    struct guest *g = *state;
    static const char *const names[] = {
        "a",     "bb",     "ccc",     "dddd",
        "eeeee", "ffffff", "ggggggg", "a-name-that-is-rather-longer-than-the-others"};
    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++) {
        if (k % 2)
            assert_int_equal(mkdir(names[k], 0755), 0);
        else
            close(open(names[k], O_CREAT | O_WRONLY, 0644));
    }
    int64_t fd = open_path(g, ".", 0);
    uint8_t now[2048], old[2048];
    int64_t n = CALL(g, SYS_getdents64, fd, GOOD + 0x1000, sizeof now);
    assert_true(n > 0);
    guest_get(g, 0x1000, now, sizeof now);
    CALL(g, SYS_lseek, fd, 0, SEEK_SET);
    assert_int_equal(CALL(g, SYS_getdents, fd, GOOD + 0x2000, sizeof old), n);
    guest_get(g, 0x2000, old, sizeof old);
    size_t seen = 0;
    for (int64_t at = 0; at < n; seen++) {
        uint16_t length, other;
        memcpy(&length, now + at + 16, 2);
        memcpy(&other, old + at + 16, 2);
        assert_int_equal(length, other);
        assert_memory_equal(now + at, old + at, 16);
        assert_string_equal((char *)now + at + 19, (char *)old + at + 18);
        assert_int_equal(now[at + 18], old[at + length - 1]);
        at += length;
    }
    assert_int_equal(seen, 2 + sizeof names / sizeof names[0]);
    assert_int_equal(CALL(g, SYS_getdents, fd, GOOD + 0x2000, sizeof old), 0);
    CALL(g, SYS_lseek, fd, 0, SEEK_SET);
    assert_int_equal(CALL(g, SYS_getdents, fd, GOOD + 0x2000, 8), -EINVAL);
    assert_int_equal(CALL(g, SYS_getdents, fd, READONLY, 256), -EFAULT);
}

/* ---- buffers in pieces ---- */

static void pieces(void **state) {
    struct guest *g = *state;
    uint8_t bytes[3 * 4096], back[3 * 4096];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (uint8_t)(k * 7 + (k >> 8));
    uint64_t at = guest_put(g, 0x1f00, bytes, sizeof bytes);
    int64_t fd = open_path(g, "f", O_RDWR | O_CREAT);
    assert_int_equal(CALL(g, SYS_write, fd, at, sizeof bytes), sizeof bytes);
    assert_int_equal(pread((int)fd, back, sizeof back, 0), sizeof back);
    assert_memory_equal(bytes, back, sizeof bytes);
    uint64_t iov[8] = {GOOD + 0x6ff0, 0x20,   GOOD + 0x8000, 0,
                       GOOD + 0x9001, 0x2000, GOOD + 0xc000, 0x10};
    guest_put(g, 0, iov, sizeof iov);
    CALL(g, SYS_lseek, fd, 0, SEEK_SET);
    assert_int_equal(CALL(g, SYS_readv, fd, GOOD, 4), 0x2030);
    guest_get(g, 0x6ff0, back, 0x20);
    guest_get(g, 0x9001, back + 0x20, 0x2000);
    guest_get(g, 0xc000, back + 0x2020, 0x10);
    assert_memory_equal(bytes, back, 0x2030);
    /* What is good before bad memory is moved. */
    CALL(g, SYS_lseek, fd, 0, SEEK_SET);
    assert_int_equal(CALL(g, SYS_read, fd, GOOD_END - 100, 200), 100);
    assert_int_equal(CALL(g, SYS_write, fd, GOOD_END - 5000, 6000), 5000);
    assert_int_equal(CALL(g, SYS_preadv, fd, GOOD, 4, 16, 0), 0x2030);
    assert_int_equal(CALL(g, SYS_read, fd, GOOD, UINT64_MAX / 2), -EFAULT);
}

/* ---- /proc ---- */

static size_t slurp(struct guest *g, const char *path, char *out, size_t size) {
    int64_t fd = open_path(g, path, O_RDONLY);
    if (fd < 0)
        fail_msg("%s: errno %d", path, (int)-fd);
    ssize_t n = read((int)fd, out, size - 1);
    close((int)fd);
    assert_true(n >= 0);
    out[n] = 0;
    return (size_t)n;
}

static void tells_of_guest(void **state) {
    struct guest *g = *state;
    char text[16384], path[64];
    static const char cmdline[] = "/bin/program\0argument";
    assert_int_equal(slurp(g, "/proc/self/cmdline", text, sizeof text), sizeof cmdline);
    assert_memory_equal(text, cmdline, sizeof cmdline);
    assert_int_equal(slurp(g, "/proc/thread-self/environ", text, sizeof text), 11);
    assert_string_equal(text, "NAME=value");
    snprintf(path, sizeof path, "/proc/%d/maps", getpid());
    slurp(g, path, text, sizeof text);
    assert_non_null(strstr(text, "20000000-20010000 rw-p 00000000 00:00 0 \n"));
    assert_non_null(strstr(text, "20020000-20021000 r--p 00000000 00:00 0 \n"));
    char *stack = strstr(text, "[stack]\n");
    assert_non_null(stack);
    while (stack > text && stack[-1] != '\n')
        stack--;
    assert_int_equal(strchr(stack, '[') - stack, 73); /* the column Linux has it in */
    assert_true(slurp(g, "/proc/self/smaps", text, sizeof text) > 100);
    assert_int_equal(slurp(g, "/proc/self/auxv", text, sizeof text) % 16, 0);
    slurp(g, "/proc/self/stat", text, sizeof text);
    size_t fields = 0;
    for (const char *p = strrchr(text, ')'); *p; p++)
        fields += *p == ' ';
    assert_int_equal(fields, 50);
    /* In a folder that is open, and by the current folder. */
    int64_t dir = open_path(g, "/proc/self", O_RDONLY | G_O_DIRECTORY);
    int64_t fd = CALL(g, SYS_openat, dir, guest_string(g, 0, "cmdline"), O_RDONLY);
    assert_int_equal(read((int)fd, text, sizeof text), sizeof cmdline);
    assert_int_equal(CALL(g, SYS_fchdir, dir), 0);
    assert_int_equal(slurp(g, "cmdline", text, sizeof text), sizeof cmdline);
    assert_int_equal(open_path(g, "/proc/self/maps", O_RDWR), -EACCES);
    assert_int_equal(open_path(g, "/proc/self/mem", O_RDWR), -EACCES);
    assert_true(open_path(g, "/proc/1/cmdline", O_RDONLY) >= 0);
}

static void tells_of_processor(void **state) {
    struct guest *g = *state;
    char text[16384];
    slurp(g, "/proc/cpuinfo", text, sizeof text);
    const char *head = "processor\t: 0\nvendor_id\t: FakeHostCPU.\ncpu family\t: 25\n"
                       "model\t\t: 33\nmodel name\t: unknown\nstepping\t: 2\n";
    assert_int_equal(strncmp(text, head, strlen(head)), 0);
    assert_non_null(strstr(text, "\nflags\t\t: fpu sse sse2\n"));
    size_t processors = 0;
    for (const char *p = text; (p = strstr(p, "processor\t:")); p++)
        processors++;
    assert_int_equal(processors, sysconf(_SC_NPROCESSORS_ONLN));
}

static void program_by_proc(void **state) {
    struct guest *g = *state;
    char text[PATH_MAX] = {0}, real[PATH_MAX];
    struct g_stat st;
    struct stat host;
    assert_non_null(realpath("/bin/true", real));
    int64_t n = CALL(g, SYS_readlink, guest_string(g, 0, "/proc/self/exe"), GOOD + 256, 1024);
    assert_int_equal(n, strlen(real));
    guest_get(g, 256, text, (size_t)n);
    assert_string_equal(text, real);
    assert_int_equal(CALL(g, SYS_readlink, GOOD, GOOD + 256, 3), 3);
    assert_int_equal(CALL(g, SYS_stat, GOOD, GOOD + 256), 0);
    guest_get(g, 256, &st, sizeof st);
    assert_int_equal(stat("/bin/true", &host), 0);
    assert_int_equal(st.ino, host.st_ino);
    assert_int_equal(CALL(g, SYS_lstat, GOOD, GOOD + 256), 0);
    guest_get(g, 256, &st, sizeof st);
    assert_true(S_ISLNK(st.mode));
    int64_t fd = open_path(g, "/proc/self/exe", O_RDONLY);
    assert_int_equal(fstat((int)fd, &host), 0);
    assert_int_equal(st.ino == host.st_ino, 0);
    assert_int_equal(CALL(g, SYS_read, fd, GOOD + 256, 4), 4);
    guest_get(g, 256, text, 4);
    assert_memory_equal(text, "\177ELF", 4);
}

/* ---- limits, ioctl ---- */

/* It has no result to be wrong; the pages of other programs make it slow. */
static void all_written(void **state) {
    struct guest *g = *state;
    assert_int_equal(CALL(g, SYS_sync), 0);
    assert_int_equal(CALL(g, SYS_fsync, -1), -EBADF);
}

static void memory_limits(void **state) {
    struct guest *g = *state;
    struct rlimit host, set = {1 << 20, 1 << 21}, got;
    assert_int_equal(getrlimit(RLIMIT_AS, &host), 0);
    guest_put(g, 0, &set, sizeof set);
    assert_int_equal(CALL(g, SYS_setrlimit, RLIMIT_AS, GOOD), 0);
    assert_int_equal(CALL(g, SYS_prlimit64, getpid(), RLIMIT_AS, 0, GOOD + 64), 0);
    guest_get(g, 64, &got, sizeof got);
    assert_memory_equal(&got, &set, sizeof got);
    assert_int_equal(getrlimit(RLIMIT_AS, &got), 0);
    assert_memory_equal(&got, &host, sizeof got); /* blink is not held to it */
    set = (struct rlimit){2, 1};
    guest_put(g, 0, &set, sizeof set);
    assert_int_equal(CALL(g, SYS_setrlimit, RLIMIT_AS, GOOD), -EINVAL);
    assert_int_equal(CALL(g, SYS_getrlimit, RLIMIT_DATA, GOOD + 64), 0);
    guest_get(g, 64, &got, sizeof got);
    assert_int_equal(getrlimit(RLIMIT_DATA, &host), 0);
    assert_memory_equal(&got, &host, sizeof got);
}

static void terminals(void **state) {
    struct guest *g = *state;
    struct winsize size = {.ws_row = 25, .ws_col = 80}, got = {0};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0) {
        print_message("# no pseudo-terminals here: /dev/ptmx cannot be opened\n");
        skip();
    }
    guest_put(g, 0, &size, sizeof size);
    assert_int_equal(CALL(g, SYS_ioctl, master, TIOCSWINSZ, GOOD), 0);
    assert_int_equal(ioctl(master, TIOCGWINSZ, &got), 0);
    assert_memory_equal(&got, &size, sizeof got);
    assert_int_equal(CALL(g, SYS_ioctl, master, TIOCGWINSZ, GOOD + 64), 0);
    guest_get(g, 64, &got, sizeof got);
    assert_memory_equal(&got, &size, sizeof got);
    /* The C library's structure is longer than the kernel's: no byte more is written. */
    uint8_t bytes[64];
    memset(bytes, 0xaa, sizeof bytes);
    guest_put(g, 128, bytes, sizeof bytes);
    assert_int_equal(CALL(g, SYS_ioctl, master, TCGETS, GOOD + 128), 0);
    guest_get(g, 128, bytes, sizeof bytes);
    assert_int_equal(bytes[36], 0xaa);
    assert_int_equal(CALL(g, SYS_ioctl, master, 0xc0104d00, GOOD), -ENOTTY);
    assert_int_equal(CALL(g, SYS_ioctl, 999, TCGETS, GOOD), -EBADF);
    close(master);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#if defined(__x86_64__)
        cmocka_unit_test_setup_teardown(same_bytes, setup, teardown),
#endif
        cmocka_unit_test_setup_teardown(open_flags, setup, teardown),
        cmocka_unit_test_setup_teardown(old_entries, setup, teardown),
        cmocka_unit_test_setup_teardown(pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_of_guest, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_of_processor, setup, teardown),
        cmocka_unit_test_setup_teardown(program_by_proc, setup, teardown),
        cmocka_unit_test_setup_teardown(all_written, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(terminals, setup, teardown),
    };
    return cmocka_run_group_tests_name("abi-linux files", tests, NULL, NULL);
}
