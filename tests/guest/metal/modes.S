# The modes a boot loader passes through: A20 off and on, unreal mode, protected mode of 16 bits,
# paging with 4 KiB, 4 MiB and (PAE) 2 MiB pages, and back to real mode with interrupts.
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

    # A20: FFFF:0510 is 0:0500, or is not.
    movw $0xffff, %ax
    movw %ax, %es
    inb $0x92, %al
    andb $0xfc, %al
    outb %al, $0x92
    movw $0x1234, 0x500
    movw $0x4321, %es:0x510
    cmpw $0x4321, 0x500
    jne bad16
    putc 'a'
    inb $0x92, %al
    orb $2, %al
    outb %al, $0x92
    movw $0x5678, %es:0x510
    cmpw $0x4321, 0x500
    jne bad16
    cmpw $0x5678, %es:0x510
    jne bad16
    putc 'A'

    # Unreal: a limit of 4 GiB stays behind.
    lgdtl gdtr
    movl %cr0, %eax
    orb $1, %al
    movl %eax, %cr0
    movw $0x10, %bx
    movw %bx, %ds
    andb $0xfe, %al
    movl %eax, %cr0
    xorw %bx, %bx
    movw %bx, %ds
    movl $0x200000, %ebx
    movl $0xcafe0001, (%ebx)
    cmpl $0xcafe0001, (%ebx)
    jne bad16
    putc 'u'

    # 16-bit protected mode, with LMSW; a limit that is passed is #GP.
    lidtl idtr
    smsww %ax
    orb $1, %al
    lmsww %ax
    ljmp $0x18, $prot16
prot16:
    movw $0x20, %ax
    movw %ax, %ds
    movw %ax, %ss
    putc 'p'
    movl $0x10000, %ebx
limit:
    movb (%ebx), %al
    putc '!'
bad16:
    putc '!'
    exit 0
on_gp16:
    popw %ax                          # error
    popw %bx
    cmpw $limit, %bx
    jne bad16
    testw %ax, %ax
    jnz bad16
    putc 'g'
    ljmpl $0x08, $prot32

.code32
prot32:
    movw $0x10, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x7c00, %esp
    # Two levels, 4 KiB pages: linear 4 MiB is physical 0x200000; 0 to 4 MiB as they are.
    movl $0x20000, %edi
    xorl %eax, %eax
    movl $0x6000 / 4, %ecx
    rep stosl
    movl $0x21003, 0x20000
    movl $0x22003, 0x20004
    movl $0x200003, 0x22000
    movl $3, %eax
    movl $0x21000, %edi
    movl $1024, %ecx
1:  stosl
    addl $0x1000, %eax
    loop 1b
    movl $0x20000, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    jmp 1f
1:  cmpl $0xcafe0001, 0x400000
    jne bad32
    testl $0x20, 0x22000              # accessed
    jz bad32
    testl $0x40, 0x22000              # not dirty
    jnz bad32
    movl $0xcafe0002, 0x400000
    testl $0x40, 0x22000
    jz bad32
    putc '4'
    # Code at a linear address whose page changes meaning: the old must not run.
    movl $0x00c301b0, 0x201000        # MOV AL, 1; RET
    movl $0x00c302b0, 0x202000
    movl $0x201003, 0x22004
    call 2f
    cmpb $1, %al
    jne bad32
    movl $0x202003, 0x22004
    invlpg 0x401000
    call 2f
    cmpb $2, %al
    jne bad32
    movl $0x201003, 0x22004
    movl %cr3, %eax
    movl %eax, %cr3
    call 2f
    cmpb $1, %al
    jne bad32
    putc 'm'
    jmp 3f
2:  movl $0x401000, %eax
    jmp *%eax
3:  # 4 MiB pages: linear 8 MiB is physical 0.
    movl %cr4, %eax
    orl $0x10, %eax
    movl %eax, %cr4
    movl $0x83, 0x20008
    movl %cr3, %eax
    movl %eax, %cr3
    cmpl $0xcafe0002, 0x800000 + 0x200000
    jne bad32
    putc 'L'
    # PAE, with a 2 MiB page: linear 0x600000 is physical 0x200000.
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    movl $0x24001, 0x23000
    movl $0, 0x23004
    movl $0x83, 0x24000
    movl $0x200083, 0x24018
    movl %cr4, %eax
    orl $0x20, %eax
    movl %eax, %cr4
    movl $0x23000, %eax
    movl %eax, %cr3
    movl %cr0, %eax
    orl $0x80000000, %eax
    movl %eax, %cr0
    cmpl $0xcafe0002, 0x600000
    jne bad32
    putc 'P'
    movl %cr0, %eax
    andl $0x7fffffff, %eax
    movl %eax, %cr0
    ljmp $0x18, $back16
bad32:
    putc '!'
    exit 0

.code16
back16:
    movw $0x20, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl %cr0, %eax
    andb $0xfe, %al
    movl %eax, %cr0
    ljmp $0, $real
real:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %ss
    movw $0x7c00, %sp
    lidtl realidt
    movw $on_int, 0x80 * 4
    movw $0, 0x80 * 4 + 2
    sti
    int $0x80
    cmpw $0x7c00, %sp
    jne bad16
    pushfw
    popw %ax
    testb $2, %ah                     # IF is on again
    jz bad16
    putc '\n'
    exit 8
on_int:
    pushfw
    popw %ax
    testb $2, %ah
    jnz bad16
    putc 'r'
    iretw

.balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff          # 08: 32-bit code
    .quad 0x00cf92000000ffff          # 10: flat data
    .quad 0x00009a000000ffff          # 18: 16-bit code
    .quad 0x000092000000ffff          # 20: data of 64 KiB
gdtr:
    .word . - gdt - 1
    .long gdt
realidt:
    .word 0x3ff
    .long 0
idtr:
    .word 14 * 8 - 1
    .long idt
.balign 8
idt:
    .skip 13 * 8
    .word on_gp16 - _start + 0x7c00, 0x18
    .byte 0, 0x86, 0, 0
