/*
 * Sockets: messages with descriptors, in arrays and in pieces, names, and options that must not
 * reach the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest.h"

struct g_message {
    uint64_t name;
    uint32_t name_size, pad0;
    uint64_t iov, iov_count, control, control_size;
    uint32_t flags, pad1;
};

enum { IOV = 0x100, TEXT = 0x200, MSG = 0x400, CONTROL = 0x600, BACK = 0x1000, ARRAY = 0x2000 };

struct pair {
    struct guest *g;
    int fd[2];
};

static int setup_kind(void **state, int type) {
    struct pair *p = calloc(1, sizeof *p);
    int32_t fd[2];
    p->g = guest_create(NULL, NULL);
    assert_int_equal(CALL(p->g, SYS_socketpair, AF_UNIX, type, 0, GOOD), 0);
    guest_get(p->g, 0, fd, sizeof fd);
    p->fd[0] = fd[0];
    p->fd[1] = fd[1];
    *state = p;
    return 0;
}

static int setup(void **state) {
    return setup_kind(state, SOCK_STREAM);
}

static int setup_datagram(void **state) {
    return setup_kind(state, SOCK_DGRAM);
}

static int teardown(void **state) {
    struct pair *p = *state;
    close(p->fd[0]);
    close(p->fd[1]);
    guest_destroy(p->g);
    free(p);
    return 0;
}

static void put_iov(struct guest *g, uint64_t at, uint64_t base, uint64_t size) {
    uint64_t iov[2] = {base, size};
    guest_put(g, at, iov, sizeof iov);
}

static void passes_descriptors(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    struct {
        uint64_t size;
        int32_t level, type;
        int32_t fd[2];
    } c = {24, SOL_SOCKET, SCM_RIGHTS, {p->fd[0], p->fd[1]}}, back = {0};
    guest_string(g, TEXT, "words");
    put_iov(g, IOV, GOOD + TEXT, 5);
    struct g_message m = {.iov = GOOD + IOV, .iov_count = 1, .control_size = sizeof c};
    m.control = guest_put(g, CONTROL, &c, sizeof c);
    guest_put(g, MSG, &m, sizeof m);
    assert_int_equal(CALL(g, SYS_sendmsg, p->fd[0], GOOD + MSG, 0), 5);

    put_iov(g, IOV, GOOD + BACK, 64);
    m = (struct g_message){.iov = GOOD + IOV,
                           .iov_count = 1,
                           .control = GOOD + CONTROL + 256,
                           .control_size = 128,
                           .name = GOOD + BACK + 128,
                           .name_size = 100};
    guest_put(g, MSG, &m, sizeof m);
    assert_int_equal(CALL(g, SYS_recvmsg, p->fd[1], GOOD + MSG, MSG_CMSG_CLOEXEC), 5);
    guest_get(g, MSG, &m, sizeof m);
    guest_get(g, CONTROL + 256, &back, sizeof back);
    assert_int_equal(m.control_size, 24);
    assert_int_equal(m.name_size, 0);
    assert_int_equal(m.flags & ~(uint32_t)MSG_CMSG_CLOEXEC, 0);
    assert_int_equal(back.type, SCM_RIGHTS);
    assert_true(back.fd[0] != p->fd[0] && back.fd[1] != back.fd[0]);
    assert_int_equal(fcntl(back.fd[0], F_GETFD), FD_CLOEXEC);
    char text[8] = {0};
    guest_get(g, BACK, text, 5);
    assert_string_equal(text, "words");
    /* A descriptor that came works: it is the socket itself. */
    assert_int_equal(CALL(g, SYS_write, back.fd[0], GOOD + TEXT, 5), 5);
    assert_int_equal(CALL(g, SYS_read, p->fd[1], GOOD + BACK, 64), 5);
    close(back.fd[0]);
    close(back.fd[1]);
}

static void control_without_room(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    struct {
        uint64_t size;
        int32_t level, type, fd, pad;
    } c = {20, SOL_SOCKET, SCM_RIGHTS, p->fd[0], 0};
    put_iov(g, IOV, guest_string(g, TEXT, "w"), 1);
    struct g_message m = {.iov = GOOD + IOV, .iov_count = 1, .control_size = sizeof c};
    m.control = guest_put(g, CONTROL, &c, sizeof c);
    guest_put(g, MSG, &m, sizeof m);
    assert_int_equal(CALL(g, SYS_sendmsg, p->fd[0], GOOD + MSG, 0), 1);
    m.control_size = 8;
    guest_put(g, MSG, &m, sizeof m);
    assert_int_equal(CALL(g, SYS_recvmsg, p->fd[1], GOOD + MSG, 0), 1);
    guest_get(g, MSG, &m, sizeof m);
    assert_int_equal(m.flags, MSG_CTRUNC);
    assert_int_equal(m.control_size, 0);
    c.fd = 999; /* none such */
    guest_put(g, CONTROL, &c, sizeof c);
    m.control_size = sizeof c;
    guest_put(g, MSG, &m, sizeof m);
    assert_int_equal(CALL(g, SYS_sendmsg, p->fd[0], GOOD + MSG, 0), -EBADF);
}

