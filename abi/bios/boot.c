/*
 * From power-on to the boot sector: the data area, the chips a BIOS programs, INT 18h and 19h, CDs,
 * and a ROM of the person's own. By the first vCPU's thread, or before it runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bios.h"

#define BOOT_SECTOR 0x7c00u
#define CD_SECTOR   2048u
#define LOW_MEMORY  640u /* KiB */
#define TICK_RATE   1193182u

/* Equipment: what INT 11h tells of. */
#define HAS_FLOPPY   0x0001u
#define HAS_FPU      0x0002u
#define VIDEO_80     0x0020u
#define VIDEO_MONO   0x0030u
#define FLOPPY_SHIFT 6
#define COM_SHIFT    9
#define LPT_SHIFT    14

/* ---- what there is ---- */

/* A scratch register that keeps what is written. */
static bool has_uart(struct blink_plugin *b, uint16_t port) {
    bios_out(b, (uint16_t)(port + 7), 0x5a);
    bool one = bios_in(b, (uint16_t)(port + 7)) == 0x5a;
    bios_out(b, (uint16_t)(port + 7), 0xa5);
    return one && bios_in(b, (uint16_t)(port + 7)) == 0xa5;
}

static uint32_t find_serial(struct blink_plugin *b) {
    static const uint16_t ports[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8};
    uint32_t count = 0;
    for (size_t k = 0; k < sizeof ports / sizeof ports[0]; k++)
        if (has_uart(b, ports[k])) {
            poke16(b, BDA_COM + 2 * count, ports[k]);
            poke8(b, BDA_COM_TIMEOUT + count++, 1);
        }
    return count;
}

/* A 6845's cursor register. */
static bool has_crtc(struct blink_plugin *b, uint16_t port) {
    bios_out(b, port, 0x0f);
    bios_out(b, (uint16_t)(port + 1), 0x55);
    bool there = bios_in(b, (uint16_t)(port + 1)) == 0x55;
    bios_out(b, (uint16_t)(port + 1), 0);
    return there && bios_in(b, (uint16_t)(port + 1)) == 0;
}

static void find_adapter(struct blink_plugin *b) {
    if (bios_in(b, 0x3cc) != 0xff)
        b->adapter = ADAPTER_VGA;
    else if (has_crtc(b, 0x3d4))
        b->adapter = ADAPTER_CGA;
    else
        b->adapter = has_crtc(b, 0x3b4) ? ADAPTER_MDA : ADAPTER_NONE;
}

static uint32_t count_disks(struct blink_plugin *b, uint32_t kind) {
    struct blink_disk d;
    uint32_t n = 0;
    while (b->disk.info(b->host->machine, kind, n, &d) == 0)
        n++;
    return n;
}

static void set_equipment(struct blink_plugin *b) {
    uint32_t floppies = count_disks(b, BLINK_DISK_FLOPPY), word = HAS_FPU;
    word |= find_serial(b) << COM_SHIFT;
    if (floppies)
        word |= HAS_FLOPPY | (floppies > 4 ? 3 : floppies - 1) << FLOPPY_SHIFT;
    if (b->adapter == ADAPTER_MDA)
        word |= VIDEO_MONO;
    else if (b->adapter == ADAPTER_CGA)
        word |= VIDEO_80;
    poke16(b, BDA_EQUIPMENT, word);
    poke8(b, BDA_HARD_COUNT, count_disks(b, BLINK_DISK_HARD));
}

/* ---- chips ---- */

static void set_pic(struct blink_plugin *b) {
    static const uint8_t words[][2] = {{0x20, 0x11}, {0x21, 0x08}, {0x21, 0x04}, {0x21, 0x01},
                                       {0xa0, 0x11}, {0xa1, 0x70}, {0xa1, 0x02}, {0xa1, 0x01},
                                       {0x21, 0xb8}, {0xa1, 0x8e}};
    for (size_t k = 0; k < sizeof words / sizeof words[0]; k++)
        bios_out(b, words[k][0], words[k][1]);
}

static void set_pit(struct blink_plugin *b) {
    bios_out(b, 0x43, 0x36); /* counter 0: a square wave of 18.2 Hz */
    bios_out(b, 0x40, 0);
    bios_out(b, 0x40, 0);
    bios_out(b, 0x43, 0x54); /* counter 1: refresh */
    bios_out(b, 0x41, 18);
}

