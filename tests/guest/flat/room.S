/*
 * What flat code may count on: entered at 0x400000, zeros for 16 MiB after its last page and not a
 * byte more of them, code that may be written, and a stack with arguments as of any program. Writes
 * its first argument and ends with the number of arguments; 100 and up say what was missing.
 */
    .equ SYS_write, 1
    .equ SYS_exit, 60
    .equ SYS_mincore, 27
    .equ BASE, 0x400000
    .equ BSS, 16 << 20
start:
    mov $100, %ebx
    lea start(%rip), %rax
    cmp $BASE, %rax
    jne fail
    /* All zeros from the end of the code to the end of the BSS. */
    inc %ebx
    lea end(%rip), %rdi
    lea end + 4095(%rip), %rcx
    and $-4096, %rcx
    add $BSS, %rcx
    mov %rcx, %r12
    sub %rdi, %rcx
    xor %eax, %eax
    repe scasb
    jne fail
    /* They can be written to the last one. */
    inc %ebx
    movb $1, -1(%r12)
    cmpb $1, -1(%r12)
    jne fail
    /* Nothing is mapped after them: -ENOMEM. */
    inc %ebx
    mov %r12, %rdi
    mov $4096, %esi
    lea -8(%rsp), %rdx
    mov $SYS_mincore, %eax
    syscall
    cmp $-12, %rax
    jne fail
    /* Code may change itself: the immediate below becomes 7. */
    inc %ebx
    movb $7, patched + 1(%rip)
patched:
    mov $0, %eax
    cmp $7, %eax
    jne fail
    /* argv[1], by its length, and argc - 1 */
    mov (%rsp), %rbx
    dec %rbx
    jz fail
    mov 16(%rsp), %rsi
    mov %rsi, %rdi
    xor %eax, %eax
    mov $-1, %rcx
    repne scasb
    not %rcx
    lea -1(%rcx), %rdx
    mov $1, %edi
    mov $SYS_write, %eax
    syscall
fail:
    mov %ebx, %edi
    mov $SYS_exit, %eax
    syscall
    ud2
end:
