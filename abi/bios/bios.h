/*
 * What the files of abi-bios share. A service gets the vCPU as the guest called it: registers in
 * the vCPU, the frame of the interrupt on the guest's stack. All belongs to the instance; called
 * by the first vCPU's thread.
 */
#ifndef ABI_BIOS_H
#define ABI_BIOS_H

#include <blink/abi.h>
#include <blink/bus.h>
#include <blink/debug.h>
#include <blink/disk.h>
#include <blink/display.h>
#include <blink/exec.h>
#include <blink/host.h>
#include <blink/mem.h>
#include <stdbool.h>

/* ---- the ROM: F000:0000 to F000:FFFF ---- */

#define ROM_SEGMENT 0xf000u
#define ROM_BASE    0xf0000u
#define ROM_SIZE    0x10000u

/* Eight bytes for each vector: "INT n, IRET". An INT there is answered by this plugin. */
#define ROM_TRAPS 0xc000u
/* The same after waiting for an interrupt, and after letting one in. */
#define ROM_WAITS 0xc800u
#define ROM_SPINS 0xd000u

/* Other places of the ROM that have to be known. */
#define ROM_HALT       0xe060u /* stands still */
#define ROM_FONT16     0x8000u /* 256 characters of 16 lines */
#define ROM_FONT8_HIGH 0x9000u /* characters 128 to 255 of 8 lines */
#define ROM_CONFIG     0xe6f5u /* what INT 15h, AH C0h gives */
#define ROM_FLOPPY     0xefc7u /* parameters of floppies: vector 1Eh */
#define ROM_HARD       0xe401u /* parameters of two hard disks: vectors 41h and 46h */
#define ROM_VIDEO      0xf0a4u /* parameters of the 6845: vector 1Dh */
#define ROM_VIDEO_INFO 0xe500u /* what INT 10h, AH 1Bh points to */
#define ROM_FONT8      0xfa6eu /* characters 0 to 127 of 8 lines */

/* ---- the BIOS data area, at linear 0x400 ---- */

enum {
    BDA_COM = 0x400,
    BDA_LPT = 0x408,
    BDA_EBDA = 0x40e,
    BDA_EQUIPMENT = 0x410,
    BDA_MEMORY = 0x413, /* KiB */
    BDA_SHIFT = 0x417,
    BDA_SHIFT2 = 0x418,
    BDA_KEYPAD = 0x419,
    BDA_KEY_HEAD = 0x41a,
    BDA_KEY_TAIL = 0x41c,
    BDA_KEYS = 0x41e,
    BDA_FLOPPY_MOTOR = 0x440,
    BDA_FLOPPY_STATUS = 0x441,
    BDA_MODE = 0x449,
    BDA_COLUMNS = 0x44a,
    BDA_PAGE_SIZE = 0x44c,
    BDA_PAGE_START = 0x44e,
    BDA_CURSORS = 0x450,
    BDA_CURSOR_SHAPE = 0x460,
    BDA_PAGE = 0x462,
    BDA_CRTC = 0x463,
    BDA_MODE_SELECT = 0x465,
    BDA_CGA_PALETTE = 0x466,
    BDA_TICKS = 0x46c,
    BDA_MIDNIGHT = 0x470,
    BDA_BREAK = 0x471,
    BDA_WARM = 0x472,
    BDA_HARD_STATUS = 0x474,
    BDA_HARD_COUNT = 0x475,
    BDA_LPT_TIMEOUT = 0x478,
    BDA_COM_TIMEOUT = 0x47c,
    BDA_KEYS_START = 0x480,
    BDA_KEYS_END = 0x482,
    BDA_ROWS = 0x484, /* less one */
    BDA_CELL = 0x485, /* lines of a character */
    BDA_VIDEO_INFO = 0x487,
    BDA_VIDEO_SWITCHES = 0x488,
    BDA_VIDEO_FLAGS = 0x489,
    BDA_DISPLAY_CODE = 0x48a,
    BDA_KEY_MODE = 0x496, /* prefixes, enhanced keyboard */
    BDA_LAMPS = 0x497,
    BDA_WAIT_FLAG = 0x4a0,
};

#define FLAG_CARRY 0x0001u
#define FLAG_ZERO  0x0040u

/* What adapter shows text. */
enum { ADAPTER_NONE, ADAPTER_MDA, ADAPTER_CGA, ADAPTER_VGA };

#define BIOS_WAITS 4u

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_mem_iface mem;
    struct blink_debug_iface debug;
    struct blink_disk_iface disk;
    struct blink_exec_iface exec;
    struct blink_cpu *cpu;
    bool foreign;  /* a ROM of the person's: nothing is answered */
    bool is_retry; /* the guest comes back from having waited */
    uint32_t adapter;
    uint32_t boot_drive;
    bool keys_held; /* the keyboard is held back until its buffer has room */
    uint32_t event_timer;
    uint64_t event_flag; /* where INT 15h, AH 83h tells of the time's end */
    struct {
        uint64_t stack; /* where the caller's frame is: who waits */
        uint64_t until; /* 0: free */
    } wait[BIOS_WAITS];
};

typedef void bios_service(struct blink_plugin *b);

/* ---- guest.c: registers, memory, ports ---- */

