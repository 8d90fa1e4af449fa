/*
 * What decoding costs: nanoseconds an instruction, of the plugin when it meets code for the first
 * time and again, and of Capstone alone with details. The code is this program's own C library or
 * a file named in argv[1].
 */
#include <capstone.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fakehost.h"
#include "render.h"

static double now(void) {
    struct timespec ts;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

struct text {
    const uint8_t *bytes;
    size_t size;
};

/* The first executable segment of the C library. */
static int find_text(struct dl_phdr_info *info, size_t size, void *data) {
    struct text *t = data;
    (void)size;
    if (!strstr(info->dlpi_name, "libc.so"))
        return 0;
    for (uint32_t k = 0; k < info->dlpi_phnum; k++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[k];
        if (p->p_type == PT_LOAD && (p->p_flags & PF_X)) {
            t->bytes = (const uint8_t *)info->dlpi_addr + p->p_vaddr;
            t->size = p->p_filesz;
            return 1;
        }
    }
    return 0;
}

static uint32_t decode_all(struct decoder *d, const struct text *t) {
    static struct blink_insn insns[BLINK_BLOCK_MAX_INSNS];
    size_t at = 0;
    uint32_t count = 0;
    while (at < t->size) {
        struct blink_decode_request req = {.struct_size = sizeof req,
                                           .mode = BLINK_MODE_BITS64,
                                           .bytes = t->bytes + at,
                                           .size = t->size - at,
                                           .rip = at,
                                           .insns = insns,
                                           .max = BLINK_BLOCK_MAX_INSNS};
        if (d->ops->decode(d->plugin, d->context, &req) || !req.count)
            break;
        for (uint32_t k = 0; k < req.count; k++)
            at += insns[k].len;
        count += req.count;
    }
    return count;
}

static uint32_t capstone_all(const struct text *t) {
    csh handle;
    const uint8_t *bytes = t->bytes;
    size_t size = t->size;
    uint64_t address = 0;
    uint32_t count = 0;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
        return 0;
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *insn = cs_malloc(handle);
    while (size) {
        if (!cs_disasm_iter(handle, &bytes, &size, &address, insn))
            bytes++, size--;
        count++;
    }
    cs_free(insn, 1);
    cs_close(&handle);
    return count;
}

int main(void) {
    struct decoder d;
    struct text t = {NULL, 0};
    dl_iterate_phdr(find_text, &t);
    if (!t.bytes) {
        printf("no code to decode\n");
        return 77;
    }
    decoder_open(&d);
    fakehost_log_level(d.host, -1);
    double a = now();
    uint32_t first = decode_all(&d, &t);
    double b = now();
    uint32_t again = decode_all(&d, &t);
    double c = now();
    uint32_t alone = capstone_all(&t);
    double e = now();
    printf("decoder-capstone, first time  %7.1f ns an instruction (%u)\n", (b - a) / first, first);
    printf("decoder-capstone, again       %7.1f ns an instruction (%u)\n", (c - b) / again, again);
    printf("Capstone alone, with details  %7.1f ns an instruction (%u)\n", (e - c) / alone, alone);
    decoder_close(&d);
    return 0;
}
