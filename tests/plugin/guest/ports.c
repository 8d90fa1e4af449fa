/*
 * A guest without a C library that talks to devices: says "ok" on the debug console, starts the
 * stopwatch of the plugin guide and reads it. Exit status 0 if both answer as they should; each
 * device alone by "-d" or "-s".
 */
static inline void out8(unsigned short port, unsigned char value) {
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}
static inline unsigned char in8(unsigned short port) {
    unsigned char value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}
static inline unsigned in32(unsigned short port) {
    unsigned value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

_Noreturn static void finish(long status) {
    __asm__ volatile("syscall" : : "a"(231L), "D"(status) : "rcx", "r11", "memory");
    __builtin_unreachable();
}

static int debugcon(void) {
    if (in8(0xe9) != 0xe9)
        return 1;
    for (const char *c = "ok\n"; *c; c++)
        out8(0xe9, (unsigned char)*c);
    return 0;
}

/* Milliseconds: it goes on, and not by a minute while nothing much happens. */
static int stopwatch(void) {
    out8(0x510, 1);
    unsigned first = in32(0x510), now;
    do
        now = in32(0x510);
    while (now == first);
    out8(0x510, 1);
    return now < first || first > 60000 || in32(0x510) > 60000 ? 2 : 0;
}

__attribute__((used)) static void run(const long *stack) {
    const char *what = stack[0] > 1 ? (const char *)stack[2] : "";
    int status = 0;
    if (what[0] != '-' || what[1] == 'd')
        status |= debugcon();
    if (what[0] != '-' || what[1] == 's')
        status |= stopwatch();
    finish(status);
}

void _start(void);
__attribute__((naked)) void _start(void) {
    __asm__("mov %rsp, %rdi\n\tand $-16, %rsp\n\tcall run");
}
