/*
 * ioctl, by the table ioctl.def. Commands and structures of a 64-bit Linux are the same on all
 * hosts that use asm-generic. On the vCPU's thread.
 */
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kd.h>
#include <linux/rtc.h>
#include <linux/sockios.h>
#include <linux/vt.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "arg.h"

/* Commands whose headers clash with the C library's. */
#define CMD_TCGETS2           0x802c542au
#define CMD_TCSETS2           0x402c542bu
#define CMD_TCSETSW2          0x402c542cu
#define CMD_TCSETSF2          0x402c542du
#define CMD_SIOCGSTAMP        0x8906u
#define CMD_SIOCGSTAMPNS      0x8907u
#define CMD_NS_GET_USERNS     0xb701u
#define CMD_NS_GET_PARENT     0xb702u
#define CMD_NS_GET_NSTYPE     0xb703u
#define CMD_NS_GET_OWNER_UID  0xb704u
#define CMD_INOTIFY_SETNEXTWD 0x40044900u
#define CMD_TFD_SET_TICKS     0x40085400u
#define CMD_HDIO_GETGEO       0x0301u
#define CMD_RNDGETENTCNT      0x80045200u
#define CMD_RNDADDTOENTCNT    0x40045201u

_Static_assert(TCGETS == 0x5401 && TIOCGWINSZ == 0x5413 && FIONBIO == 0x5421 &&
                   TIOCSPTLCK == 0x40045431,
               "ioctl numbers of asm-generic");
_Static_assert(FS_IOC_GETFLAGS == 0x80086601u && FICLONE == 0x40049409u, "ioctl directions");

#define NOBODYS_COMMAND 0xffffffffu

enum { NONE, VALUE, IN, OUT, INOUT, SPECIAL };

#define BUFFER_MAX 256 /* the largest fixed size of the table */

/* ---- commands with lists in memory ---- */

static int64_t host_ioctl(struct lx_call *c, uint64_t arg) {
    return LX_SYSCALL(c, SYS_ioctl, (int32_t)c->a[0], (uint32_t)c->a[1], arg, 0, 0, 0);
}

/* A header that is followed by `count` items, all written back. */
static int64_t with_items(struct lx_call *c, uint64_t head, uint64_t item, uint64_t count) {
    struct lx_piece p;
    if (count > 65536)
        return -EINVAL;
    int64_t rc = lx_piece(c, c->a[2], head + item * count, BLINK_PROT_READ | BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    rc = host_ioctl(c, (uintptr_t)p.host);
    if (lx_piece_end(c, &p, p.size) < 0)
        rc = -EFAULT;
    return rc;
}

static int64_t extents(struct lx_call *c) {
    struct fiemap map;
    if (lx_in(c, &map, c->a[2], sizeof map) < 0)
        return host_ioctl(c, (uintptr_t)lx_nowhere(c->abi));
    return with_items(c, sizeof map, sizeof(struct fiemap_extent), map.fm_extent_count);
}

static int64_t same_ranges(struct lx_call *c) {
    struct file_dedupe_range range;
    if (lx_in(c, &range, c->a[2], sizeof range) < 0)
        return host_ioctl(c, (uintptr_t)lx_nowhere(c->abi));
    return with_items(c, sizeof range, sizeof(struct file_dedupe_range_info), range.dest_count);
}

/* struct ifconf: a size and a pointer to room for that many bytes, or NULL to ask for the size. */
static int64_t interfaces(struct lx_call *c) {
    struct {
        int32_t size;
        uint32_t pad;
        uint64_t at;
    } g;
    struct {
        int32_t size;
        uint32_t pad;
        void *at;
    } host;
    struct lx_piece p;
    if (lx_in(c, &g, c->a[2], sizeof g) < 0)
        return host_ioctl(c, (uintptr_t)lx_nowhere(c->abi));
    int64_t rc = lx_piece(c, g.at, g.size > 0 ? (uint32_t)g.size : 0, BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    host.size = g.size;
    host.pad = 0;
    host.at = p.host;
    rc = host_ioctl(c, (uintptr_t)&host);
    if (lx_piece_end(c, &p, rc == 0 && g.at && host.size > 0 ? (uint32_t)host.size : 0) < 0)
        rc = -EFAULT;
    return lx_give(c, rc, c->a[2], &host.size, sizeof host.size);
}

/* ---- the table ---- */

#define SIZE_NONE(x)    0, NULL
#define SIZE_VALUE(x)   0, NULL
#define SIZE_IN(x)      x, NULL
#define SIZE_OUT(x)     x, NULL
#define SIZE_INOUT(x)   x, NULL
#define SIZE_SPECIAL(x) 0, x

static const struct {
    uint32_t command;
    uint8_t kind;
    uint16_t size;
    int64_t (*special)(struct lx_call *c);
} commands[] = {
#define IOCTL(command, kind, arg) {(uint32_t)(command), kind, SIZE_##kind(arg)},
#include "ioctl.def"
#undef IOCTL
};
#define COMMANDS (sizeof commands / sizeof commands[0])

/* Devices answer questions about themselves with structures of the command's size: only input
 * devices are known to hold no addresses in any of them. */
static bool is_input_query(uint32_t command) {
    return _IOC_TYPE(command) == 'E' && _IOC_DIR(command) == _IOC_READ;
}

static int64_t input_query(struct lx_call *c) {
    struct lx_piece p;
    uint64_t size = _IOC_SIZE((uint32_t)c->a[1]);
    int64_t rc = lx_piece(c, c->a[2], size, BLINK_PROT_WRITE, &p);
    if (rc < 0)
        return rc;
    rc = host_ioctl(c, (uintptr_t)p.host);
    if (lx_piece_end(c, &p, rc >= 0 ? size : 0) < 0)
        rc = -EFAULT;
    return rc;
}

/* A command that is not in the table: what the host says to one that nobody knows. */
static int64_t unknown(struct lx_call *c) {
    int64_t rc = LX_SYSCALL(c, SYS_ioctl, (int32_t)c->a[0], NOBODYS_COMMAND, 0, 0, 0, 0);
    blink_log(c->abi->host, BLINK_LOG_DEBUG, "ioctl %#x is not known: refused",
              (unsigned)(uint32_t)c->a[1]);
    return rc < 0 ? rc : -ENOTTY;
}

int64_t lx_sys_ioctl(struct lx_call *c) {
    uint8_t buf[BUFFER_MAX] = {0};
    uint32_t command = (uint32_t)c->a[1];
    uint64_t arg = c->a[2];
    size_t k = 0;
    while (k < COMMANDS && commands[k].command != command)
        k++;
    if (k == COMMANDS)
        return is_input_query(command) ? input_query(c) : unknown(c);
    uint8_t kind = commands[k].kind;
    size_t size = commands[k].size;
    if (kind == SPECIAL)
        return commands[k].special(c);
    if (kind == IN || kind == INOUT)
        arg = (uintptr_t)lx_arg(c, buf, arg, size);
    else if (kind == OUT)
        arg = (uintptr_t)buf;
    int64_t rc = host_ioctl(c, arg);
    if ((kind == OUT || kind == INOUT) && rc >= 0 && lx_out(c, c->a[2], buf, size) < 0)
        rc = -EFAULT;
    return rc;
}