static void arrays(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    struct {
        struct g_message m;
        uint32_t size, pad;
    } v[4] = {0};
    for (uint32_t k = 0; k < 4; k++) {
        put_iov(g, IOV + k * 16, GOOD + TEXT + k * 8, k + 1);
        v[k].m = (struct g_message){.iov = GOOD + IOV + k * 16, .iov_count = 1};
    }
    guest_put(g, ARRAY, v, sizeof v);
    assert_int_equal(CALL(g, SYS_sendmmsg, p->fd[0], GOOD + ARRAY, 4, 0), 4);
    for (uint32_t k = 0; k < 4; k++) {
        put_iov(g, IOV + k * 16, GOOD + BACK + k * 64, 64);
        v[k].size = 99;
    }
    guest_put(g, ARRAY, v, sizeof v);
    struct timespec limit = {5, 0};
    guest_put(g, 0, &limit, sizeof limit);
    assert_int_equal(CALL(g, SYS_recvmmsg, p->fd[1], GOOD + ARRAY, 4, 0, GOOD), 4);
    guest_get(g, ARRAY, v, sizeof v);
    for (uint32_t k = 0; k < 4; k++)
        assert_int_equal(v[k].size, k + 1);
    guest_get(g, 0, &limit, sizeof limit);
    assert_true(limit.tv_sec < 5);
    /* MSG_WAITFORONE: the second does not wait. */
    assert_int_equal(CALL(g, SYS_write, p->fd[0], GOOD + TEXT, 3), 3);
    assert_int_equal(CALL(g, SYS_recvmmsg, p->fd[1], GOOD + ARRAY, 4, MSG_WAITFORONE, 0), 1);
    assert_int_equal(CALL(g, SYS_recvmmsg, p->fd[1], GOOD + ARRAY, 4, MSG_DONTWAIT, 0), -EAGAIN);
    /* One that is bad ends the row, told only if it is the first. */
    v[1].m.iov = NOTHING;
    put_iov(g, IOV, GOOD + TEXT, 2);
    guest_put(g, ARRAY, v, sizeof v);
    assert_int_equal(CALL(g, SYS_sendmmsg, p->fd[0], GOOD + ARRAY, 4, 0), 1);
    assert_int_equal(CALL(g, SYS_sendmmsg, p->fd[0], GOOD + ARRAY + 64, 3, 0), -EFAULT);
}

/* A datagram over pages that do not lie together on the host is one datagram. */
static void datagram_in_pieces(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    uint8_t bytes[10000], back[10000];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (uint8_t)(k * 11);
    guest_put(g, 0x3123, bytes, sizeof bytes);
    assert_int_equal(CALL(g, SYS_sendto, p->fd[0], GOOD + 0x3123, sizeof bytes, 0, 0, 0), 10000);
    assert_int_equal(CALL(g, SYS_recvfrom, p->fd[1], GOOD + 0x8321, sizeof back, 0, 0, 0), 10000);
    guest_get(g, 0x8321, back, sizeof back);
    assert_memory_equal(bytes, back, sizeof bytes);
    /* Bad anywhere, and nothing is sent. */
    assert_int_equal(CALL(g, SYS_sendto, p->fd[0], GOOD_END - 100, 200, 0, 0, 0), -EFAULT);
    assert_int_equal(CALL(g, SYS_recvfrom, p->fd[1], GOOD, 64, MSG_DONTWAIT, 0, 0), -EAGAIN);
}

