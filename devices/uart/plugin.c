/*
 * device-uart: a serial port, the 16550A of PCs. Arguments, all optional: port=N (0x3f8), irq=N
 * (4), and where the line leads: console, output (the console, which is not read), file=PATH, pty,
 * or tcp=PORT on the loopback interface. Life of the instance and its arguments; the chip is in
 * uart.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "uart.h"

/* A number as C writes them, at most `max`. */
static int parse_number(const char *text, uint32_t max, uint32_t *out) {
    char *end;
    if (text[0] < '0' || text[0] > '9')
        return -EINVAL;
    errno = 0;
    unsigned long v = strtoul(text, &end, 0);
    if (*end || errno || v > max)
        return -EINVAL;
    *out = (uint32_t)v;
    return 0;
}

static int parse_one(struct blink_plugin *u, const char *word, const char **line) {
    uint32_t v;
    if (!strncmp(word, "port=", 5)) {
        int r = parse_number(word + 5, 0x10000 - UART_PORTS, &v);
        u->port = r ? u->port : (uint16_t)v;
        return r;
    }
    if (!strncmp(word, "irq=", 4)) {
        int r = parse_number(word + 4, 255, &v);
        u->irq = r ? u->irq : v;
        return r;
    }
    *line = word;
    return 0;
}

/* Words with commas between them. `text` is written to. The line is opened last. */
static int configure(struct blink_plugin *u, char *text) {
    const char *line = "console", *bad = NULL;
    for (char *word = text, *next; word && *word && !bad; word = next) {
        next = strchr(word, ',');
        if (next)
            *next++ = 0;
        if (parse_one(u, word, &line))
            bad = word;
    }
    int r = bad ? -EINVAL : line_open(&u->line, u->host, &u->bus, line);
    if (r == -EINVAL)
        blink_log(u->host, BLINK_LOG_ERROR,
                  "uart: %s: not an argument; give port=N, irq=N, console, output, file=PATH, pty "
                  "or tcp=PORT",
                  bad ? bad : line);
    return r;
}

static void uart_destroy(struct blink_plugin *u) {
    if (u)
        line_close(&u->line);
    free(u);
}

static int uart_create(const struct blink_host *host, const char *args, struct blink_plugin **out) {
    struct blink_plugin *u = calloc(1, sizeof *u);
    char *text = strdup(args);
    int r = u && text ? 0 : -ENOMEM;
    if (r == 0) {
        u->host = host;
        u->port = 0x3f8;
        u->irq = 4;
        u->line.fd = u->line.other = -1;
        r = blink_service(host, "device uart", BLINK_IFACE_BUS, &u->bus, sizeof u->bus);
    }
    if (r == 0)
        r = configure(u, text);
    free(text);
    if (r < 0) {
        uart_destroy(u);
        return r;
    }
    u->divisor = 12; /* 9600 baud */
    uart_reset(u);
    *out = u;
    return 0;
}

static int uart_activate(struct blink_plugin *u) {
    int r = u->bus.claim_ports(u->host->machine, u, u->port, UART_PORTS, uart_read, uart_write);
    if (r == 0)
        uart_start(u);
    return r;
}

static void uart_deactivate(struct blink_plugin *u) {
    uart_stop(u);
    u->bus.release(u->host->machine, u);
}

static const struct blink_device_ops uart_ops = {
    .plugin =
        {
            .struct_size = sizeof uart_ops,
            .create = uart_create,
            .destroy = uart_destroy,
            .activate = uart_activate,
            .deactivate = uart_deactivate,
        },
    .reset = uart_reset,
};

static const struct blink_manifest uart_manifest = {
    .struct_size = sizeof uart_manifest,
    .kind = BLINK_KIND_DEVICE,
    .name = "uart",
    .version = "0.1.0",
    .summary = "16550A serial port",
    .licence = "ISC",
    .vtable = &uart_ops,
};

BLINK_PLUGIN_DEFINE(&uart_manifest);
