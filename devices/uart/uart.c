/*
 * The chip, by National Semiconductor's data sheet of the PC16550D. Characters leave at once, as
 * fast as the line takes them, and come in when there is room: no time is spent on bits. The
 * divisor counts for the character timeout alone. Bus lock held.
 */
#include <string.h>

#include "uart.h"

#define IER_RECEIVED 0x01u
#define IER_EMPTY    0x02u
#define IER_STATUS   0x04u
#define IER_MODEM    0x08u
#define IER_MASK     0x0fu

#define IIR_MODEM    0x00u
#define IIR_NONE     0x01u
#define IIR_EMPTY    0x02u
#define IIR_RECEIVED 0x04u
#define IIR_STATUS   0x06u
#define IIR_TIMEOUT  0x0cu
#define IIR_FIFOS    0xc0u

#define FCR_ENABLE    0x01u
#define FCR_CLEAR_IN  0x02u
#define FCR_CLEAR_OUT 0x04u
#define FCR_TRIGGER   0xc0u

#define LCR_BREAK 0x40u
#define LCR_DLAB  0x80u

#define MCR_DTR  0x01u
#define MCR_RTS  0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define MCR_MASK 0x1fu

#define POLL_NS     UINT64_C(5000000) /* between looks at the line */
#define INPUT_CLOCK 115200u           /* 1.8432 MHz / 16 */

static void poll_line(struct blink_plugin *u, void *arg);

/* ---- interrupts ---- */

static uint32_t trigger(const struct blink_plugin *u) {
    static const uint8_t levels[] = {1, 4, 8, 14};
    return u->fcr & FCR_ENABLE ? levels[(u->fcr & FCR_TRIGGER) >> 6] : 1;
}

/* The errors of LSR: those that wait, and those of the character that is read next. */
static uint8_t errors_now(const struct blink_plugin *u) {
    return u->errors | (u->in_count ? u->in[u->in_first].errors : 0);
}

/* The interrupt of the highest priority, as IIR names it. */
static uint8_t pending(const struct blink_plugin *u) {
    if ((u->ier & IER_STATUS) && errors_now(u))
        return IIR_STATUS;
    if ((u->ier & IER_RECEIVED) && u->in_count >= trigger(u))
        return IIR_RECEIVED;
    if ((u->ier & IER_RECEIVED) && u->idle_due)
        return IIR_TIMEOUT;
    if ((u->ier & IER_EMPTY) && u->empty_due)
        return IIR_EMPTY;
    if ((u->ier & IER_MODEM) && (u->msr & 0x0f))
        return IIR_MODEM;
    return IIR_NONE;
}

