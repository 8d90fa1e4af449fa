/*
 * device-kbd: the keyboard controller of a PC, an 8042 at ports 0x60 and 0x64 with interrupt line
 * 1, and the keyboard that is plugged into it. It begins as a BIOS leaves it: translating to scan
 * code set 1, interrupts on. Argument "console": what comes from the machine's console is typed.
 * Keys of frontends come by the display service. Nothing is at its second (mouse) port. The A20
 * gate and the reset line of its output port are the board's. Bus lock held, but for its life.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <blink/device.h>
#include <blink/host.h>
#include <blink/system.h>

#include "kbd.h"

#define PORT_DATA    0x60
#define PORT_COMMAND 0x64
#define IRQ          1

#define STATUS_FULL    0x01u /* a byte waits at port 0x60 */
#define STATUS_SYSTEM  0x04u
#define STATUS_COMMAND 0x08u /* the last write was to port 0x64 */
#define STATUS_NO_LOCK 0x10u

/* The command byte: the first of the controller's 32 bytes of memory. */
#define MODE_IRQ       0x01u
#define MODE_SYSTEM    0x04u
#define MODE_DISABLED  0x10u
#define MODE_NO_AUX    0x20u
#define MODE_TRANSLATE 0x40u
#define MODE_BIOS      (MODE_IRQ | MODE_SYSTEM | MODE_NO_AUX | MODE_TRANSLATE)

#define OUTPUT_NO_RESET 0x01u
#define OUTPUT_A20      0x02u
#define OUTPUT_FULL     0x10u
#define OUTPUT_REST     0xcdu /* lines that are up: the reset line, those of the keyboard */

/* The keyboard's line carries about a byte in this time; handlers of interrupts count on it. */
#define BYTE_NS UINT64_C(500000)
#define POLL_NS UINT64_C(10000000)

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_display_iface display;
    struct blink_system_iface board;
    struct keyboard keyboard;
    uint8_t ram[32];
    uint8_t command; /* of port 0x64 that waits for its byte, or 0 */
    uint8_t status;  /* STATUS_COMMAND */
    uint8_t data;    /* what port 0x60 gives */
    bool full;
    bool reply_waits; /* the controller's own answer goes before the keyboard's bytes */
    uint8_t reply;
    bool release;    /* half of a translation */
    uint64_t ready;  /* the line is free from then on */
    uint32_t timer;  /* of the next byte; 0: not running */
    bool console;    /* what it types is read */
    uint32_t poller; /* timer of that */
    char typed[64];  /* read, and not typed yet */
    size_t typed_count;
};

/* ---- the byte that waits ---- */

static void fill(struct blink_plugin *k);

static void due(struct blink_plugin *k, void *arg) {
    (void)arg;
    k->timer = 0;
    fill(k);
}

static void offer(struct blink_plugin *k, uint8_t byte) {
    k->data = byte;
    k->full = true;
    k->bus.set_irq(k->host->machine, IRQ, k->ram[0] & MODE_IRQ);
}

/* The next byte of the keyboard as the controller hands it on. */
static bool next(struct blink_plugin *k, uint8_t *byte) {
    while (keyboard_next(&k->keyboard, byte))
        if (!(k->ram[0] & MODE_TRANSLATE) || keyboard_translate(&k->release, *byte, byte))
            return true;
    return false;
}

static void fill(struct blink_plugin *k) {
    struct blink_machine *m = k->host->machine;
    uint8_t byte;
    if (k->full)
        return;
    if (k->reply_waits) {
        k->reply_waits = false;
        offer(k, k->reply);
        return;
    }
    if ((k->ram[0] & MODE_DISABLED) || !k->keyboard.count || k->timer)
        return;
    if (k->bus.now(m) >= k->ready) {
        if (next(k, &byte))
            offer(k, byte);
    } else if (k->bus.timer_start(m, k, k->ready, due, NULL, &k->timer)) {
        k->timer = 0;
    }
}

static uint8_t take(struct blink_plugin *k) {
    if (k->full) {
        k->full = false;
        k->ready = k->bus.now(k->host->machine) + BYTE_NS;
        k->bus.set_irq(k->host->machine, IRQ, 0);
        fill(k);
    }
    return k->data; /* asked again it says the same */
}

