/* The programs of rules.def. Each is copied to 0x8000 and run in its mode; a rule that is obeyed ends */
/* at port 0xF4 with AL 0xAA, or raises its exception at the label culprit. */

.macro rule name, bits
    .code\bits
    .globl rule_\name
rule_\name:
.endm
.macro culprit name
    .globl rule_\name\()_culprit
rule_\name\()_culprit:
.endm
/* The end where an exception was to come before, and that where everything is right. */
.macro missed
    movb $0x55, %al
    outb %al, $0xf4
.endm
.macro right
    movb $0xaa, %al
    outb %al, $0xf4
3:  movb $0x55, %al
    outb %al, $0xf4
.endm
/* A rule of a few instructions, the last of which is the culprit. */
.macro faulty name, bits, code, before
    rule \name, \bits
    \before
    culprit \name
    \code
    missed
.endm
/* Address of a label of this rule at run time. */
#define RUN(name, label) (label - rule_##name + 0x8000)

.section .rodata

rule ds_null, 32
    xorl %eax, %eax
    movw %ax, %ds
    movw $3, %ax
    movw %ax, %ds
    movw %ds, %bx
    cmpw $3, %bx
    jne 3f
    right
faulty ds_null_use, 32, "movb (%ebx), %cl", "xorl %eax, %eax; movw %ax, %ds"
faulty ss_null, 32, "movw %ax, %ss", "xorl %eax, %eax"
rule ss_null_64, 64
    xorl %eax, %eax
    movw %ax, %ss
    pushq %rax
    popq %rax
    right
faulty ds_beyond, 32, "movw %ax, %ds", "movw $0x1233, %ax"
faulty ds_absent, 32, "movw %ax, %ds", "movw $0x88, %ax"
faulty ss_absent, 32, "movw %ax, %ss", "movw $0x88, %ax"
faulty ss_readonly, 32, "movw %ax, %ss", "movw $0x90, %ax"
faulty ss_rpl, 32, "movw %ax, %ss", "movw $0x13, %ax"
faulty ds_execute_only, 32, "movw %ax, %ds", "movw $0x98, %ax"
rule ds_code, 32
    movw $0x08, %ax
    movw %ax, %ds
    movl 0x8000, %ecx
    right
faulty ds_inner, 32, "movw %ax, %ds", "movw $0x10, %ax"
faulty ds_system, 32, "movw %ax, %ds", "movw $0x48, %ax"
rule ds_accessed, 32
    testb $1, 0x10a0 + 5
    jnz 3f
    movw $0xa0, %ax
    movw %ax, %fs
    testb $1, 0x10a0 + 5
    jz 3f
    right
rule ds_local, 32
    movw $0x58, %ax
    lldt %ax
    movw $0x0c, %ax                   /* base 0xd000 */
    movw %ax, %fs
    movb $7, %fs:4
    cmpb $7, 0xd004
    jne 3f
    right
faulty limit_read, 32, "movb %fs:0x100, %cl", "movw $0xa0, %ax; movw %ax, %fs"
rule limit_last, 32
    movw $0xa0, %ax
    movw %ax, %fs
    movb %fs:0xff, %cl
    movl %fs:0xfc, %ecx
    right
faulty limit_wide, 32, "movl %fs:0xfd, %ecx", "movw $0xa0, %ax; movw %ax, %fs"
faulty limit_stack, 32, "pushl %eax", "movw $0xa3, %ax; movw %ax, %ss; movl $0x200, %esp"
faulty limit_down, 32, "movb %fs:0xfff, %cl", "movw $0xa8, %ax; movw %ax, %fs"
rule limit_down_in, 32
    movw $0xa8, %ax
    movw %ax, %fs
    movb %fs:0x1000, %cl
    right
faulty limit_string, 32, "lodsb", "movw $0xa0, %ax; movw %ax, %ds; movl $0x100, %esi"
faulty write_readonly, 32, "movb $1, %fs:0", "movw $0x90, %ax; movw %ax, %fs"
faulty write_code, 32, "movb $1, %cs:0x8000"
rule read_execute_only, 32
    ljmp $0x98, $RUN(read_execute_only, 1f)
1:
    culprit read_execute_only
    movb %cs:0x8000, %al
    missed
faulty string_readonly, 32, "stosb", "movw $0x90, %ax; movw %ax, %es; xorl %edi, %edi"
faulty real_limit, 16, "movw (%bx), %cx", "movw $0xffff, %bx"
rule jump_limit, 32
    movl $0x9000, %eax
    ljmp $0xf0, $RUN(jump_limit, 1f)
