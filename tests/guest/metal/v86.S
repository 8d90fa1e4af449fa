# Virtual-8086 mode: a task whose INT n, CLI, STI, PUSHF and IRET a monitor sees as #GP, whose ports
# the permission map allows or not, that is interrupted by hardware, and ends by HLT.
.include "metal.inc"

.globl _start
_start:
    enter_protected main
.code32
main:
    movl $13, %eax
    movl $on_gp, %ebx
    call set_gate32
    movl $0x20, %eax
    movl $on_timer, %ebx
    call set_gate32
    lidt idtr
    movw $0x18, %ax
    ltr %ax
    # Port 0x3f8 is the guest's, 0x80 is not.
    movb $0, map + 0x3f8 / 8
    set_pic 0xfe
    movb $0x34, %al
    outb %al, $0x43
    movb $0x00, %al
    outb %al, $0x40
    movb $0x20, %al
    outb %al, $0x40
    pushl $0x1111                     # GS FS DS ES
    pushl $0x2222
    pushl $0x3333
    pushl $0x4444
    pushl $0                          # SS:ESP
    pushl $0x6000
    pushl $0x20202                    # VM, IF, IOPL 0
    pushl $0
    pushl $guest
    iretl

gate_function

# The stack: error, EIP, CS, EFLAGS, ESP, SS, ES, DS, FS, GS.
on_gp:
    pushal
    movw %ds, %cx                     # null: the guest's are no selectors
    movw $0x10, %ax
    movw %ax, %ds
    movl 36(%esp), %ebx               # EIP; the segment is 0
    testw %cx, %cx
    jnz bad
    testl $0x20000, 44(%esp)
    jz bad
    cmpl $0, 32(%esp)
    jne bad
    movb (%ebx), %cl
    cmpb $0xcd, %cl                   # INT n
    jne 1f
    cmpb $0x21, 1(%ebx)
    jne bad
    cmpl $0x3333, 60(%esp)            # DS was saved
    jne bad
    movb $'i', %al
    movl $2, %esi
    jmp resume
1:  cmpb $0xe6, %cl                   # OUT
    movb $'o', %al
    movl $2, %esi
    je resume
    cmpb $0xfa, %cl                   # CLI
    movb $'c', %al
    movl $1, %esi
    je resume
    cmpb $0x9c, %cl                   # PUSHF
    movb $'p', %al
    je resume
    cmpb $0xcf, %cl                   # IRET
    movb $'r', %al
    je resume
    cmpb $0xf4, %cl                   # HLT ends it
    jne bad
    putc '\n'
    exit 7
resume:
    movw $0x3f8, %dx
    outb %al, %dx
    addl %esi, 36(%esp)
    popal
    addl $4, %esp
    iretl

on_timer:
    pushal
    movw $0x10, %ax
    movw %ax, %ds
    incl ticks
    testl $0x20000, 40(%esp)
    jz bad
    cmpl $0x1111, 64(%esp)            # GS, which the guest leaves alone
    jne bad
    movb $0x20, %al
    outb %al, $0x20
    popal
    iretl

bad:
    putc '!'
    exit 0

.code16
guest:
    movw %ds, %ax
    cmpw $0x3333, %ax
    jne 2f
    movw %gs, %ax
    cmpw $0x1111, %ax
    jne 2f
    putc 'v'
    int $0x21
    outb %al, $0x80
    cli
    pushf
    iret
    # Addresses as in real mode.
    movw $0x60, %ax
    movw %ax, %es
    movb $'e', %es:0x5000
    xorw %ax, %ax
    movw %ax, %ds
    movb 0x5600, %al
    movw $0x3f8, %dx
    outb %al, %dx
1:  cmpl $0, ticks
    je 1b
    putc 't'
    hlt
2:  int $0x22
.code32

.balign 8
ticks: .long 0
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff          # 08
    .quad 0x00cf92000000ffff          # 10
    .word tss_end - tss - 1, tss - _start + 0x7c00 # 18
    .byte 0, 0x89, 0, 0
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 0x21 * 8 - 1
    .long idt
.balign 8
idt: .skip 0x21 * 8
tss:
    .long 0
    .long 0x7000                      # ESP0
    .long 0x10
    .skip 0x66 - 12
    .word map - tss
map: .fill 0x401, 1, 0xff
tss_end:
