/*
 * The least that a C library does: start, print, run its exit handlers, end.
 */
#include <stdio.h>
#include <stdlib.h>

static void last(void) {
    puts("and goodbye");
}

int main(void) {
    atexit(last);
    printf("hello, %s %d\n", "world", 42);
    return 0;
}