static uint32_t from_bcd(uint8_t v) {
    return (v >> 4) * 10u + (v & 15);
}

static uint8_t clock_register(struct blink_plugin *b, uint8_t index) {
    bios_out(b, 0x70, index);
    return bios_in(b, 0x71);
}

/* Ticks since midnight by the clock; 0 if there is none. */
static void set_ticks(struct blink_plugin *b) {
    uint8_t h = clock_register(b, 4), m = clock_register(b, 2), s = clock_register(b, 0);
    if (clock_register(b, 0x0d) != 0x80 || from_bcd(h) > 23 || from_bcd(m) > 59 || from_bcd(s) > 59)
        return;
    uint64_t seconds = from_bcd(h) * 3600u + from_bcd(m) * 60u + from_bcd(s);
    poke32(b, BDA_TICKS, (uint32_t)(seconds * TICK_RATE / 65536));
}

static void set_keyboard(struct blink_plugin *b) {
    poke16(b, BDA_KEY_HEAD, BDA_KEYS - 0x400);
    poke16(b, BDA_KEY_TAIL, BDA_KEYS - 0x400);
    poke16(b, BDA_KEYS_START, BDA_KEYS - 0x400);
    poke16(b, BDA_KEYS_END, BDA_KEYS - 0x400 + 32);
    poke8(b, BDA_KEY_MODE, 0x10);
    b->keys_held = false;
}

void boot_set_up(struct blink_plugin *b) {
    uint8_t zero[256] = {0};
    bios_write(b, 0x400, zero, sizeof zero);
    memset(b->wait, 0, sizeof b->wait);
    rom_set_vectors(b);
    poke16(b, BDA_MEMORY, LOW_MEMORY);
    find_adapter(b);
    set_equipment(b);
    set_keyboard(b);
    set_pic(b);
    set_pit(b);
    set_ticks(b);
    /* The mode set-up calls the service as a guest would, but needs no frame. */
    uint64_t rax = b->cpu->gpr[BLINK_RAX];
    set16(b, BLINK_RAX, b->adapter == ADAPTER_MDA ? 0x0007 : 0x0003);
    video_10(b);
    b->cpu->gpr[BLINK_RAX] = rax;
}

/* ---- booting ---- */

#define CR0_CACHES_OFF UINT64_C(0x60000000) /* CD and NW */

/* As a boot sector finds them, but for CS and RIP: the machine's loader knows what it loaded. */
void boot_registers(struct blink_plugin *b) {
    struct blink_cpu *cpu = b->cpu;
    cpu->gdtr.limit = 0;
    cpu->idtr.limit = 0x3ff;
    cpu->cr0 &= ~CR0_CACHES_OFF;
    cpu->gpr[BLINK_RDX] = b->boot_drive;
    cpu->gpr[BLINK_RSP] = BOOT_SECTOR;
    blink_cpu_set_flags(cpu, 2 | BLINK_IF);
}

