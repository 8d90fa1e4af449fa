/*
 * The rules of each kind: which methods its vtable has, which a plugin must have, and the stubs
 * that stand in for the others, so that core calls every method without asking. Data only.
 */
#include <blink/abi.h>
#include <blink/decoder.h>
#include <blink/device.h>
#include <blink/frontend.h>
#include <blink/jit.h>
#include <blink/loader.h>
#include <blink/observer.h>

#include "plugin/internal.h"

/* ---- stubs ---- */

static int stub_activate(struct blink_plugin *self) {
    (void)self;
    return 0;
}

static void stub_self(struct blink_plugin *self) {
    (void)self;
}

static uint32_t stub_disassemble(struct blink_plugin *self, void *context, uint32_t mode,
                                 uint32_t syntax, const uint8_t *bytes, size_t size, uint64_t rip,
                                 char *out, size_t out_size) {
    (void)self, (void)context, (void)mode, (void)syntax, (void)bytes, (void)size, (void)rip;
    if (out_size)
        snprintf(out, out_size, "(bad)");
    return 0;
}

static int stub_check(struct blink_plugin *self, const struct blink_image *image) {
    (void)self, (void)image;
    return 0;
}

static uint32_t stub_unhandled(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self, (void)cpu;
    return BLINK_ABI_UNHANDLED;
}

static int stub_thread_begin(struct blink_plugin *self, struct blink_cpu *cpu, void *arg) {
    (void)self, (void)cpu, (void)arg;
    return 0;
}

static void stub_cpu(struct blink_plugin *self, struct blink_cpu *cpu) {
    (void)self, (void)cpu;
}

static void stub_block(struct blink_plugin *self, struct blink_cpu *cpu,
                       const struct blink_insn *insns, uint32_t count) {
    (void)self, (void)cpu, (void)insns, (void)count;
}

/* ---- tables ---- */

#define REQUIRED(type, method)                                                                     \
  { offsetof(struct type, method), #method, NULL }
#define OPTIONAL(type, method, stub)                                                               \
  { offsetof(struct type, method), #method, (any_method *)stub }
#define LIFE(type)                                                                                 \
  {offsetof(struct type, plugin.create), "create", NULL},                                          \
      {offsetof(struct type, plugin.destroy), "destroy", NULL},                                    \
      {offsetof(struct type, plugin.activate), "activate", (any_method *)stub_activate}, {         \
    offsetof(struct type, plugin.deactivate), "deactivate", (any_method *)stub_self                \
  }

static const struct method_rule decoder_methods[] = {
    LIFE(blink_decoder_ops),
    REQUIRED(blink_decoder_ops, context_create),
    REQUIRED(blink_decoder_ops, context_destroy),
    REQUIRED(blink_decoder_ops, decode),
    OPTIONAL(blink_decoder_ops, disassemble, stub_disassemble),
};

static const struct method_rule jit_methods[] = {
    LIFE(blink_jit_ops),
    REQUIRED(blink_jit_ops, translate),
    REQUIRED(blink_jit_ops, link),
    REQUIRED(blink_jit_ops, unlink),
    REQUIRED(blink_jit_ops, enter),
    REQUIRED(blink_jit_ops, recover),
    REQUIRED(blink_jit_ops, flush),
    REQUIRED(blink_jit_ops, drop),
};

static const struct method_rule loader_methods[] = {
    LIFE(blink_loader_ops),
    REQUIRED(blink_loader_ops, probe),
    REQUIRED(blink_loader_ops, load),
    OPTIONAL(blink_loader_ops, check, stub_check),
};

static const struct method_rule abi_methods[] = {
    LIFE(blink_abi_ops),
    REQUIRED(blink_abi_ops, start),
    REQUIRED(blink_abi_ops, syscall),
    OPTIONAL(blink_abi_ops, interrupt, stub_unhandled),
    OPTIONAL(blink_abi_ops, fault, stub_unhandled),
    OPTIONAL(blink_abi_ops, signal, stub_unhandled),
    OPTIONAL(blink_abi_ops, thread_begin, stub_thread_begin),
    OPTIONAL(blink_abi_ops, thread_end, stub_cpu),
};

static const struct method_rule device_methods[] = {
    LIFE(blink_device_ops),
    OPTIONAL(blink_device_ops, reset, stub_self),
};

static const struct method_rule frontend_methods[] = {
    LIFE(blink_frontend_ops),
    REQUIRED(blink_frontend_ops, run),
};

static const struct method_rule observer_methods[] = {
    LIFE(blink_observer_ops),
    OPTIONAL(blink_observer_ops, block, stub_block),
    OPTIONAL(blink_observer_ops, syscall_enter, stub_cpu),
    OPTIONAL(blink_observer_ops, syscall_leave, stub_cpu),
    OPTIONAL(blink_observer_ops, fault, stub_cpu),
};

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

/* A method that was added to a header and not here does not compile: a vtable is its two header
 * words, its methods, and for the JIT the two numbers of the layout. */
#define COMPLETE(kind, extra)                                                                      \
  _Static_assert(sizeof(struct blink_##kind##_ops) ==                                              \
                     8 + (extra) + COUNT(kind##_methods) * sizeof(any_method *),                   \
                 "a method of this kind is missing in its table")
COMPLETE(decoder, 0);
COMPLETE(jit, 8);
COMPLETE(loader, 8); /* flags */
COMPLETE(abi, 0);
COMPLETE(device, 0);
COMPLETE(frontend, 0);
COMPLETE(observer, 0);

#define KIND(kind)                                                                                 \
  { #kind, sizeof(struct blink_##kind##_ops), COUNT(kind##_methods), kind##_methods }

static const struct kind_rule kinds[BLINK_KIND_COUNT] = {
    [BLINK_KIND_DECODER] = KIND(decoder),   [BLINK_KIND_JIT] = KIND(jit),
    [BLINK_KIND_LOADER] = KIND(loader),     [BLINK_KIND_ABI] = KIND(abi),
    [BLINK_KIND_DEVICE] = KIND(device),     [BLINK_KIND_FRONTEND] = KIND(frontend),
    [BLINK_KIND_OBSERVER] = KIND(observer),
};

const struct plugin_abi plugin_abi_host = {
    .major = BLINK_ABI_MAJOR,
    .minor = BLINK_ABI_MINOR,
    .kind_count = BLINK_KIND_COUNT,
    .kinds = kinds,
    .cpu_size = sizeof(struct blink_cpu),
    .cpu_layout = BLINK_CPU_LAYOUT,
};

const char *plugin_kind_name(uint32_t kind) {
    return kind < BLINK_KIND_COUNT ? kinds[kind].name : NULL;
}