1:
    culprit jump_limit
    jmp *%eax
    missed
rule pop_ss, 32
    movl $0x20000, %esp
    pushl $0x20
    movl %esp, %ebx
    popl %ss
    movl %esp, %ecx
    movw $0x10, %ax
    movw %ax, %ss
    subl %ebx, %ecx
    cmpl $4, %ecx
    jne 3f
    right
rule lar_lsl, 32
    movl $0x10, %eax
    larl %eax, %ecx
    jnz 3f
    cmpl $0x00cf9200, %ecx
    jne 3f
    lsll %eax, %ecx
    jnz 3f
    cmpl $0xffffffff, %ecx
    jne 3f
    movl $0xa0, %eax
    lsll %eax, %ecx
    jnz 3f
    cmpl $0xff, %ecx
    jne 3f
    movl $0x1230, %eax
    larl %eax, %ecx
    jz 3f
    cmpl $0xff, %ecx                  /* unchanged */
    jne 3f
    movl $0x13, %eax                  /* RPL 3 does not see ring 0 */
    larl %eax, %ecx
    jz 3f
    movl $0x78, %eax                  /* LSL has no limit of a gate, LAR its rights */
    lsll %eax, %ecx
    jz 3f
    larl %eax, %ecx
    jnz 3f
    right
rule verr_verw, 32
    movl $0x10, %eax
    verr %ax
    jnz 3f
    verw %ax
    jnz 3f
    movl $0x90, %eax
    verr %ax
    jnz 3f
    verw %ax
    jz 3f
    movl $0x98, %eax
    verr %ax
    jz 3f
    movl $0x48, %eax
    verr %ax
    jz 3f
    right
rule arpl, 32
    movw $0x10, %ax
    movw $0x23, %cx
    arpl %cx, %ax
    jnz 3f
    cmpw $0x13, %ax
    jne 3f
    arpl %cx, %ax
    jz 3f
    right
faulty arpl_real, 16, "arpl %cx, %ax"
faulty lldt_real, 16, "lldt %ax"

rule jmp_conforming, 32
    ljmp $0x80, $RUN(jmp_conforming, 1f)
1:  movw %cs, %ax
    cmpw $0x83, %ax
    jne 3f
    right
faulty jmp_inner, 32, "ljmp $0x08, $0x8000"
faulty jmp_outer, 32, "ljmp $0x30, $0x8000"
faulty jmp_null, 32, "ljmp $3, $0x8000"
faulty jmp_absent, 32, "ljmp $0xb0, $0x8000"
faulty jmp_data, 32, "ljmp $0x10, $0x8000"
rule call_gate, 32
    movl $RUN(call_gate, 1f), %eax
    call 4f
    movl %esp, %ebp
    pushl $0x11111111
    pushl $0x22222222
    lcall $0x7b, $0
    cmpl %esp, %ebp
    jne 3f
    movw %cs, %ax
    cmpw $0x33, %ax
    jne 3f
    right
1:  movw %cs, %ax                     /* in ring 0; the gate copied two words */
    testw $3, %ax
    jnz 3b
    cmpl $0x22222222, 8(%esp)
    jne 3b
    cmpl $0x11111111, 12(%esp)
    jne 3b
    leal -8(%ebp), %eax
    cmpl %eax, 16(%esp)
    jne 3b
    lret $8
4:  movw %ax, 0x1078                  /* the descriptor tables are ring 3's to write here */
    ret
faulty call_gate_absent, 32, "lcall $0xdb, $0"
faulty call_gate_dpl, 32, "lcall $0xe3, $0"
rule call_gate_16, 32
    movl %esp, %ebp
    movw $RUN(call_gate_16, 1f), 0x10e8
    lcall $0xe8, $0
3:  movb $0x55, %al
    outb %al, $0xf4
1:  leal -4(%ebp), %eax
    cmpl %esp, %eax
    jne 3b
    cmpw $0x08, 2(%esp)
    jne 3b
    movb $0xaa, %al
    outb %al, $0xf4
rule call_gate_64, 64
    movl $RUN(call_gate_64, 1f), %eax
    movw %ax, 0x1110
    lcall *RUN(call_gate_64, 2f)
    movw %cs, %ax
    cmpw $0x43, %ax
    jne 3f
    movb $0xaa, %al
    outb %al, $0xf4
3:  movb $0x55, %al
    outb %al, $0xf4
1:  movw %cs, %ax
    cmpw $0x28, %ax
    jne 3b
    cmpq $0x43, 8(%rsp)
    jne 3b
    cmpq $0x3b, 24(%rsp)
    jne 3b
    lretq
2:  .long 0
    .word 0x113
faulty retf_inner, 32, "lret", "pushl $0x08; pushl $0x8000"
rule retf_outer, 32
    movw $0x10, %ax
    movw %ax, %fs
    movw $0x3b, %ax
    movw %ax, %gs
    pushl $0x3b
    pushl $0xbf00
    pushl $0x33
    pushl $RUN(retf_outer, 1f)
    lret
1:  cmpl $0xbf00, %esp
    jne 3f
    movw %fs, %ax
    testw %ax, %ax
    jnz 3f
    movw %gs, %ax
    cmpw $0x3b, %ax
    jne 3f
    movw %ss, %ax
    cmpw $0x3b, %ax
    jne 3f
    right
rule iret_outer, 32
    pushl $0x3b
    pushl $0xbf00
    pushl $0x3ed7                     /* IOPL 3, IF, flags */
    pushl $0x33
    pushl $RUN(iret_outer, 1f)
    iretl
1:  pushfl
    popl %eax
    cmpl $0x3ed7, %eax
    jne 3f
    cmpl $0xbf00, %esp
    jne 3f
    right
rule iret_iopl, 32
    pushfl
    popl %ebx
    movl %ebx, %eax
    xorl $0x3200, %eax
    pushl %eax
    pushl $0x33
    pushl $RUN(iret_iopl, 1f)
    iretl
1:  pushfl
    popl %eax
    cmpl %eax, %ebx
    jne 3f
    right
faulty iret_nt_long, 64, "iretq", "pushq $0x4002; popfq"
rule iret_compat, 64
    pushq $0x10
    pushq $0xbf00
    pushq $2
    pushq $0x08
    pushq $RUN(iret_compat, 1f)
    iretq
    .code32
1:  movl $-1, %eax
    incl %eax                         /* 40: a prefix in 64-bit code */
    jnz 3f
    cmpl $0xbf00, %esp
    jne 3f
    right
    .code64
rule iret_fs_base, 64
    movl $0xc0000100, %ecx
    xorl %eax, %eax
    movw %ax, %fs
    movl $0xd000, %eax
    xorl %edx, %edx
    wrmsr
    movq $78, 0xd000
    pushq $0x3b
    pushq $0xbf00
    pushq $2
    pushq $0x43
    pushq $RUN(iret_fs_base, 1f)
    iretq
1:  cmpq $78, %fs:0
    jne 3f
    right
rule jmp_l_and_d, 64
    culprit jmp_l_and_d
    ljmp *RUN(jmp_l_and_d, 1f)
    missed
1:  .long 0x8000
    .word 0x100
faulty tss_busy, 32, "ljmp $0x48, $0"
faulty tss_absent, 32, "ljmp $0xd0, $0"
rule tss_long, 64
    culprit tss_long
    ljmp *RUN(tss_long, 1f)
    missed
1:  .long 0
    .word 0x48
faulty task_gate_rpl, 32, "ljmp $0x4b, $0"

faulty int_dpl, 32, "int $0x22"
rule int_user, 32
    int $0x81
    culprit int_user
    missed
faulty int_absent, 32, "int $0x83"
faulty int_type, 32, "int $0x84"
faulty int_code, 32, "int $0x85"
rule int3_trap, 32
    int3
    culprit int3_trap
    missed
rule into_trap, 32
    movl $0x7fffffff, %eax
    incl %eax
    into
    culprit into_trap
    missed
rule int1_dpl, 32
    .byte 0xf1
    culprit int1_dpl
    missed
faulty bound, 32, "boundl %ecx, 0xd000", "movl $1, 0xd000; movl $5, 0xd004; movl $6, %ecx"
faulty ud, 64, "ud2"
faulty de, 32, "divl %ecx", "xorl %ecx, %ecx"
faulty nm, 32, "fld1", "movl %cr0, %eax; orl $8, %eax; movl %eax, %cr0"
faulty df, 32, "movw %ax, %ds", "movl $0, 0x2000 + 13 * 8 + 4; movl $0, 0x2000 + 11 * 8 + 4; movw $0x1230, %ax"
rule step, 32
    pushfl
    orl $0x100, (%esp)
    popfl
    nop
    culprit step
    nop
    missed
rule step_ss, 32
    movw $0x10, %cx
    pushfl
    orl $0x100, (%esp)
    popfl
    movw %cx, %ss
    nop
    culprit step_ss
    nop
    missed
rule break_exec, 32
    movl $RUN(break_exec, 1f), %eax
    movl %eax, %dr0
    movl $1, %eax
    movl %eax, %dr7
    nop
1:
    culprit break_exec
    nop
    missed
