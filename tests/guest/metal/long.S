# From 16 to 32 to 64 bits with paging; then a timer and a keyboard interrupt, a system call to and
# from ring 3, a page fault there and a breakpoint, each told of at the serial port.
.include "metal.inc"

.code16
.globl _start
_start:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    set_serial
    putc 'R'
    inb $0x92, %al
    orb $2, %al
    outb %al, $0x92
    lgdtl gdtr
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    ljmpl $0x08, $in32

.code32
in32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x7c00, %esp
    putc 'P'
    # 2 MiB in large pages, the second user's, the third without memory behind it.
    movl $0x10000, %edi
    xorl %eax, %eax
    movl $0x3000 / 4, %ecx
    rep stosl
    movl $0x11007, 0x10000
    movl $0x12007, 0x11000
    movl $0x00000083, 0x12000
    movl $0x00200087, 0x12008
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $0x10000, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x101, %eax
    wrmsr
    movl %cr0, %eax
    orl $0x80010000, %eax
    movl %eax, %cr0
    # Compatibility mode until the far jump.
    putc 'C'
    ljmpl $0x18, $in64

.code64
in64:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    putc 'L'
    movl $idt, %edi
    movl $3, %eax
    movl $on_break, %ebx
    call set_gate
    movl $14, %eax
    movl $on_page, %ebx
    call set_gate
    movl $0x20, %eax
    movl $on_timer, %ebx
    call set_gate
    movl $0x21, %eax
    movl $on_key, %ebx
    call set_gate
    orb $0x60, idt + 3 * 16 + 5       # INT3 is ring 3's, too
    movb $1, idt + 3 * 16 + 4         # and has a stack of its own
    lidt idtr
    movw $0x38, %ax
    ltr %ax

    # The timer, some hundred times a second.
    set_pic 0xfc
    movb $0x34, %al
    outb %al, $0x43
    movb $0x00, %al
    outb %al, $0x40
    movb $0x10, %al
    outb %al, $0x40
    sti
1:  hlt
    cmpl $3, ticks
    jb 1b
    cli
    movb $0xfd, %al
    outb %al, $0x21
    # The keyboard controller is told to give a byte as if a key had been hit.
    call wait_kbd
    movb $0x60, %al
    outb %al, $0x64
    call wait_kbd
    movb $0x01, %al
    outb %al, $0x60
    call wait_kbd
    movb $0xd2, %al
    outb %al, $0x64
    call wait_kbd
    movb $0x1e, %al
    outb %al, $0x60
    sti
1:  cmpb $0, key
    je 1b
    cli

    # Ring 3 and back.
    movl $0xc0000081, %ecx
    xorl %eax, %eax
    movl $0x00200018, %edx
    wrmsr
    movl $0xc0000082, %ecx
    movl $on_syscall, %eax
    xorl %edx, %edx
    wrmsr
    movl $0xc0000084, %ecx
    movl $0x200, %eax
    wrmsr
    movl $user, %esi
    movl $0x200000, %edi
    movl $user_end - user, %ecx
    rep movsb
    pushq $0x2b
    pushq $0x210000
    pushq $0x3202                     # IOPL 3: the user's code uses ports
    pushq $0x33
    pushq $0x200000
    iretq

wait_kbd:
    inb $0x64, %al
    testb $2, %al
    jnz wait_kbd
    ret

# Gate EAX of the table leads to EBX.
set_gate:
    shll $4, %eax
    movw %bx, (%rdi, %rax)
    movw $0x18, 2(%rdi, %rax)
    movw $0x8e00, 4(%rdi, %rax)
    shrl $16, %ebx
    movw %bx, 6(%rdi, %rax)
    ret

on_timer:
    pushq %rax
    pushq %rdx
    cmpl $3, ticks
    jae 1f
    putc 't'
1:  incl ticks
    movb $0x20, %al
    outb %al, $0x20
    popq %rdx
    popq %rax
    iretq
on_key:
    pushq %rax
    pushq %rdx
    inb $0x60, %al
    movb %al, key
    putc 'k'
    movb $0x20, %al
    outb %al, $0x20
    popq %rdx
    popq %rax
    iretq

# From ring 3 with IF masked; RCX goes back.
on_syscall:
    pushfq
    popq %rax
    testl $0x200, %eax
    jnz bad
    putc 's'
    sysretq

# A user's read of memory that is not there: the page is given to it.
on_page:
    pushq %rax
    pushq %rdx
    cmpq $5 - 1, 16(%rsp)             # U, not P, not W
    jne bad
    movq %cr2, %rax
    cmpq $0x400000, %rax
    jne bad
    putc 'f'
    movl $0x00200087, 0x12010
    popq %rdx
    popq %rax
    addq $8, %rsp
    iretq
on_break:
    leaq -40(%rsp), %rax              # five words were pushed on an aligned stack
    cmpq $0x7000 - 80, %rax
    jne bad
    cmpq $0x33, 8(%rsp)
    jne bad
    putc '\n'
    exit 5
bad:
    putc '!'
    exit 0

# Copied to 0x200000 and run in ring 3.
user:
    putc 'U'
    syscall
    movq 0x400000, %rax
    cmpq %rax, 0x200000
    jne 1f
    putc 'u'
1:  int3
    jmp 1b
user_end:

.balign 8
ticks: .long 0
key:   .byte 0

.balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff          # 08: 32-bit code
    .quad 0x00cf92000000ffff          # 10: data
    .quad 0x00af9a000000ffff          # 18: 64-bit code
    .quad 0x00cf92000000ffff          # 20: data after it, for SYSCALL
    .quad 0x00cff2000000ffff          # 28: user data
    .quad 0x00affa000000ffff          # 30: user 64-bit code
    .word 0x67, tss - _start + 0x7c00 # 38: task state
    .byte 0, 0x89, 0, 0
    .quad 0
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 0x22 * 16 - 1
    .quad idt
.balign 16
tss:
    .long 0
    .quad 0x6000                      # RSP0
    .skip 0x24 - 12
    .quad 0x7000                      # IST1
    .skip 0x68 - 0x2c
.balign 16
idt: .skip 0x22 * 16