static inline uint16_t get16(const struct blink_plugin *b, uint32_t reg) {
    return (uint16_t)b->cpu->gpr[reg];
}
static inline uint32_t get32(const struct blink_plugin *b, uint32_t reg) {
    return (uint32_t)b->cpu->gpr[reg];
}
static inline uint8_t get_low(const struct blink_plugin *b, uint32_t reg) {
    return (uint8_t)b->cpu->gpr[reg];
}
static inline uint8_t get_high(const struct blink_plugin *b, uint32_t reg) {
    return (uint8_t)(b->cpu->gpr[reg] >> 8);
}
static inline void set16(struct blink_plugin *b, uint32_t reg, uint32_t value) {
    b->cpu->gpr[reg] = (b->cpu->gpr[reg] & ~UINT64_C(0xffff)) | (value & 0xffff);
}
static inline void set32(struct blink_plugin *b, uint32_t reg, uint32_t value) {
    b->cpu->gpr[reg] = value;
}
static inline void set_low(struct blink_plugin *b, uint32_t reg, uint32_t value) {
    b->cpu->gpr[reg] = (b->cpu->gpr[reg] & ~UINT64_C(0xff)) | (value & 0xff);
}
static inline void set_high(struct blink_plugin *b, uint32_t reg, uint32_t value) {
    b->cpu->gpr[reg] = (b->cpu->gpr[reg] & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
}
#define AL(b) get_low(b, BLINK_RAX)
#define AH(b) get_high(b, BLINK_RAX)
#define BL(b) get_low(b, BLINK_RBX)
#define BH(b) get_high(b, BLINK_RBX)
#define CL(b) get_low(b, BLINK_RCX)
#define CH(b) get_high(b, BLINK_RCX)
#define DL(b) get_low(b, BLINK_RDX)
#define DH(b) get_high(b, BLINK_RDX)
#define AX(b) get16(b, BLINK_RAX)
#define BX(b) get16(b, BLINK_RBX)
#define CX(b) get16(b, BLINK_RCX)
#define DX(b) get16(b, BLINK_RDX)

/* Linear address of offset `reg` in segment `seg`, and the segment as real mode has it. */
uint64_t bios_at(const struct blink_plugin *b, uint32_t seg, uint32_t offset);
void bios_set_segment(struct blink_plugin *b, uint32_t seg, uint16_t selector);

/* Memory as the guest sees it, video memory included; what is not there reads as ones. */
void bios_read(struct blink_plugin *b, uint64_t address, void *out, size_t size);
void bios_write(struct blink_plugin *b, uint64_t address, const void *bytes, size_t size);
uint8_t peek8(struct blink_plugin *b, uint64_t address);
uint16_t peek16(struct blink_plugin *b, uint64_t address);
uint32_t peek32(struct blink_plugin *b, uint64_t address);
void poke8(struct blink_plugin *b, uint64_t address, uint32_t value);
void poke16(struct blink_plugin *b, uint64_t address, uint32_t value);
void poke32(struct blink_plugin *b, uint64_t address, uint32_t value);
uint8_t bios_in(struct blink_plugin *b, uint16_t port);
void bios_out(struct blink_plugin *b, uint16_t port, uint32_t value);
uint64_t bios_now(struct blink_plugin *b);

/* Flags that the caller gets back: in its frame. */
void bios_flag(struct blink_plugin *b, uint32_t flag, bool on);
/* AH and carry: 0 is success. */
void bios_result(struct blink_plugin *b, uint32_t status);
/* Answer later: the guest waits for an interrupt, or lets one in, and asks again. */
void bios_wait(struct blink_plugin *b);
void bios_spin(struct blink_plugin *b);

/* ---- parts ---- */

/* rom.c: write the ROM, set the vectors. */
int rom_install(struct blink_plugin *b);
void rom_set_vectors(struct blink_plugin *b);
/* tables.c: tables of ACPI and the MultiProcessor Specification, if the machine has APICs. */
void tables_put(struct blink_plugin *b, uint8_t *rom);
/* boot.c */
void boot_set_up(struct blink_plugin *b);
void boot_registers(struct blink_plugin *b); /* of a boot sector */
int boot_foreign(struct blink_plugin *b, const char *path);
bios_service boot_19, boot_18, boot_post;
bool boot_find_cd(struct blink_plugin *b, uint32_t n, uint8_t entry[32]);

/* Services by vector. */
bios_service video_10, disk_13, serial_14, printer_17, system_11, system_12, system_15, key_09,
    key_16, time_08, time_1a, time_70;
/* Of INT 13h, functions from 41h on; AH is what the disk service says. */
void disk_extended(struct blink_plugin *b, uint32_t kind, uint32_t n,
                   const struct blink_disk *disk);
uint32_t disk_status_of(int err);
/* Sectors between guest memory and a drive. 0 or -errno. */
int disk_move(struct blink_plugin *b, uint32_t kind, uint32_t n, uint64_t sector, uint32_t count,
              uint64_t address, uint32_t size, bool write);
bool disk_find(struct blink_plugin *b, uint32_t number, uint32_t *kind, uint32_t *n,
               struct blink_disk *out);

/* keys.c: what a key of set 1 makes, as INT 16h gives it; 0: nothing. `extended`: after E0. */
uint16_t keys_code(uint8_t key, bool extended, uint32_t shift);

#endif