/* PCs gate the interrupt by OUT2, which loopback holds inactive as all modem outputs. */
static void update_irq(struct blink_plugin *u) {
    bool gate = (u->mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
    u->bus.set_irq(u->host->machine, u->irq, gate && pending(u) != IIR_NONE);
}

/* ---- modem lines ---- */

static uint8_t modem_lines(struct blink_plugin *u) {
    if (!(u->mcr & MCR_LOOP))
        return line_carrier(&u->line) ? UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD : 0;
    return (uint8_t)((u->mcr & MCR_DTR ? UART_MSR_DSR : 0) | (u->mcr & MCR_RTS ? UART_MSR_CTS : 0) |
                     (u->mcr & MCR_OUT1 ? UART_MSR_RI : 0) |
                     (u->mcr & MCR_OUT2 ? UART_MSR_DCD : 0));
}

/* Changes are noted below the lines; of RI only its end. */
static void update_modem(struct blink_plugin *u) {
    uint8_t now = modem_lines(u), before = u->msr & 0xf0;
    uint8_t changed = (uint8_t)((now ^ before) >> 4);
    if (!(before & UART_MSR_RI) || (now & UART_MSR_RI))
        changed &= (uint8_t)~UART_MSR_TERI;
    u->msr = (uint8_t)(now | (u->msr & 0x0f) | changed);
}

/* ---- receiver ---- */

static uint32_t in_room(const struct blink_plugin *u) {
    return (u->fcr & FCR_ENABLE ? UART_FIFO : 1) - u->in_count;
}

static void idle(struct blink_plugin *u, void *arg) {
    (void)arg;
    u->idle_timer = 0;
    u->idle_due = u->in_count != 0;
    update_irq(u);
}

/* The FIFO was filled or read: characters below the trigger level that lie for the time of four
 * are told of. */
static void restart_idle(struct blink_plugin *u) {
    u->bus.timer_cancel(u->host->machine, u->idle_timer);
    u->idle_timer = 0;
    u->idle_due = false;
    if (!(u->fcr & FCR_ENABLE) || !u->in_count)
        return;
    uint64_t bits = 7 + (u->lcr & 3) + (u->lcr >> 2 & 1) + (u->lcr >> 3 & 1);
    uint64_t divisor = u->divisor ? u->divisor : 1;
    uint64_t when =
        u->bus.now(u->host->machine) + 4 * bits * divisor * UINT64_C(1000000000) / INPUT_CLOCK;
    if (u->bus.timer_start(u->host->machine, u, when, idle, NULL, &u->idle_timer))
        u->idle_due = true; /* no timer: better at once than never */
}

static void receive(struct blink_plugin *u, uint8_t byte, uint8_t errors) {
    if (!in_room(u)) {
        u->errors |= UART_LSR_OE;
        /* Without FIFOs the new character takes the place of the old. */
        if (!(u->fcr & FCR_ENABLE))
            u->in[u->in_first] = (struct received){byte, errors};
        return;
    }
    u->in[(u->in_first + u->in_count++) % UART_FIFO] = (struct received){byte, errors};
    restart_idle(u);
}

static void clear_in(struct blink_plugin *u) {
    u->in_first = u->in_count = 0;
    restart_idle(u);
}

static uint8_t read_received(struct blink_plugin *u) {
    if (!u->in_count)
        return 0;
    struct received r = u->in[u->in_first];
    u->in_first = (u->in_first + 1) % UART_FIFO;
    u->in_count--;
    u->errors |= r.errors; /* stay until LSR is read */
    restart_idle(u);
    return r.byte;
}

static uint8_t line_status(const struct blink_plugin *u) {
    uint8_t lsr = errors_now(u);
    if (u->in_count)
        lsr |= UART_LSR_DR;
    if (!u->out_count)
        lsr |= UART_LSR_THRE | UART_LSR_TEMT;
    for (uint32_t k = 0; (u->fcr & FCR_ENABLE) && k < u->in_count; k++)
        if (u->in[(u->in_first + k) % UART_FIFO].errors)
            lsr |= UART_LSR_FIFO;
    return lsr;
}

static uint8_t read_line_status(struct blink_plugin *u) {
    uint8_t lsr = line_status(u);
    u->errors = 0;
    if (u->in_count)
        u->in[u->in_first].errors = 0;
    return lsr;
}

/* ---- transmitter ---- */

/* What waits goes out as far as the line takes it. */
static void drain(struct blink_plugin *u) {
    uint32_t sent = 0;
    while (sent < u->out_count && line_send(&u->line, u->out[sent]))
        sent++;
    if (!sent)
        return;
    u->out_count -= sent;
    memmove(u->out, u->out + sent, u->out_count);
    if (!u->out_count)
        u->empty_due = true;
}

static void transmit(struct blink_plugin *u, uint8_t byte) {
    byte &= (uint8_t)((1u << (5 + (u->lcr & 3))) - 1);
    u->empty_due = false;
    if (u->mcr & MCR_LOOP) {
        receive(u, byte, 0);
        u->empty_due = true;
        return;
    }
    uint32_t room = (u->fcr & FCR_ENABLE ? UART_FIFO : 1) - u->out_count;
    if (room)
        u->out[u->out_count++] = byte;
    drain(u);
}

/* ---- the line ---- */

static void look(struct blink_plugin *u) {
    uint8_t byte;
    drain(u);
    while (!(u->mcr & MCR_LOOP) && in_room(u) && line_receive(&u->line, &byte))
        receive(u, byte, 0);
    update_modem(u);
    update_irq(u);
}

static void poll_line(struct blink_plugin *u, void *arg) {
    (void)arg;
    u->poll_timer = 0;
    look(u);
    uart_start(u);
}

void uart_start(struct blink_plugin *u) {
    if (u->poll_timer || (!line_has_input(&u->line) && !u->out_count))
        return;
    if (u->bus.timer_start(u->host->machine, u, u->bus.now(u->host->machine) + POLL_NS, poll_line,
                           NULL, &u->poll_timer))
        u->poll_timer = 0;
}

void uart_stop(struct blink_plugin *u) {
    u->bus.timer_cancel(u->host->machine, u->poll_timer);
    u->bus.timer_cancel(u->host->machine, u->idle_timer);
    u->poll_timer = u->idle_timer = 0;
    u->bus.set_irq(u->host->machine, u->irq, 0);
}

/* ---- registers ---- */

static uint8_t read_iir(struct blink_plugin *u) {
    uint8_t source = pending(u);
    if (source == IIR_EMPTY)
        u->empty_due = false;
    return (uint8_t)(source | (u->fcr & FCR_ENABLE ? IIR_FIFOS : 0));
}

static uint8_t read_msr(struct blink_plugin *u) {
    uint8_t msr = u->msr;
    u->msr &= 0xf0;
    return msr;
}

static uint8_t read_register(struct blink_plugin *u, uint64_t offset) {
    bool dlab = u->lcr & LCR_DLAB;
    switch (offset) {
    case 0: return dlab ? (uint8_t)u->divisor : read_received(u);
    case 1: return dlab ? (uint8_t)(u->divisor >> 8) : u->ier;
    case 2: return read_iir(u);
    case 3: return u->lcr;
    case 4: return u->mcr;
    case 5: return read_line_status(u);
    case 6: return read_msr(u);
    default: return u->scr;
    }
}

static void write_ier(struct blink_plugin *u, uint8_t value) {
    /* Enabled anew, it tells of a transmitter that is empty already. */
    if ((value & ~u->ier & IER_EMPTY) && !u->out_count)
        u->empty_due = true;
    u->ier = value & IER_MASK;
}

static void write_fcr(struct blink_plugin *u, uint8_t value) {
    bool toggled = (value ^ u->fcr) & FCR_ENABLE;
    /* The other bits count only together with the first. */
    u->fcr = value & FCR_ENABLE ? value & (FCR_ENABLE | FCR_TRIGGER) : 0;
    if (toggled || (value & FCR_CLEAR_IN))
        clear_in(u);
    if ((toggled || (value & FCR_CLEAR_OUT)) && u->out_count) {
        u->out_count = 0;
        u->empty_due = true;
    }
}

static void write_lcr(struct blink_plugin *u, uint8_t value) {
    if ((value & ~u->lcr & LCR_BREAK) && (u->mcr & MCR_LOOP))
        receive(u, 0, UART_LSR_BI);
    u->lcr = value;
}

static void write_register(struct blink_plugin *u, uint64_t offset, uint8_t value) {
    bool dlab = u->lcr & LCR_DLAB;
    switch (offset) {
    case 0:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0xff00) | value);
        else
            transmit(u, value);
        break;
    case 1:
        if (dlab)
            u->divisor = (uint16_t)((u->divisor & 0x00ff) | value << 8);
        else
            write_ier(u, value);
        break;
    case 2: write_fcr(u, value); break;
    case 3: write_lcr(u, value); break;
    case 4: u->mcr = value & MCR_MASK; break;
    case 7: u->scr = value; break;
    default: break; /* LSR and MSR: for factory tests */
    }
}

uint64_t uart_read(struct blink_plugin *u, uint64_t offset, uint32_t size) {
    uint64_t value = 0;
    look(u);
    for (uint32_t k = 0; k < size && offset + k < UART_PORTS; k++)
        value |= (uint64_t)read_register(u, offset + k) << k * 8;
    update_irq(u);
    return value;
}

void uart_write(struct blink_plugin *u, uint64_t offset, uint32_t size, uint64_t value) {
    for (uint32_t k = 0; k < size && offset + k < UART_PORTS; k++)
        write_register(u, offset + k, (uint8_t)(value >> k * 8));
    update_modem(u);
    update_irq(u);
    uart_start(u);
}

void uart_reset(struct blink_plugin *u) {
    u->ier = u->fcr = u->lcr = u->mcr = u->errors = 0;
    u->in_first = u->in_count = u->out_count = 0;
    u->empty_due = true;
    restart_idle(u);
    update_modem(u);
    u->msr &= 0xf0;
    update_irq(u);
}
