# Three ways to reset: each boots again, memory stays; then the machine is switched off.
.include "metal.inc"
.code16
.globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
    # Protected mode, A20 and whatever else are gone.
    movl %cr0, %eax
    testb $1, %al
    jnz 9f
    set_serial
    cmpl $0x600df00d, 0x600
    je 1f
    movl $0x600df00d, 0x600
    movw $0, 0x604
1:  movw 0x604, %bx
    incw 0x604
    movb %bl, %al
    addb $'0', %al
    movw $0x3f8, %dx
    outb %al, %dx
    # In protected mode, so that it shows.
    lgdtl gdtr
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    cmpw $0, %bx
    jne 2f
    movb $1, %al
    outb %al, $0x92
    jmp 9f
2:  cmpw $1, %bx
    jne 3f
    movw $0xcf9, %dx
    movb $2, %al
    outb %al, %dx
    movb $6, %al
    outb %al, %dx
    jmp 9f
3:  putc '\n'
    movw $0x604, %dx
    movw $0x2000, %ax
    outw %ax, %dx
9:  putc '!'
    exit 0
gdtr:
    .word 7
    .long gdt
.balign 8
gdt: .quad 0
.org 510
    .word 0xaa55
