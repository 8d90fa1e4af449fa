/*
 * The fake host's bus: claims a test can access, latched interrupt lines, a clock that moves when
 * it is told to, and a console kept in memory.
 */
#include <errno.h>
#include <string.h>

#include "internal.h"

void fake_bus_finish(struct fake_bus *bus) {
    fake_text_clear(&bus->out);
    fake_text_clear(&bus->in);
}

static struct fake_claim *claim_of(struct fake_claim *claims, size_t count, uint64_t address) {
    for (size_t k = 0; k < count; k++)
        if (address >= claims[k].first && address - claims[k].first < claims[k].size)
            return &claims[k];
    return NULL;
}

static int add_claim(struct fake_claim *claims, size_t *count, const struct fake_claim *claim) {
    for (size_t k = 0; k < *count; k++)
        if (claim->first < claims[k].first + claims[k].size &&
            claims[k].first < claim->first + claim->size)
            return -EBUSY;
    if (*count == FAKE_CLAIMS)
        return -ENOMEM;
    claims[(*count)++] = *claim;
    return 0;
}

static int claim_ports(struct blink_machine *m, struct blink_plugin *self, uint16_t first,
                       uint32_t count, blink_bus_read read, blink_bus_write write) {
    struct fake_claim claim = {self, first, count, read, write};
    if (count == 0 || first + count > 0x10000u)
        return -EINVAL;
    return add_claim(m->bus.port, &m->bus.ports, &claim);
}

static int claim_memory(struct blink_machine *m, struct blink_plugin *self, uint64_t address,
                        uint64_t size, blink_bus_read read, blink_bus_write write) {
    struct fake_claim claim = {self, address, size, read, write};
    if (size == 0 || (address | size) % BLINK_PAGE_SIZE || size > UINT64_MAX - address)
        return -EINVAL;
    return add_claim(m->bus.memory, &m->bus.memories, &claim);
}

static void drop_claims(struct fake_claim *claims, size_t *count, struct blink_plugin *self) {
    size_t kept = 0;
    for (size_t k = 0; k < *count; k++)
        if (claims[k].owner != self)
            claims[kept++] = claims[k];
    *count = kept;
}

static int set_intr(struct blink_machine *m, struct blink_plugin *self, uint32_t level) {
    struct fake_bus *bus = &m->bus;
    if (self != bus->controller && self != bus->apic)
        return -EPERM;
    bool changed = bus->output != (level != 0);
    if (self == bus->controller)
        bus->output = level != 0;
    if (self == bus->apic || !bus->apic)
        bus->intr = level != 0;
    else if (changed)
        bus->apic_ops.lint0(bus->apic, bus->output);
    return 0;
}

static void release(struct blink_machine *m, struct blink_plugin *self) {
    drop_claims(m->bus.port, &m->bus.ports, self);
    drop_claims(m->bus.memory, &m->bus.memories, self);
    for (size_t k = 0; k < FAKE_TIMERS; k++)
        if (m->bus.timer[k].owner == self)
            m->bus.timer[k].id = 0;
    size_t kept = 0;
    for (size_t k = 0; k < m->bus.watchers; k++)
        if (m->bus.watcher[k].owner != self)
            m->bus.watcher[kept++] = m->bus.watcher[k];
    m->bus.watchers = kept;
    if (m->bus.controller == self) {
        set_intr(m, self, 0);
        m->bus.controller = NULL;
    }
    if (m->bus.apic == self) {
        m->bus.apic = NULL;
        m->bus.intr = m->bus.output;
    }
}

static int set_controller(struct blink_machine *m, struct blink_plugin *self, blink_bus_line line,
                          blink_bus_acknowledge acknowledge) {
    if (m->bus.controller)
        return -EBUSY;
    m->bus.controller = self;
    m->bus.line = line;
    m->bus.acknowledge = acknowledge;
    for (uint32_t k = 0; k < 256; k++)
        if (m->bus.level[k])
            line(self, k, 1);
    return 0;
}

static int set_irq(struct blink_machine *m, uint32_t line, uint32_t level) {
    if (line > 255)
        return -EINVAL;
    uint32_t before = m->bus.level[line];
    m->bus.edges[line] += level && !before;
    m->bus.level[line] = level != 0;
    if (m->bus.level[line] == before)
        return 0;
    if (m->bus.controller)
        m->bus.line(m->bus.controller, line, m->bus.level[line]);
    for (size_t k = 0; k < m->bus.watchers; k++)
        m->bus.watcher[k].line(m->bus.watcher[k].owner, line, m->bus.level[line]);
    return 0;
}

static uint64_t now(struct blink_machine *m) {
    return m->bus.now;
}

static int timer_start(struct blink_machine *m, struct blink_plugin *self, uint64_t when,
                       blink_bus_timer call, void *arg, uint32_t *out) {
    for (size_t k = 0; k < FAKE_TIMERS; k++)
        if (!m->bus.timer[k].id) {
            *out = ++m->bus.last_id;
            m->bus.timer[k] = (struct fake_timer){self, when, call, arg, *out};
            return 0;
        }
    return -ENOMEM;
}

