# A boot sector that loads the rest of its program and calls main(). With the way to call a BIOS from
# C: bios_call(vector, registers). Everything is below 64 KiB; segments are 0.
    .code16
    .section .start, "ax"
    .globl _start
_start:
    cli
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    sti
    cld
    movb %dl, boot_drive
    # One sector after the other, by the shape that the BIOS tells of.
    movb $8, %ah
    int $0x13
    andb $0x3f, %cl
    movb %cl, track
    incb %dh
    movb %dh, heads
    xorw %ax, %ax
    movw %ax, %es
    movw $rest_sectors, %di
    movw $0x7e00, %bx
    movw $1, %si                      # the sector's number
1:  testw %di, %di
    jz 2f
    movw %si, %ax
    divb track                        # AL tracks, AH sectors
    movb %ah, %cl
    incb %cl
    xorb %ah, %ah
    divb heads                        # AL cylinders, AH heads
    movb %al, %ch
    movb %ah, %dh
    movb boot_drive, %dl
    movw $0x0201, %ax
    int $0x13
    jc 3f
    addw $512, %bx
    incw %si
    decw %di
    jmp 1b
2:  calll main
3:  movb $0x7f, %al
    outb %al, $0xf4
    hlt
    .globl boot_drive
boot_drive: .byte 0
track: .byte 0
heads: .byte 0
    .org 510
    .word 0xaa55

    .text
    .code16
# void bios_call(uint32_t vector, struct registers *r): see bios.h.
    .globl bios_call
bios_call:
    pushal
    movb 36(%esp), %al
    movb %al, 1f + 1
    movl 40(%esp), %esi
    movl %esi, saved
    movl 0(%esi), %eax
    movl 4(%esi), %ebx
    movl 8(%esi), %ecx
    movl 12(%esi), %edx
    movl 20(%esi), %edi
    movl 24(%esi), %ebp
    movw 28(%esi), %es
    pushw 30(%esi)
    movl 16(%esi), %esi
    popw %ds
    jmp 1f
1:  int $0
    pushfw
    pushw %ds
    pushl %esi
    movw $0, %si                      # flags are on the stack
    movw %si, %ds
    movl saved, %esi
    movl %eax, 0(%esi)
    movl %ebx, 4(%esi)
    movl %ecx, 8(%esi)
    movl %edx, 12(%esi)
    popl 16(%esi)
    movl %edi, 20(%esi)
    movl %ebp, 24(%esi)
    movw %es, 28(%esi)
    popw 30(%esi)
    popw 32(%esi)
    xorw %ax, %ax
    movw %ax, %es
    cld
    popal
    retl
saved: .long 0

# Handlers of interrupts in C: void on_interrupt_0(void) and _1. They return by IRET.
.macro handler name target
    .globl \name
\name:
    pushal
    pushw %ds
    pushw %es
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    cld
    calll \target
    popw %es
    popw %ds
    popal
    iretw
.endm
    handler interrupt_0 on_interrupt_0
    handler interrupt_1 on_interrupt_1
    .weak on_interrupt_0
    .weak on_interrupt_1