rule break_write, 32
    movl $0xd008, %eax
    movl %eax, %dr1
    movl $0x00d00004, %eax            /* DR1: writes, 4 bytes */
    movl %eax, %dr7
    movl 0xd008, %ecx                 /* a read is none */
    movb $1, 0xd00a
    culprit break_write
    nop
    missed
rule break_read, 64
    movl $0xd010, %eax
    movq %rax, %dr3
    movl $0xb00000c0, %eax            /* DR3: reads and writes, 8 bytes */
    movq %rax, %dr7
    pushq 0xd010
    culprit break_read
    nop
    missed
rule break_none, 32
    movl $0xd008, %eax
    movl %eax, %dr1
    movl $0x00d00004, %eax
    movl %eax, %dr7
    movl $5, 0xd004
    movl $5, 0xd00c
    movl 0xd008, %ecx
    xorl %eax, %eax
    movl %eax, %dr7
    movl $5, 0xd008
    movl %dr6, %eax
    testb $15, %al
    jnz 3f
    right
faulty dr_general, 32, "movl %dr0, %eax", "movl $0x2000, %eax; movl %eax, %dr7"
faulty dr4_de, 32, "movl %dr4, %eax", "movl $8, %eax; movl %eax, %cr4"

faulty pf_absent, 32, "movb 0x100000, %al"
faulty pf_write, 32, "movb %al, 0x101000"
faulty pf_user, 64, "movb 0x102000, %al"
faulty pf_user_write, 64, "movb %al, 0x102000"
rule pf_nx, 64
    movl $0x103000, %eax
    jmp *%rax
    missed
.globl rule_pf_nx_culprit
.set rule_pf_nx_culprit, rule_pf_nx + 0xfb000
faulty pf_reserved, 64, "movb 0x104000, %al"
faulty gp_canonical, 64, "movb (%rax), %al", "movabsq $0x800000000000, %rax"
faulty ss_canonical, 64, "pushq %rax", "movabsq $0x800000000008, %rsp"

faulty user_cli, 32, "cli"
faulty user_hlt, 32, "hlt"
faulty user_cr, 64, "movq %cr0, %rax"
faulty user_dr, 64, "movq %dr0, %rax"
faulty user_lgdt, 32, "lgdt 0xd000"
faulty user_msr, 64, "rdmsr", "movl $0xc0000080, %ecx"
faulty user_in_denied, 32, "inb $0x40, %al"
rule user_in_allowed, 32
    inb $0x60, %al
    inw $0x60, %ax
    movw $0x60, %dx
    insb
    right
faulty user_in_wide, 32, "inl $0x60, %eax"
rule user_popf, 32
    pushfl
    popl %ebx
    movl %ebx, %eax
    xorl $0x3200, %eax
    pushl %eax
    popfl
    pushfl
    popl %eax
    cmpl %eax, %ebx
    jne 3f
    right
faulty umip, 32, "sgdt 0xd000"

faulty cr0_pg_pe, 32, "movl %eax, %cr0", "movl $0x80000010, %eax"
faulty cr0_nw_cd, 32, "movl %eax, %cr0", "movl $0x20000011, %eax"
faulty cr4_reserved, 32, "movl %eax, %cr4", "movl $0x80000000, %eax"
faulty cr4_pae_long, 64, "movq %rax, %cr4", "xorl %eax, %eax"
faulty cr0_long_64, 64, "movq %rax, %cr0", "movl $0x11, %eax"
faulty efer_lme_pg, 64, "wrmsr", "movl $0xc0000080, %ecx; rdmsr; andl $0xfffffeff, %eax"
faulty efer_reserved, 32, "wrmsr", "movl $0xc0000080, %ecx; movl $2, %eax; xorl %edx, %edx"
rule cr1, 32
    culprit cr1
    .byte 0x0f, 0x20, 0xc8            /* mov %cr1, %eax */
    missed
rule lmsw, 32
    movw $8, %ax
    lmsw %ax
    movl %cr0, %eax
    andl $15, %eax
    cmpl $9, %eax
    jne 3f
    right
rule clts, 32
    movl %cr0, %eax
    orl $8, %eax
    movl %eax, %cr0
    clts
    movl %cr0, %eax
    testl $8, %eax
    jnz 3f
    right
rule smsw, 32
    movl $-1, 0xd000
    smsw 0xd000
    movl %cr0, %eax
    cmpw %ax, 0xd000
    jne 3f
    cmpw $-1, 0xd002
    jne 3f
    right
