/*
 * Reading cases: lines of eight fields with tabs between, see shared/data/README.md of the
 * project's surroundings. Form, disassembly, bytes, registers, memory, registers afterwards, memory
 * afterwards, exception (whose address of the pushed flags, that of the bus, is not needed).
 */
#include "cases.h"

#include <stdlib.h>
#include <string.h>

const char *const case_names[C_REGS] = {"ax", "bx", "cx", "dx", "cs", "ss", "ds",
                                        "es", "sp", "bp", "si", "di", "ip", "flags"};

static _Noreturn void give_up(const char *what, const char *text) {
    printf("Bail out! %s: %.60s\n", what, text);
    exit(99);
}

/* The field that begins at *at, ended with a NUL; *at goes behind it. */
static char *field(char **at) {
    char *start = *at, *end = start + strcspn(start, "\t\n");
    *at = *end ? end + 1 : end;
    *end = 0;
    return start;
}

static void copy_text(char *to, size_t size, const char *from) {
    size_t n = strnlen(from, size - 1);
    memcpy(to, from, n);
    to[n] = 0;
}

static void read_before(char *text, uint16_t out[C_REGS]) {
    char *at = text;
    for (uint32_t k = 0; k < C_REGS; k++) {
        char *end;
        out[k] = (uint16_t)strtoul(at, &end, 16);
        if (end == at)
            give_up("registers are missing", text);
        at = end;
    }
}

static void read_after(char *text, uint16_t out[C_REGS]) {
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        uint32_t k = 0;
        while (value && k < C_REGS &&
               (strlen(case_names[k]) != (size_t)(value - word) ||
                strncmp(case_names[k], word, (size_t)(value - word)) != 0))
            k++;
        if (!value || k == C_REGS)
            give_up("no such register", word);
        out[k] = (uint16_t)strtoul(value + 1, NULL, 16);
    }
}

static uint32_t read_memory(char *text, struct case_byte out[CASE_BYTES]) {
    uint32_t n = 0;
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *value;
        if (n == CASE_BYTES)
            give_up("too much memory", word);
        out[n].at = (uint32_t)strtoul(word, &value, 16);
        if (*value != '=')
            give_up("no value", word);
        out[n++].value = (uint8_t)strtoul(value + 1, NULL, 16);
    }
    return n;
}

bool case_read(FILE *in, struct one_case *out) {
    static char line[16384];
    if (!fgets(line, sizeof line, in))
        return false;
    char *at = line;
    copy_text(out->form, sizeof out->form, field(&at));
    copy_text(out->text, sizeof out->text, field(&at));
    copy_text(out->bytes, sizeof out->bytes, field(&at));
    read_before(field(&at), out->before);
    memcpy(out->after, out->before, sizeof out->after);
    out->memory_count = read_memory(field(&at), out->memory);
    read_after(field(&at), out->after);
    out->written_count = read_memory(field(&at), out->written);
    char *exception = field(&at);
    out->vector = *exception ? (int32_t)strtol(exception, NULL, 10) : -1;
    return true;
}
