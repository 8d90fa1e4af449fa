# Hardware tasks: three of 32 bits and one of 16 that take turns by far jumps, one that is called
# and returns by IRET, and one behind a task gate that handles a fault with its error code.
.include "metal.inc"

.globl _start
_start:
    enter_protected main

.code32
# The task state \name at \at: code at \ip, stack below \sp.
.macro task32 at, ip, sp
    movl $\ip, \at + 0x20
    movl $0x00000002, \at + 0x24
    movl $\sp, \at + 0x38
    movl $0x10, \at + 0x48
    movl $0x08, \at + 0x4c
    movl $0x10, \at + 0x50
    movl $0x10, \at + 0x54
    movl $0x10, \at + 0x58
    movl $0x10, \at + 0x5c
    movw $0x68, \at + 0x66
.endm

main:
    xorl %eax, %eax
    movl $0x8c00, %edi
    movl $0x400, %ecx
    rep stosl
    task32 0x9000, first, 0xa000
    task32 0x9100, second, 0xa400
    task32 0x9200, called, 0xa800
    task32 0x9300, faulted, 0xac00
    # The one of 16 bits.
    movw $narrow, 0x9400 + 0x0e
    movw $2, 0x9400 + 0x10
    movw $0xb000, 0x9400 + 0x1a
    movw $0x10, 0x9400 + 0x22
    movw $0x50, 0x9400 + 0x24
    movw $0x10, 0x9400 + 0x26
    movw $0x10, 0x9400 + 0x28
    lidt idtr
    movw $0x18, %ax
    ltr %ax
    ljmp $0x20, $0                    # first; this one's state goes to 18

first:
    strw %ax
    cmpw $0x20, %ax
    jne bad
    putc '1'
    movl $0x11111111, %ebx
    ljmp $0x28, $0
    # Back from the second.
    cmpl $0x11111111, %ebx
    jne bad
    movl %cr0, %eax
    testl $8, %eax                    # TS was set by the switch
    jz bad
    putc '1'
    lcall $0x30, $0
    putc '1'
    ljmp $0x40, $0                    # 16 bits
    putc '1'
    # A reference to a selector beyond the table: #GP behind a task gate.
    movw $0x1230, %ax
culprit:
    movw %ax, %fs
    putc '\n'
    exit 6

second:
    putc '2'
    movl $0x22222222, %ebx
    ljmp $0x20, $0
    putc '2'
    ljmp $0x20, $0

called:
    pushfl
    popl %eax
    testl $0x4000, %eax               # NT
    jz bad
    cmpw $0x20, 0x9200                # the link
    jne bad
    putc 'c'
    iretl
    jmp called

faulted:
    popl %eax                         # the error code
    cmpl $0x1230, %eax
    jne bad
    cmpl $culprit, 0x9000 + 0x20
    jne bad
    putc 'f'
    addl $2, 0x9000 + 0x20            # beyond MOV FS
    iretl
    jmp faulted

.code16
narrow:
    putc 'n'
    ljmpw $0x20, $0
    jmp narrow
.code32

bad:
    putc '!'
    exit 0

.balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff          # 08: code
    .quad 0x00cf92000000ffff          # 10: data
    .quad 0x000089008c000067          # 18: the task that main is
    .quad 0x0000890090000067          # 20: first
    .quad 0x0000890091000067          # 28: second
    .quad 0x0000890092000067          # 30: called
    .quad 0x0000890093000067          # 38: faulted
    .quad 0x000081009400002b          # 40: narrow
    .quad 0
    .quad 0x000f9a000000ffff          # 50: 16-bit code
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 14 * 8 - 1
    .long idt
.balign 8
idt:
    .skip 13 * 8
    .quad 0x0000850000380000          # #GP: a task gate to 38
