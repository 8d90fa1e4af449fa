/*
 * Start and end of a program: nothing else.
 */
#include <stdio.h>

int main(void) {
    puts("hello");
    return 0;
}