static void names(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int32_t size = sizeof in, none = -1;
    int64_t s = CALL(g, SYS_socket, AF_INET, SOCK_STREAM, 0);
    guest_put(g, 0, &in, sizeof in);
    assert_int_equal(CALL(g, SYS_bind, s, GOOD, sizeof in), 0);
    assert_int_equal(CALL(g, SYS_listen, s, 1), 0);
    guest_put(g, 64, &size, sizeof size);
    assert_int_equal(CALL(g, SYS_getsockname, s, GOOD, GOOD + 64), 0);
    int64_t one = CALL(g, SYS_socket, AF_INET, SOCK_STREAM, 0);
    assert_int_equal(CALL(g, SYS_connect, one, GOOD, sizeof in), 0);
    size = 4; /* less room than the name needs: cut, and the true size is told */
    guest_put(g, 64, &size, sizeof size);
    guest_put(g, 128, "\xaa\xaa\xaa\xaa\xaa\xaa", 6);
    int64_t two = CALL(g, SYS_accept4, s, GOOD + 128, GOOD + 64, SOCK_CLOEXEC);
    assert_true(two >= 0);
    assert_int_equal(fcntl((int)two, F_GETFD), FD_CLOEXEC);
    uint8_t got[6];
    guest_get(g, 128, got, sizeof got);
    guest_get(g, 64, &size, sizeof size);
    assert_int_equal(size, sizeof in);
    assert_int_equal(got[0], AF_INET);
    assert_int_equal(got[4], 0xaa);
    guest_put(g, 64, &none, sizeof none);
    assert_int_equal(CALL(g, SYS_getpeername, one, GOOD, GOOD + 64), -EINVAL);
    close((int)s), close((int)one), close((int)two);
}

static void options(void **state) {
    struct pair *p = *state;
    struct guest *g = p->g;
    int32_t one = 1, size = sizeof one;
    int64_t s = CALL(g, SYS_socket, AF_INET, SOCK_STREAM, 0);
    guest_put(g, 0, &one, sizeof one);
    guest_put(g, 64, &size, sizeof size);
    assert_int_equal(CALL(g, SYS_setsockopt, s, SOL_SOCKET, SO_KEEPALIVE, GOOD, 4), 0);
    one = 0;
    guest_put(g, 128, &one, sizeof one);
    assert_int_equal(CALL(g, SYS_getsockopt, s, SOL_SOCKET, SO_KEEPALIVE, GOOD + 128, GOOD + 64),
                     0);
    guest_get(g, 128, &one, sizeof one);
    assert_int_equal(one, 1);
    /* These hold addresses the host must not follow. */
    static const struct {
        int level, name;
    } refused[] = {{IPPROTO_IP, 64}, {IPPROTO_IPV6, 64}, {IPPROTO_TCP, 35}, {283, 4}};
    for (size_t k = 0; k < sizeof refused / sizeof refused[0]; k++) {
        assert_int_equal(CALL(g, SYS_setsockopt, s, refused[k].level, refused[k].name, GOOD, 64),
                         -ENOPROTOOPT);
        assert_int_equal(
            CALL(g, SYS_getsockopt, s, refused[k].level, refused[k].name, GOOD, GOOD + 64),
            -ENOPROTOOPT);
    }
    /* A number between two of them is a plain one. */
    int64_t six = CALL(g, SYS_socket, AF_INET6, SOCK_DGRAM, 0);
    if (six >= 0)
        assert_int_equal(CALL(g, SYS_setsockopt, six, IPPROTO_IPV6, IPV6_RECVTCLASS, GOOD, 4), 0);
    /* A filter that takes nothing: its instructions are the guest's. */
    struct {
        uint16_t code;
        uint8_t jt, jf;
        uint32_t k;
    } drop = {0x06, 0, 0, 0};
    struct {
        uint16_t count, pad[3];
        uint64_t at;
    } filter = {1, {0}, guest_put(g, 256, &drop, sizeof drop)};
    guest_put(g, 320, &filter, sizeof filter);
    assert_int_equal(
        CALL(g, SYS_setsockopt, p->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, GOOD + 320, 16), 0);
    assert_int_equal(CALL(g, SYS_write, p->fd[0], GOOD, 4), 4);
    assert_int_equal(CALL(g, SYS_recvfrom, p->fd[1], GOOD, 64, MSG_DONTWAIT, 0, 0), -EAGAIN);
    filter.at = NOTHING;
    guest_put(g, 320, &filter, sizeof filter);
    assert_int_equal(
        CALL(g, SYS_setsockopt, p->fd[1], SOL_SOCKET, SO_ATTACH_FILTER, GOOD + 320, 16), -EFAULT);
    close((int)s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(passes_descriptors, setup, teardown),
        cmocka_unit_test_setup_teardown(control_without_room, setup, teardown),
        cmocka_unit_test_setup_teardown(arrays, setup_datagram, teardown),
        cmocka_unit_test_setup_teardown(datagram_in_pieces, setup_datagram, teardown),
        cmocka_unit_test_setup_teardown(names, setup, teardown),
        cmocka_unit_test_setup_teardown(options, setup_datagram, teardown),
    };
    return cmocka_run_group_tests_name("abi-linux sockets", tests, NULL, NULL);
}