static void timer_cancel(struct blink_machine *m, uint32_t id) {
    for (size_t k = 0; k < FAKE_TIMERS; k++)
        if (m->bus.timer[k].id == id)
            m->bus.timer[k].id = 0;
}

static int console_write(struct blink_machine *m, const void *bytes, size_t size) {
    fake_text_add(&m->bus.out, bytes, size);
    return 0;
}

static int64_t console_read(struct blink_machine *m, void *bytes, size_t size) {
    struct fake_text *in = &m->bus.in;
    if (in->size == 0)
        return m->bus.in_ended ? -EPIPE : 0;
    if (size > in->size)
        size = in->size;
    memcpy(bytes, in->bytes, size);
    memmove(in->bytes, in->bytes + size, in->size - size);
    in->size -= size;
    return (int64_t)size;
}

static uint64_t all_ones(uint32_t size) {
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

static uint64_t port_read(struct blink_machine *m, uint16_t port, uint32_t size) {
    struct fake_claim *c = claim_of(m->bus.port, m->bus.ports, port);
    return c && c->read ? c->read(c->owner, port - c->first, size) & all_ones(size)
                        : all_ones(size);
}

static void port_write(struct blink_machine *m, uint16_t port, uint32_t size, uint64_t value) {
    struct fake_claim *c = claim_of(m->bus.port, m->bus.ports, port);
    if (c && c->write)
        c->write(c->owner, port - c->first, size, value);
}

static int memory_read(struct blink_machine *m, uint64_t address, uint32_t size, uint64_t *out) {
    struct fake_claim *c = claim_of(m->bus.memory, m->bus.memories, address);
    if (!c)
        return -ENOENT;
    *out = (c->read ? c->read(c->owner, address - c->first, size) : UINT64_MAX) & all_ones(size);
    return 0;
}

static int memory_write(struct blink_machine *m, uint64_t address, uint32_t size, uint64_t value) {
    struct fake_claim *c = claim_of(m->bus.memory, m->bus.memories, address);
    if (!c)
        return -ENOENT;
    if (c->write)
        c->write(c->owner, address - c->first, size, value & all_ones(size));
    return 0;
}

static int watch_lines(struct blink_machine *m, struct blink_plugin *self, blink_bus_line line,
                       blink_bus_eoi eoi) {
    struct fake_bus *bus = &m->bus;
    if (!line)
        return -EINVAL;
    if (bus->watchers == FAKE_WATCHERS)
        return -ENOSPC;
    bus->watcher[bus->watchers].owner = self;
    bus->watcher[bus->watchers].line = line;
    bus->watcher[bus->watchers++].eoi = eoi;
    for (uint32_t k = 0; k < 256; k++)
        if (bus->level[k])
            line(self, k, 1);
    return 0;
}

static int set_apic(struct blink_machine *m, struct blink_plugin *self,
                    const struct blink_bus_apic *ops) {
    if (m->bus.apic)
        return -EBUSY;
    m->bus.apic = self;
    m->bus.apic_ops = *ops;
    m->bus.intr = 0;
    if (m->bus.output)
        ops->lint0(self, 1);
    return 0;
}

static int acknowledge(struct blink_machine *m, uint32_t *vector) {
    if (!m->bus.controller || !m->bus.output)
        return -ENOENT;
    *vector = m->bus.acknowledge(m->bus.controller);
    return 0;
}

static int message(struct blink_machine *m, uint32_t destination, uint32_t command) {
    struct fake_bus *bus = &m->bus;
    if (bus->apic)
        return bus->apic_ops.message(bus->apic, destination, command);
    if (bus->messages < FAKE_MESSAGES) {
        bus->message[bus->messages][0] = destination;
        bus->message[bus->messages++][1] = command;
    }
    return bus->message_result;
}

static void end_of_interrupt(struct blink_machine *m, uint32_t vector) {
    for (size_t k = 0; k < m->bus.watchers; k++)
        if (m->bus.watcher[k].eoi)
            m->bus.watcher[k].eoi(m->bus.watcher[k].owner, vector);
}

static void unclaim_memory(struct blink_machine *m, struct blink_plugin *self, uint64_t address) {
    struct fake_claim *c = claim_of(m->bus.memory, m->bus.memories, address);
    if (c && c->owner == self && c->first == address)
        *c = m->bus.memory[--m->bus.memories];
}

const struct blink_bus_iface fakehost_bus_iface = {
    .struct_size = sizeof fakehost_bus_iface,
    .claim_ports = claim_ports,
    .claim_memory = claim_memory,
    .release = release,
    .set_irq = set_irq,
    .now = now,
    .timer_start = timer_start,
    .timer_cancel = timer_cancel,
    .console_write = console_write,
    .console_read = console_read,
    .set_controller = set_controller,
    .set_intr = set_intr,
    .port_read = port_read,
    .port_write = port_write,
    .memory_read = memory_read,
    .memory_write = memory_write,
    .watch_lines = watch_lines,
    .set_apic = set_apic,
    .acknowledge = acknowledge,
    .message = message,
    .end_of_interrupt = end_of_interrupt,
    .unclaim_memory = unclaim_memory,
};

/* ---- for the test ---- */

uint64_t fakehost_port_read(struct fakehost *fh, uint16_t port, uint32_t size) {
    return port_read(&fh->machine, port, size);
}

void fakehost_port_write(struct fakehost *fh, uint16_t port, uint32_t size, uint64_t value) {
    port_write(&fh->machine, port, size, value);
}

bool fakehost_port_claimed(struct fakehost *fh, uint16_t port) {
    return claim_of(fh->machine.bus.port, fh->machine.bus.ports, port);
}

uint64_t fakehost_memory_read(struct fakehost *fh, uint64_t address, uint32_t size) {
    uint64_t value;
    return memory_read(&fh->machine, address, size, &value) ? all_ones(size) : value;
}

void fakehost_memory_write(struct fakehost *fh, uint64_t address, uint32_t size, uint64_t value) {
    memory_write(&fh->machine, address, size, value);
}

bool fakehost_memory_claimed(struct fakehost *fh, uint64_t address) {
    return claim_of(fh->machine.bus.memory, fh->machine.bus.memories, address);
}

uint32_t fakehost_irq(struct fakehost *fh, uint32_t line) {
    return line < 256 ? fh->machine.bus.level[line] : 0;
}

uint32_t fakehost_irq_edges(struct fakehost *fh, uint32_t line) {
    return line < 256 ? fh->machine.bus.edges[line] : 0;
}

void fakehost_set_irq(struct fakehost *fh, uint32_t line, uint32_t level) {
    set_irq(&fh->machine, line, level);
}

uint32_t fakehost_intr(struct fakehost *fh) {
    return fh->machine.bus.intr;
}

int fakehost_acknowledge(struct fakehost *fh) {
    struct fake_bus *bus = &fh->machine.bus;
    if (!bus->intr)
        return -1;
    return bus->apic         ? (int)bus->apic_ops.acknowledge(bus->apic)
           : bus->controller ? (int)bus->acknowledge(bus->controller)
                             : -1;
}

int64_t fakehost_message(struct fakehost *fh) {
    struct fake_bus *bus = &fh->machine.bus;
    if (bus->messages == 0)
        return -1;
    int64_t first = (int64_t)bus->message[0][0] << 32 | bus->message[0][1];
    memmove(bus->message[0], bus->message[1], --bus->messages * sizeof bus->message[0]);
    return first;
}

void fakehost_set_message_result(struct fakehost *fh, int result) {
    fh->machine.bus.message_result = result;
}

int fakehost_send_message(struct fakehost *fh, uint32_t destination, uint32_t command) {
    return message(&fh->machine, destination, command);
}

void fakehost_end_of_interrupt(struct fakehost *fh, uint32_t vector) {
    end_of_interrupt(&fh->machine, vector);
}

bool fakehost_nmi(struct fakehost *fh) {
    struct fake_bus *bus = &fh->machine.bus;
    return !bus->apic || bus->apic_ops.lint1(bus->apic);
}

void fakehost_set_apic_base(struct fakehost *fh, uint64_t value) {
    struct fake_bus *bus = &fh->machine.bus;
    if (bus->apic)
        bus->apic_ops.set_base(bus->apic, value);
}

uint32_t fakehost_priority(struct fakehost *fh) {
    struct fake_bus *bus = &fh->machine.bus;
    return bus->apic ? bus->apic_ops.priority(bus->apic) : 0;
}

void fakehost_set_priority(struct fakehost *fh, uint32_t priority) {
    struct fake_bus *bus = &fh->machine.bus;
    if (bus->apic)
        bus->apic_ops.set_priority(bus->apic, priority);
}

void fakehost_advance(struct fakehost *fh, uint64_t nanoseconds) {
    struct fake_bus *bus = &fh->machine.bus;
    uint64_t end = bus->now + nanoseconds;
    for (;;) {
        struct fake_timer *next = NULL;
        for (size_t k = 0; k < FAKE_TIMERS; k++) {
            struct fake_timer *t = &bus->timer[k];
            if (t->id && t->when <= end && (!next || t->when < next->when))
                next = t;
        }
        if (!next)
            break;
        struct fake_timer due = *next;
        next->id = 0;
        if (due.when > bus->now)
            bus->now = due.when;
        due.call(due.owner, due.arg);
    }
    bus->now = end;
}

size_t fakehost_timers(struct fakehost *fh) {
    size_t count = 0;
    for (size_t k = 0; k < FAKE_TIMERS; k++)
        count += fh->machine.bus.timer[k].id != 0;
    return count;
}

const char *fakehost_console(struct fakehost *fh, size_t *size) {
    if (size)
        *size = fh->machine.bus.out.size;
    return fh->machine.bus.out.bytes ? fh->machine.bus.out.bytes : "";
}

void fakehost_console_clear(struct fakehost *fh) {
    fake_text_clear(&fh->machine.bus.out);
}

void fakehost_console_type(struct fakehost *fh, const void *bytes, size_t size) {
    fake_text_add(&fh->machine.bus.in, bytes, size);
}

void fakehost_console_end(struct fakehost *fh) {
    fh->machine.bus.in_ended = true;
}
