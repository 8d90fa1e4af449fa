# Code that means no good, in the mode that the byte `kind` says: 0 real, 1 protected, 2 long. The
# runner puts what it likes at `wild`. Each exception and tick of the timer goes on one byte further, or
# somewhere else in there; after LIMIT of them the program ends with status 3, if it can still.
.include "metal.inc"
.set LIMIT, 400
.set SIZE, 0x800
.set TABLE, 0x14000
.set STACK, 0x17000

.code16
.globl _start
_start:
    jmp begin
.org 4
kind:   .byte 0
begin:
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp
    set_serial
    set_pic 0xfe
    movb $0x34, %al                   # 1000 ticks a second
    outb %al, $0x43
    movb $0xa9, %al
    outb %al, $0x40
    movb $0x04, %al
    outb %al, $0x40
    cmpb $0, kind
    jne 1f
    xorw %di, %di
    movw $0x30, %cx
2:  movw $on_real, %ax
    stosw
    xorw %ax, %ax
    stosw
    loop 2b
    movw $0x2000, %ax
    movw %ax, %ds
    movw $0x3000, %ax
    movw %ax, %es
    sti
    jmp wild
1:  cmpb $2, kind
    je 1f
    enter_protected in32
.code16
1:  enter_long in64

.code16
on_real:
    pushl %eax
    pushl %ebp
    pushw %ds
    xorw %ax, %ax
    movw %ax, %ds
    movb $0x20, %al
    outb %al, $0x20
    incl count
    cmpl $LIMIT, count
    ja finish16
    movw %sp, %bp
    movw 10(%bp), %ax
    subw $wild, %ax
    cmpw $SIZE, %ax
    jb 3f
    movl count, %eax
    imull $37, %eax
    andw $SIZE - 1, %ax
3:  addw $wild + 1, %ax
    movw %ax, 10(%bp)
    movw $0, 12(%bp)
    orw $0x200, 14(%bp)
    andw $0xbeff, 14(%bp)
    popw %ds
    popl %ebp
    popl %eax
    iretw
finish16:
    exit 3

.code32
in32:
    movl $TABLE, %edi
    xorl %ecx, %ecx
4:  imull $stub_size32, %ecx, %eax
    addl $stubs32, %eax
    movw %ax, (%edi)
    movl $0x8e000008, 2(%edi)
    movw $0, 6(%edi)
    addl $8, %edi
    incl %ecx
    cmpl $0x30, %ecx
    jb 4b
    lidt idtr
    movl $0x20000, %ebx
    movl $0x21000, %esi
    movl $0x22000, %edi
    movl $0x23000, %ebp
    movl $0x24000, %esp
    sti
    jmp wild

# The number in a byte before where it goes on: those with an error code have pushed it.
stubs32:
.set n, 0
.rept 0x30
    .if n == 8 || (n >= 10 && n <= 14) || n == 17
    nop
    nop
    .else
    pushl $0
    .endif
    jmp on_protected
    .if n == 0
    .set stub_size32, . - stubs32
    .endif
    .org stubs32 + (n + 1) * stub_size32, 0x90
    .set n, n + 1
.endr
on_protected:
    addl $4, %esp
    pushl %eax
    movb $0x20, %al
    outb %al, $0x20
    incl count
    cmpl $LIMIT, count
    ja finish32
    movl 4(%esp), %eax
    subl $wild, %eax
    cmpl $SIZE, %eax
    jb 5f
    imull $37, count, %eax
    andl $SIZE - 1, %eax
5:  addl $wild + 1, %eax
    movl %eax, 4(%esp)
    movl $8, 8(%esp)
    orl $0x200, 12(%esp)
    andl $0xffffbeff, 12(%esp)
    popl %eax
    iretl
finish32:
    exit 3

.code64
in64:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $TABLE, %edi
    xorl %ecx, %ecx
6:  imull $stub_size64, %ecx, %eax
    addl $stubs64, %eax
    movw %ax, (%rdi)
    movl $0x8e010018, 2(%rdi)         # on a stack of its own
    movw $0, 6(%rdi)
    movq $0, 8(%rdi)
    addl $16, %edi
    incl %ecx
    cmpl $0x30, %ecx
    jb 6b
    movl $STACK, tss + 0x24
    movl $tss, %eax
    movw %ax, gdt_tss + 2
    lidt idtr
    movw $0x20, %ax
    ltr %ax
    movl $0x20000, %ebx
    movl $0x21000, %esi
    movl $0x22000, %edi
    movl $0x23000, %ebp
    movl $0x24000, %esp
    movl $0x25000, %r8d
    movl $0x26000, %r12d
    sti
    jmp wild

stubs64:
.set n, 0
.rept 0x30
    .if n == 8 || (n >= 10 && n <= 14) || n == 17
    nop
    nop
    .else
    pushq $0
    .endif
    jmp on_long
    .if n == 0
    .set stub_size64, . - stubs64
    .endif
    .org stubs64 + (n + 1) * stub_size64, 0x90
    .set n, n + 1
.endr
on_long:
    addq $8, %rsp
    pushq %rax
    movb $0x20, %al
    outb %al, $0x20
    incl count
    cmpl $LIMIT, count
    ja finish64
    movq 8(%rsp), %rax
    subq $wild, %rax
    cmpq $SIZE, %rax
    jb 7f
    imull $37, count, %eax
    andl $SIZE - 1, %eax
7:  addq $wild + 1, %rax
    movq %rax, 8(%rsp)
    movq $0x18, 16(%rsp)
    orl $0x200, 24(%rsp)
    andl $0xffffbeff, 24(%rsp)
    movq $0, 40(%rsp)
    popq %rax
    iretq
finish64:
    exit 3

.balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff          # 08 code of 32 bits
    .quad 0x00cf93000000ffff          # 10 data
    .quad 0x00af9b000000ffff          # 18 code of 64 bits
gdt_tss:
    .quad 0x0000890000000067          # 20
    .quad 0
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 0x30 * 16 - 1
    .quad TABLE
count:  .long 0
tss:    .fill 0x68, 1, 0

.org 0x800
wild:   .fill SIZE, 1, 0xcc
