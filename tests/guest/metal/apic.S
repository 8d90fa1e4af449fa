# The local APIC and the I/O APIC in 64-bit mode: the timer, once and with periods, interrupts to
# itself, priorities by CR8 and by memory, the timer and the keyboard of a PC by the I/O APIC, edges
# and levels; the 8259A pair where the APIC is disabled; another base, none.
.include "metal.inc"

APIC  = 0xfee00000
IOAPIC = 0xfec00000
# Vectors: those of the 8259A pair begin at 20.
TIMER = 0x30
KEY   = 0x41
SELF  = 0x52
CLOCK = 0x60
SPURIOUS = 0x6f

.macro apic_write reg, value
    movl $APIC + \reg, %ebx
    movl $\value, (%rbx)
.endm
.macro apic_read reg
    movl $APIC + \reg, %ebx
    movl (%rbx), %eax
.endm
.macro ioapic_write index, value
    movl $IOAPIC, %ebx
    movl $\index, (%rbx)
    movl $\value, 0x10(%rbx)
.endm
.macro ioapic_read index
    movl $IOAPIC, %ebx
    movl $\index, (%rbx)
    movl 0x10(%rbx), %eax
.endm
# Sleep until the handler has stored \c; interrupts are off before and after.
.macro await c
6:  cmpb $\c, seen
    je 5f
    sti
    hlt
    cli
    jmp 6b
5:  movb $0, seen
.endm
.macro gate vector, handler
    movl $\vector, %eax
    movl $\handler, %ebx
    call set_gate
.endm

.globl _start
_start:
    enter_long in64

.code64
in64:
    xorl %eax, %eax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $idt, %edi
    gate 2, on_nmi
    gate 0x20, on_wire
    gate TIMER, on_timer
    gate KEY, on_key
    gate SELF, on_self
    gate CLOCK, on_clock
    lidt idtr
    set_pic 0xff

    # What CPUID and the MSR say.
    movl $1, %eax
    cpuid
    testl $0x200, %edx
    jz bad
    shrl $24, %ebx
    jnz bad
    movl $0x1b, %ecx
    rdmsr
    cmpl $0xfee00900, %eax
    jne bad
    apic_read 0x30
    cmpl $0x00050014, %eax
    jne bad
    apic_write 0xf0, 0x100 + SPURIOUS
    putc 'n'

    # 100 microseconds, three times; then once.
    apic_write 0x3e0, 3
    apic_write 0x320, 0x20000 + TIMER
    apic_write 0x380, 6250
1:  await 't'
    incl count
    putc 't'
    cmpl $3, count
    jb 1b
    apic_write 0x320, 0x10000 + TIMER
    apic_write 0x380, 0
    sti                               # what has come meanwhile
    nop
    nop
    cli
    movb $0, seen
    apic_write 0x320, TIMER
    apic_write 0x380, 100
    await 't'
    apic_read 0x390
    testl %eax, %eax
    jnz bad
    putc 'x'

    # To itself, by shorthand and by name.
    apic_write 0x300, 0x40000 + SELF
    await 'i'
    apic_write 0x310, 0
    apic_write 0x300, 0x4000 + SELF
    await 'i'
    putc 'i'
    # What cannot be masked needs no flag, and no end. It may take its time.
    apic_write 0x300, 0x4400