static void answer(struct blink_plugin *k, uint8_t byte) {
    k->reply = byte;
    k->reply_waits = true;
    fill(k);
}

/* ---- commands of the controller ---- */

static uint8_t output_port(const struct blink_plugin *k) {
    bool open = k->board.a20(k->host->machine);
    return (uint8_t)(OUTPUT_REST | (open ? OUTPUT_A20 : 0) | (k->full ? OUTPUT_FULL : 0));
}

static void set_output(struct blink_plugin *k, uint8_t value) {
    k->board.set_a20(k->host->machine, (value & OUTPUT_A20) != 0);
    if (!(value & OUTPUT_NO_RESET))
        k->board.reset(k->host->machine);
}

static void write_mode(struct blink_plugin *k, uint8_t value) {
    k->ram[0] = value;
    k->bus.set_irq(k->host->machine, IRQ, k->full && (value & MODE_IRQ));
    fill(k);
}

static void command(struct blink_plugin *k, uint8_t byte) {
    k->command = 0;
    if (byte >= 0x20 && byte <= 0x3f)
        answer(k, k->ram[byte & 31]);
    else if (byte >= 0x60 && byte <= 0x7f)
        k->command = byte;
    else if (byte >= 0xf0)
        /* Lines go down for a moment; the first one is the processor's reset. */
        set_output(k, output_port(k) & (uint8_t) ~(~byte & 1u));
    else
        switch (byte) {
        case 0xa4: answer(k, 0xf1); break; /* no password */
        case 0xa7: k->ram[0] |= MODE_NO_AUX; break;
        case 0xa8: k->ram[0] &= (uint8_t)~MODE_NO_AUX; break;
        case 0xa9: answer(k, 0x01); break; /* nothing is at the second port */
        case 0xaa: answer(k, 0x55); break;
        case 0xab: answer(k, 0x00); break;
        case 0xad: write_mode(k, k->ram[0] | MODE_DISABLED); break;
        case 0xae: write_mode(k, k->ram[0] & (uint8_t)~MODE_DISABLED); break;
        case 0xc0: answer(k, 0x80); break; /* the lock is open */
        case 0xd0: answer(k, output_port(k)); break;
        case 0xd1:
        case 0xd2:
        case 0xd3:
        case 0xd4: k->command = byte; break;
        case 0xdd: set_output(k, output_port(k) & (uint8_t)~OUTPUT_A20); break;
        case 0xdf: set_output(k, output_port(k) | OUTPUT_A20); break;
        case 0xe0: answer(k, 0x00); break;
        default: break;
        }
}

static void command_byte(struct blink_plugin *k, uint8_t command, uint8_t byte) {
    if (command == 0x60)
        write_mode(k, byte);
    else if (command < 0x80)
        k->ram[command & 31] = byte;
    else if (command == 0xd1)
        set_output(k, byte);
    else if (command == 0xd2)
        answer(k, byte);
    /* 0xd3 and 0xd4 are for a second port at which nothing is. */
}

/* ---- ports ---- */

static uint64_t data_read(struct blink_plugin *k, uint64_t offset, uint32_t size) {
    (void)offset, (void)size;
    return take(k);
}

static void data_write(struct blink_plugin *k, uint64_t offset, uint32_t size, uint64_t value) {
    uint8_t waiting = k->command;
    (void)offset, (void)size;
    k->status &= (uint8_t)~STATUS_COMMAND;
    k->command = 0;
    if (waiting) {
        command_byte(k, waiting, (uint8_t)value);
        return;
    }
    /* A byte for the keyboard opens its line. */
    k->ram[0] &= (uint8_t)~MODE_DISABLED;
    keyboard_write(&k->keyboard, (uint8_t)value);
    fill(k);
}

static uint64_t status_read(struct blink_plugin *k, uint64_t offset, uint32_t size) {
    (void)offset, (void)size;
    return k->status | STATUS_NO_LOCK | (k->ram[0] & MODE_SYSTEM ? STATUS_SYSTEM : 0) |
           (k->full ? STATUS_FULL : 0);
}

static void command_write(struct blink_plugin *k, uint64_t offset, uint32_t size, uint64_t value) {
    (void)offset, (void)size;
    k->status |= STATUS_COMMAND;
    command(k, (uint8_t)value);
}

