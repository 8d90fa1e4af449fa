/* What the files of the fake host share. */
#ifndef TESTS_FAKEHOST_INTERNAL_H
#define TESTS_FAKEHOST_INTERNAL_H

#include "fakehost.h"

#define FAKE_OPTIONS  32
#define FAKE_IFACES   16
#define FAKE_SIGNALS  32
#define FAKE_CLAIMS   64
#define FAKE_TIMERS   64
#define FAKE_BUCKETS  4096
#define FAKE_DISPLAYS 4
#define FAKE_DISKS    16
#define FAKE_WATCHERS 4
#define FAKE_MESSAGES 16

/* A growing run of bytes with a NUL after it. */
struct fake_text {
    char *bytes;
    size_t size;
};
void fake_text_add(struct fake_text *text, const void *bytes, size_t size);
void fake_text_clear(struct fake_text *text);
/* Ends the test program: a fake host without memory can test nothing. */
void *fake_alloc(size_t size);

struct fake_page {
    struct fake_page *next;
    uint64_t address;
    uint8_t bytes[BLINK_PAGE_SIZE];
};

struct blink_mem {
    struct blink_mem_region *region; /* sorted, not overlapping */
    size_t regions;
    struct fake_page *bucket[FAKE_BUCKETS];
    size_t pages, pins;
    uint64_t low, high, top;
    uint64_t block_start, block_end;
    uint32_t fail_after;
    int fail_error;
};
void fake_mem_init(struct blink_mem *mem);
void fake_mem_finish(struct blink_mem *mem);

struct fake_claim {
    struct blink_plugin *owner;
    uint64_t first, size;
    blink_bus_read read;
    blink_bus_write write;
};

struct fake_timer {
    struct blink_plugin *owner;
    uint64_t when;
    blink_bus_timer call;
    void *arg;
    uint32_t id; /* 0: free */
};

struct fake_bus {
    struct fake_claim port[FAKE_CLAIMS], memory[FAKE_CLAIMS];
    size_t ports, memories;
    struct fake_timer timer[FAKE_TIMERS];
    uint32_t last_id;
    uint64_t now;
    uint32_t level[256], edges[256];
    struct blink_plugin *controller;
    blink_bus_line line;
    blink_bus_acknowledge acknowledge;
    uint32_t output; /* of the controller */
    uint32_t intr;
    struct {
        struct blink_plugin *owner;
        blink_bus_line line;
        blink_bus_eoi eoi;
    } watcher[FAKE_WATCHERS];
    size_t watchers;
    struct blink_plugin *apic;
    struct blink_bus_apic apic_ops;
    uint32_t message[FAKE_MESSAGES][2];
    size_t messages;
    int message_result;
    struct fake_text out, in;
    bool in_ended;
};
void fake_bus_finish(struct fake_bus *bus);

struct fake_disk {
    struct blink_plugin *owner;
    struct blink_disk disk;
    uint8_t *bytes; /* made by the test, or NULL */
};

struct fake_media {
    struct {
        struct blink_plugin *owner;
        blink_display_render render;
    } display[FAKE_DISPLAYS];
    size_t displays;
    uint64_t generation;
    struct blink_plugin *keyboard;
    blink_display_key key;
    blink_display_type type;
    struct fake_disk disk[FAKE_DISKS];
    size_t disks;
};
void fake_media_finish(struct fake_media *media);

/* The machine of a fake host is the fake host. */
struct blink_machine {
    struct blink_host host;
    struct {
        char *name, *value;
    } option[FAKE_OPTIONS];
    struct {
        const char *id;
        const void *iface;
    } iface[FAKE_IFACES];
    size_t ifaces;
    int32_t level;
    struct fake_text log;
    struct {
        size_t offset;
        int32_t level;
    } * line;
    size_t lines;
    char *line_copy;
    struct blink_mem mem;
    struct fake_bus bus;
    struct fake_media media;
    struct fakehost_exec exec;
    struct blink_signal signal[FAKE_SIGNALS];
    size_t signals;
    struct blink_cpu *cpu;
};

struct fakehost {
    struct blink_machine machine;
};

#endif