static uint32_t dword(const uint8_t *p) {
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* The first entry of a CD's El Torito catalogue. */
bool boot_find_cd(struct blink_plugin *b, uint32_t n, uint8_t entry[32]) {
    static const char id[] = "\0CD001\1EL TORITO SPECIFICATION";
    uint8_t sector[CD_SECTOR];
    struct blink_machine *m = b->host->machine;
    if (b->disk.read(m, BLINK_DISK_CD, n, 17, 1, sector) ||
        memcmp(sector, id, sizeof id - 1) != 0 ||
        b->disk.read(m, BLINK_DISK_CD, n, dword(sector + 0x47), 1, sector) || sector[0] != 1)
        return false;
    memcpy(entry, sector + 32, 32);
    return true;
}

static bool load_cd(struct blink_plugin *b, uint32_t n, uint32_t *segment) {
    uint8_t entry[32];
    if (!boot_find_cd(b, n, entry) || entry[0] != 0x88)
        return false;
    uint32_t count = entry[6] | entry[7] << 8;
    *segment = entry[2] | (uint32_t)entry[3] << 8;
    if (*segment == 0)
        *segment = BOOT_SECTOR >> 4;
    count = (count + 3) / 4;
    return disk_move(b, BLINK_DISK_CD, n, dword(entry + 8), count ? count : 1, *segment << 4,
                     CD_SECTOR, false) == 0;
}

static bool load_sector(struct blink_plugin *b, uint32_t drive, uint32_t *segment) {
    uint32_t kind, n;
    struct blink_disk d;
    if (!disk_find(b, drive, &kind, &n, &d))
        return false;
    if (kind == BLINK_DISK_CD)
        return load_cd(b, n, segment);
    *segment = BOOT_SECTOR >> 4;
    return disk_move(b, kind, n, 0, 1, BOOT_SECTOR, d.sector_size, false) == 0 &&
           peek16(b, BOOT_SECTOR + 510) == 0xaa55;
}

/* What was booted is booted again. */
void boot_19(struct blink_plugin *b) {
    uint32_t segment;
    if (!load_sector(b, b->boot_drive, &segment)) {
        boot_18(b);
        return;
    }
    bios_set_segment(b, BLINK_SEG_CS, (uint16_t)(segment << 4 > 0xffff ? segment : 0));
    b->cpu->rip = segment << 4 > 0xffff ? 0 : segment << 4;
    bios_set_segment(b, BLINK_SEG_DS, 0);
    bios_set_segment(b, BLINK_SEG_ES, 0);
    bios_set_segment(b, BLINK_SEG_SS, 0);
    set32(b, BLINK_RSP, BOOT_SECTOR);
    set32(b, BLINK_RDX, b->boot_drive);
    blink_cpu_set_flags(b->cpu, BLINK_IF);
}

void boot_18(struct blink_plugin *b) {
    static const char text[] = "\r\nNo disk that can be booted.\r\n";
    blink_log(b->host, BLINK_LOG_WARN, "the guest found no disk that can be booted");
    for (const char *c = text; *c; c++) {
        set16(b, BLINK_RAX, 0x0e00 | (uint8_t)*c);
        set16(b, BLINK_RBX, 0x0007);
        video_10(b);
    }
    bios_set_segment(b, BLINK_SEG_CS, ROM_SEGMENT);
    b->cpu->rip = ROM_HALT;
}

/* A jump to the reset vector. */
void boot_post(struct blink_plugin *b) {
    boot_set_up(b);
    boot_19(b);
}

/* ---- a ROM of the person's ---- */

static int refuse(struct blink_plugin *b, const char *path, const char *why, int rc) {
    blink_log(b->host, BLINK_LOG_ERROR, "bios: %s: %s", path, why);
    return rc;
}

/* It can be written, like the shadow RAM that a ROM copies itself to: there is no chipset whose
 * registers would open that. */
static int copy_rom(struct blink_plugin *b, const char *path, const uint8_t *rom, size_t size) {
    size_t shown = size < 2 * ROM_SIZE ? size : 2 * ROM_SIZE;
    uint64_t at = ROM_BASE + ROM_SIZE - shown;
    int rc = b->mem.copy_out(b->cpu->mem, at, rom + size - shown, shown);
    return rc ? refuse(b, path, "does not fit below 1 MiB", rc) : 0;
}

/* Its last 128 KiB end at 1 MiB; it begins where a processor does after a reset. */
int boot_foreign(struct blink_plugin *b, const char *path) {
    struct stat st;
    uint8_t *rom = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
    if (fd < 0 || fstat(fd, &st))
        rc = refuse(b, path, strerror(errno), -errno);
    else if (!S_ISREG(st.st_mode) || st.st_size < BLINK_PAGE_SIZE || st.st_size > 16 << 20 ||
             st.st_size % BLINK_PAGE_SIZE)
        rc = refuse(b, path, "not a BIOS image: whole pages are, up to 16 MiB", -ENOEXEC);
    if (rc == 0 && !(rom = malloc((size_t)st.st_size)))
        rc = -ENOMEM;
    if (rc == 0 && pread(fd, rom, (size_t)st.st_size, 0) != (ssize_t)st.st_size)
        rc = refuse(b, path, "cannot be read", -EIO);
    if (rc == 0)
        rc = copy_rom(b, path, rom, (size_t)st.st_size);
    free(rom);
    if (fd >= 0)
        close(fd);
    if (rc)
        return rc;
    bios_set_segment(b, BLINK_SEG_CS, ROM_SEGMENT);
    b->cpu->rip = 0xfff0;
    blink_cpu_set_flags(b->cpu, 0);
    return 0;
}
