/*
 * Scripts: files that begin with "#!" name the program that reads them. By the rules of Linux's
 * binfmt_script: one optional argument, white space around it dropped, 255 bytes at most.
 */
#include <string.h>

#include "machine/internal.h"

static bool blank(char c) {
    return c == ' ' || c == '\t';
}

bool machine_is_script(const struct blink_image *image, struct machine_script *out) {
    char line[256];
    size_t n = image->head_size < sizeof line - 1 ? image->head_size : sizeof line - 1;
    if (n < 3 || memcmp(image->head, "#!", 2) != 0)
        return false;
    memcpy(line, image->head, n);
    line[n] = 0;
    char *end = strchr(line, '\n');
    if (end)
        *end = 0;
    char *name = line + 2;
    while (blank(*name))
        name++;
    char *after = name + strcspn(name, " \t");
    char *argument = after;
    if (*after) {
        *after = 0;
        argument = after + 1;
        while (blank(*argument))
            argument++;
    }
    size_t len = strlen(argument);
    while (len && blank(argument[len - 1]))
        argument[--len] = 0;
    if (!*name)
        return false;
    strcpy(out->interpreter, name);
    strcpy(out->argument, argument);
    return true;
}
