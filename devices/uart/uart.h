/*
 * What the files of the UART share: the chip (uart.c) and what its line leads to (line.c,
 * connect.c). All of it belongs to the instance. Called with the bus lock held, or before and
 * after the machine runs.
 */
#ifndef DEVICE_UART_H
#define DEVICE_UART_H

#include <blink/device.h>
#include <blink/host.h>
#include <stdbool.h>

#define UART_FIFO  16u
#define UART_PORTS 8u

/* Line status register, the bits that a received character can have too. */
#define UART_LSR_DR   0x01u
#define UART_LSR_OE   0x02u
#define UART_LSR_BI   0x10u
#define UART_LSR_THRE 0x20u
#define UART_LSR_TEMT 0x40u
#define UART_LSR_FIFO 0x80u /* a character in the FIFO has an error */

/* Modem status register: the lines, and above in the low half what changed. */
#define UART_MSR_DCTS 0x01u
#define UART_MSR_TERI 0x04u
#define UART_MSR_CTS  0x10u
#define UART_MSR_DSR  0x20u
#define UART_MSR_RI   0x40u
#define UART_MSR_DCD  0x80u

/* What the line leads to. */
enum { LINE_CONSOLE, LINE_FILE, LINE_PTY, LINE_TCP };

struct line {
    const struct blink_host *host;
    const struct blink_bus_iface *bus;
    uint32_t kind;   /* LINE_* */
    int fd;          /* of file, master of the pty, or connection; -1: none */
    int other;       /* slave of the pty, or the socket that listens; -1: none */
    bool ended;      /* the console has no more to read */
    bool complained; /* a failure is named once, not at every byte */
};

/* "console", "output", "file=PATH", "pty" or "tcp=PORT". 0, -EINVAL (not logged) if it is none of
 * them, or another -errno after a logged line. */
int line_open(struct line *line, const struct blink_host *host, const struct blink_bus_iface *bus,
              const char *text);
void line_close(struct line *line);
/* A character out: false if it must be tried again later. What nobody can read is taken. */
bool line_send(struct line *line, uint8_t byte);
/* A character in, without waiting: false if there is none. */
bool line_receive(struct line *line, uint8_t *byte);
/* Whether characters may come in without being asked for. */
bool line_has_input(const struct line *line);
/* Whether somebody is at the other end; a new connection is taken here. */
bool line_carrier(struct line *line);

/* connect.c: both fill in the descriptors of `line`, or log a line and return -errno. */
int line_open_pty(struct line *line);
int line_open_tcp(struct line *line, uint16_t port);

/* A received character and its errors. */
struct received {
    uint8_t byte;
    uint8_t errors; /* UART_LSR_BI */
};

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct line line;
    uint16_t port;
    uint32_t irq;

    uint8_t ier, lcr, mcr, msr, scr;
    uint8_t fcr;    /* enable and trigger bits as written */
    uint8_t errors; /* of LSR, until it is read */
    uint16_t divisor;
    struct received in[UART_FIFO];
    uint32_t in_first, in_count;
    uint8_t out[UART_FIFO];
    uint32_t out_count;
    bool empty_due;                  /* the interrupt "transmitter empty" has not been seen */
    bool idle_due;                   /* the interrupt "character timeout" is on */
    uint32_t poll_timer, idle_timer; /* 0: not running */
};

void uart_reset(struct blink_plugin *u);
/* Start and stop looking at the line. */
void uart_start(struct blink_plugin *u);
void uart_stop(struct blink_plugin *u);
uint64_t uart_read(struct blink_plugin *u, uint64_t offset, uint32_t size);
void uart_write(struct blink_plugin *u, uint64_t offset, uint32_t size, uint64_t value);

#endif