1:  cmpb $'N', seen
    jne 1b
    movb $0, seen
    apic_read 0x100 + 0x10
    testl %eax, %eax
    jnz bad
    putc 'N'

    # CR8 holds its class back, and is the register's upper half.
    movl $5, %eax
    movq %rax, %cr8
    apic_write 0x300, 0x40000 + SELF
    sti
    nop
    nop
    cmpb $0, seen
    jne bad
    apic_read 0x80
    cmpl $0x50, %eax
    jne bad
    movl $4, %eax
    movq %rax, %cr8
    nop
    cmpb $'i', seen
    jne bad
    cli
    movb $0, seen
    putc 'c'
    apic_write 0x80, 0xe7
    movq %cr8, %rax
    cmpl $0xe, %eax
    jne bad
    apic_write 0x80, 0
    putc 'h'

    # The PC's timer is at input 2, and its interrupts are edges.
    ioapic_write 0x14, CLOCK
    movb $0x34, %al
    outb %al, $0x43
    movb $0x00, %al
    outb %al, $0x40
    movb $0x10, %al
    outb %al, $0x40
    await 'p'
    await 'p'
    ioapic_write 0x14, 0x10000 + CLOCK
    putc 'p'

    # The keyboard controller is told to give a byte as if a key had been hit.
    ioapic_write 0x12, KEY
    call hit_key
    await 'k'
    putc 'k'
    # Triggered by the level: in service until the end of the interrupt, and again while it is up.
    ioapic_write 0x12, 0x8000 + KEY
    movl $2, keys_left
    call hit_key
    await 'k'
    ioapic_read 0x12
    cmpl $0x8000 + KEY, %eax
    jne bad
    cmpl $0, keys_left
    jne bad
    putc 'l'
    # A masked one is silent.
    ioapic_write 0x12, 0x10000 + KEY
    call hit_key
    sti
    nop
    nop
    cli
    cmpb $0, seen
    jne bad
    inb $0x60, %al
    putc 's'

    # Disabled by software, the 8259A pair's interrupts pass; once enabled, by LINT0.
    apic_write 0xf0, 0xff
    movb $0xfe, %al
    outb %al, $0x21
    await 'w'
    apic_write 0xf0, 0x100 + SPURIOUS
    apic_write 0x350, 0x700
    await 'w'
    movb $0xff, %al
    outb %al, $0x21
    putc 'w'

    # Over memory, which is as it was when the APIC leaves.
    movl $0x12345678, 0x200030
    movl $0x1b, %ecx
    movl $0x00200900, %eax
    xorl %edx, %edx
    wrmsr
    cmpl $0x00050014, 0x200030
    jne bad
    movl $0, 0x200030
    # Elsewhere, 4 KiB above where it was.
    movl $0x1b, %ecx
    movl $0xfee01900, %eax
    xorl %edx, %edx
    wrmsr
    movl $APIC, %ebx
    cmpl $0x00050014, 0x1030(%rbx)
    jne bad
    cmpl $-1, 0x30(%rbx)
    jne bad
    cmpl $0x12345678, 0x200030
    jne bad
    putc 'm'
    # Off.
    movl $0x1b, %ecx
    movl $0xfee01100, %eax
    xorl %edx, %edx
    wrmsr
    movl $APIC, %ebx
    cmpl $-1, 0x1030(%rbx)
    jne bad
    movl $1, %eax
    cpuid
    testl $0x200, %edx
    jnz bad
    movb $0xfe, %al
    outb %al, $0x21
    await 'w'
    putc 'd'
    putc '\n'
    exit 9
bad:
    putc '!'
    exit 0

hit_key:
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
wait_kbd:
    inb $0x64, %al
    testb $2, %al
    jnz wait_kbd
    ret

# Gate EAX of the table at RDI leads to EBX.
set_gate:
    shll $4, %eax
    movw %bx, (%rdi, %rax)
    movw $0x18, 2(%rdi, %rax)
    movw $0x8e00, 4(%rdi, %rax)
    shrl $16, %ebx
    movw %bx, 6(%rdi, %rax)
    ret

.macro handler c
    pushq %rax
    pushq %rbx
    movb $\c, seen
    jmp end_apic
.endm
on_timer:
    handler 't'
on_self:
    handler 'i'
on_clock:
    handler 'p'
# Read at once, or the second time that its level interrupts.
on_key:
    pushq %rax
    pushq %rbx
    subl $1, keys_left
    jg end_apic
    movl $0, keys_left
    inb $0x60, %al
    movb $'k', seen
end_apic:
    apic_write 0xb0, 0
    popq %rbx
    popq %rax
    iretq
on_nmi:
    movb $'N', seen
    iretq
on_wire:
    pushq %rax
    movb $'w', seen
    movb $0x20, %al
    outb %al, $0x20
    popq %rax
    iretq

.balign 8
count: .long 0
keys_left: .long 0
seen: .byte 0

.balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff          # 08: 32-bit code
    .quad 0x00cf92000000ffff          # 10: data
    .quad 0x00af9a000000ffff          # 18: 64-bit code
gdtr:
    .word . - gdt - 1
    .long gdt
idtr:
    .word 0x70 * 16 - 1
    .quad idt
.balign 16
idt: .skip 0x70 * 16
