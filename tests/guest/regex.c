/*
 * regcomp and regexec: table-driven library code with much branching and allocation.
 */
#include <regex.h>
#include <string.h>

#include "guest.h"

static void match(const char *pattern, const char *text) {
    regex_t re;
    regmatch_t m[4];
    int r = regcomp(&re, pattern, REG_EXTENDED);
    if (r) {
        printf("%s: does not compile\n", pattern);
        return;
    }
    r = regexec(&re, text, 4, m, 0);
    printf("%-28s %-40s", pattern, text);
    for (int k = 0; r == 0 && k < 4 && (size_t)k <= re.re_nsub; k++)
        printf(" %d-%d", (int)m[k].rm_so, (int)m[k].rm_eo);
    puts(r ? " no" : "");
    regfree(&re);
}

int main(void) {
    match("^([a-z]+)@([a-z.]+)$", "someone@example.org");
    match("(a|ab)(c|bcd)(d*)", "abcd");
    match("[0-9]{1,3}(\\.[0-9]{1,3}){3}", "at 192.168.100.2:80");
    match("x*", "");
    match("([[:alpha:]_][[:alnum:]_]*) *= *(.*)", "  value_1 = 42;");
    match("^#include *[<\"]([^>\"]+)[>\"]", "#include <stdio.h>");
    match("(foo|bar)+baz", "foobarfoobaz");
    match("a{2,4}b", "ab aab");
    match("(unclosed", "x");

    regex_t re;
    regmatch_t m[1];
    uint64_t state = 7;
    long matches = 0, positions = 0;
    static char text[100001];
    for (size_t k = 0; k < sizeof text - 1; k++)
        text[k] = (char)('a' + guest_random(&state) % 4);
    if (regcomp(&re, "a(b|c)+d", REG_EXTENDED))
        return 1;
    for (const char *p = text; regexec(&re, p, 1, m, 0) == 0; p += m[0].rm_eo) {
        matches++;
        positions += (long)(p - text) + (long)m[0].rm_so;
        if (matches == 500)
            break;
    }
    regfree(&re);
    printf("%ld matches, positions %ld\n", matches, positions);
    return 0;
}