/* ---- keys from outside ---- */

static void on_key(struct blink_plugin *k, uint32_t key, uint32_t down) {
    keyboard_key(&k->keyboard, key, down);
    fill(k);
}

static size_t on_type(struct blink_plugin *k, const char *text, size_t size) {
    size_t taken = keyboard_type(&k->keyboard, text, size);
    fill(k);
    return taken;
}

static void poll_console(struct blink_plugin *k, void *arg) {
    struct blink_machine *m = k->host->machine;
    size_t room = sizeof k->typed - k->typed_count;
    int64_t got = 0;
    (void)arg;
    k->poller = 0;
    if (room)
        got = k->bus.console_read(m, k->typed + k->typed_count, room);
    if (got > 0)
        k->typed_count += (size_t)got;
    size_t taken = on_type(k, k->typed, k->typed_count);
    k->typed_count -= taken;
    memmove(k->typed, k->typed + taken, k->typed_count);
    k->console = got >= 0;
    if ((k->console || k->typed_count) &&
        k->bus.timer_start(m, k, k->bus.now(m) + POLL_NS, poll_console, NULL, &k->poller))
        k->poller = 0;
}

/* ---- life ---- */

static void kbd_reset(struct blink_plugin *k) {
    keyboard_reset(&k->keyboard);
    memset(k->ram, 0, sizeof k->ram);
    k->ram[0] = MODE_BIOS;
    k->command = k->status = k->data = 0;
    k->full = k->reply_waits = k->release = false;
    k->bus.set_irq(k->host->machine, IRQ, 0);
}

static int kbd_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    if (*args && strcmp(args, "console") != 0) {
        blink_log(host, BLINK_LOG_ERROR, "kbd: %s: not an argument; there is console alone", args);
        return -EINVAL;
    }
    struct blink_plugin *k = calloc(1, sizeof *k);
    if (!k)
        return -ENOMEM;
    k->host = host;
    k->console = *args;
    if (blink_service(host, "device kbd", BLINK_IFACE_BUS, &k->bus, sizeof k->bus) ||
        blink_service(host, "device kbd", BLINK_IFACE_DISPLAY, &k->display, sizeof k->display) ||
        blink_service(host, "device kbd", BLINK_IFACE_SYSTEM, &k->board, sizeof k->board)) {
        free(k);
        return -ENOTSUP;
    }
    *out = k;
    return 0;
}

static void kbd_destroy(struct blink_plugin *k) {
    free(k);
}

static void kbd_deactivate(struct blink_plugin *k) {
    struct blink_machine *m = k->host->machine;
    k->bus.timer_cancel(m, k->timer);
    k->bus.timer_cancel(m, k->poller);
    k->timer = k->poller = 0;
    k->bus.set_irq(m, IRQ, 0);
    k->bus.release(m, k);
    k->display.detach(m, k);
}

static int kbd_activate(struct blink_plugin *k) {
    struct blink_machine *m = k->host->machine;
    int r = k->bus.claim_ports(m, k, PORT_DATA, 1, data_read, data_write);
    if (r == 0)
        r = k->bus.claim_ports(m, k, PORT_COMMAND, 1, status_read, command_write);
    if (r == 0)
        r = k->display.set_keyboard(m, k, on_key, on_type);
    if (r == 0 && (k->console || k->typed_count))
        r = k->bus.timer_start(m, k, k->bus.now(m) + POLL_NS, poll_console, NULL, &k->poller);
    if (r < 0)
        kbd_deactivate(k);
    else
        kbd_reset(k);
    return r;
}

static const struct blink_device_ops kbd_ops = {
    .plugin =
        {
            .struct_size = sizeof kbd_ops,
            .create = kbd_create,
            .destroy = kbd_destroy,
            .activate = kbd_activate,
            .deactivate = kbd_deactivate,
        },
    .reset = kbd_reset,
};

static const struct blink_manifest kbd_manifest = {
    .struct_size = sizeof kbd_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "kbd",
    .version = "0.1.0",
    .summary = "8042 keyboard controller and a keyboard",
    .licence = "ISC",
    .vtable = &kbd_ops,
};

BLINK_PLUGIN_DEFINE(&kbd_manifest);
