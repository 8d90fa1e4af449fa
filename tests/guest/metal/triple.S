# An exception without an interrupt table: a triple fault.
.include "metal.inc"
.globl _start
_start:
    enter_protected main
.code32
main:
    lidt idtr
    movl $0x12345678, %ebx
    ud2
idtr:
    .word 0
    .long 0
.balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff
    .quad 0x00cf92000000ffff
gdtr:
    .word . - gdt - 1
    .long gdt
