/*
 * Indirect branches and calls: a bytecode machine that jumps through a table, and methods called
 * through function pointers.
 */
#include "bench.h"

enum { PUSH, ADD, XOR, SHIFT, DUP, SWAP, CALL, JNZ, END };

typedef long method(long);
__attribute__((noinline)) static long twice(long v) {
    return v * 2 + 1;
}
__attribute__((noinline)) static long mix(long v) {
    return v ^ (v >> 7);
}
__attribute__((noinline)) static long negate(long v) {
    return -v;
}
__attribute__((noinline)) static long same(long v) {
    return v;
}

static long run(const unsigned char *code, long counter, method *const *methods) {
    static void *const label[] = {&&push, &&add,  &&xor, &&shift, &&dup,
                                  &&swap, &&call, &&jnz, &&end};
    long stack[16] = {1, 2}, *sp = stack + 1, t;
    const unsigned char *pc = code;
#define NEXT goto *label[*pc++]
    NEXT;
push:
    *++sp = *pc++;
    NEXT;
add:
    sp[-1] += sp[0], sp--;
    NEXT;
    xor : sp[-1] ^= sp[0], sp--;
    NEXT;
shift:
    *sp = (long)((unsigned long)*sp << 1 | (unsigned long)*sp >> 63);
    NEXT;
dup:
    sp[1] = sp[0], sp++;
    NEXT;
swap:
    t = sp[0], sp[0] = sp[-1], sp[-1] = t;
    NEXT;
call:
    *sp = methods[*pc++ + (*sp & 1)](*sp);
    NEXT;
jnz:
    if (--counter)
        pc = code;
    NEXT;
end:
    return sp[0] ^ sp[-1];
}

int main(int argc, char **argv) {
    static const unsigned char code[] = {DUP, SHIFT, ADD, CALL, 0,     SWAP, PUSH, 7,  XOR,
                                         DUP, CALL,  2,   ADD,  SHIFT, SWAP, JNZ,  END};
    static method *const methods[] = {twice, mix, negate, same};
    printf("%ld\n", run(code, bench_size(argc, argv, 3000000), methods));
    return 0;
}