faulty ltr_busy, 32, "ltr %ax", "movw $0x48, %ax"
faulty ltr_null, 32, "ltr %ax", "xorl %eax, %eax"
faulty lldt_type, 32, "lldt %ax", "movw $0x10, %ax"
rule sgdt_back, 32
    sgdt 0xd000
    cmpw $0x12f, 0xd000
    jne 3f
    cmpl $0x1000, 0xd002
    jne 3f
    movw $0xff, 0xd010
    movl $0x12345678, 0xd012
    lidtw 0xd010
    sidt 0xd020
    cmpl $0x345678, 0xd022
    jne 3f
    right
faulty sysenter_none, 32, "sysenter"
rule sysenter, 32
    /* To ring 0 by a gate first, for WRMSR: the gate's code is what follows. */
    movw $RUN(sysenter, 1f), 0x1078
    pushl $0
    pushl $0
    lcall $0x7b, $0
    movl $RUN(sysenter, 2f), %edx
    movl %esp, %ecx
    sysenter
    jmp 3f
2:  movw %cs, %ax
    cmpw $0x11b, %ax
    jne 3f
    movw %ss, %ax
    cmpw $0x123, %ax
    jne 3f
    right
1:  xorl %edx, %edx
    movl $0x174, %ecx
    movl $0x108, %eax
    wrmsr
    movl $0x175, %ecx
    movl $0xb000, %eax
    wrmsr
    movl $0x176, %ecx
    movl $RUN(sysenter, 4f), %eax
    wrmsr
    lret $8
4:  movw %cs, %ax
    cmpw $0x108, %ax
    jne 3b
    movl $RUN(sysenter, 2b), %edx
    movl $0xbf00, %ecx
    sysexit
faulty syscall_off, 64, "syscall"
rule swapgs, 64
    movl $0xc0000101, %ecx
    movl $0x1000, %eax
    xorl %edx, %edx
    wrmsr
    movl $0xc0000102, %ecx
    movl $0xd000, %eax
    wrmsr
    movq $77, 0xd000
    swapgs
    cmpq $77, %gs:0
    jne 3f
    rdmsr
    cmpl $0x1000, %eax
    jne 3f
    right

faulty v86_cli, 16, "cli"
faulty v86_int, 16, "int $0x21"
rule v86_int3, 16
    int3
    culprit v86_int3
    missed
faulty v86_hlt, 16, "hlt"
faulty v86_lar, 16, "lar %ax, %cx"
faulty v86_cr, 16, "movl %cr0, %eax"
faulty v86_limit, 16, "movw (%bx), %cx", "movw $0xffff, %bx"

rule real_string_wrap, 16
    movw $0x2000, %ax
    movw %ax, %es
    movw $0x1234, %ax
    movw $0xefe0, %di
    movw $0x0820, %cx
    cld
    rep stosw
    cmpw $0x0020, %di
    jne 3f
    testw %cx, %cx
    jnz 3f
    cmpw %ax, %es:0xfffe
    jne 3f
    cmpw %ax, %es:0x001e
    jne 3f
    cmpw $0, %es:0x0020
    jne 3f
    right
rule string_overlap, 32
    movl $0x20ff0, %esi
    movl $0x20ff2, %edi
    movl $0x1800, %ecx
    movb $0xab, (%esi)
    movb $0xcd, 1(%esi)
    cld
    rep movsb
    cmpw $0xcdab, 0x20ff0 + 0x1800
    jne 3f
    cmpb $0, 0x20ff2 + 0x1800
    jne 3f
    cmpl $0x20ff2 + 0x1800, %edi
    jne 3f
    right
rule real_int, 16
    movw $RUN(real_int, 1f), 0x40 * 4
    movw $0, 0x40 * 4 + 2
    sti
    nop
    movw %sp, %bp
    int $0x40
    cmpw %sp, %bp
    jne 3f
    cmpb $1, %bl
    jne 3f
    pushfw
    popw %ax
    testb $2, %ah
    jz 3f
    movb $0xaa, %al
    outb %al, $0xf4
3:  movb $0x55, %al
    outb %al, $0xf4
1:  pushfw
    popw %ax
    movb $0, %bl
    testb $3, %ah
    jnz 2f
    movb $1, %bl
2:  iretw
rule real_cr0, 16
    movl %cr0, %eax
    movl %eax, %ecx
    xorb $2, %al
    movl %eax, %cr0
    movl %cr0, %edx
    cmpl %eax, %edx
    jne 3f
    right
faulty real_ss_overflow, 16, "popw %ax", "movw $0xffff, %sp"

/* What is copied is longer than the last rule. */
    .skip 512
.section .note.GNU-stack, "", @progbits
