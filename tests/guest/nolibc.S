/*
 * A program without a library: what the kernel promises at the entry (RDX is 0, so no exit handler
 * of a dynamic linker; RSP is 16-byte aligned and points at argc), two system calls, exit status
 * 42. Status 1 says that a promise was broken.
 */
    .globl _start
    .text
_start:
    test %rdx, %rdx
    jnz broken
    test $15, %rsp
    jnz broken
    cmpq $1, (%rsp)
    jne broken
    xor %ecx, %ecx
    pushfq
    pop %rax
    test $0x400, %eax
    jnz broken
    mov $1, %eax
    mov $1, %edi
    lea text(%rip), %rsi
    mov $length, %edx
    syscall
    cmp $length, %rax
    jne broken
    lea after(%rip), %rbx
    mov $39, %eax
    syscall
after:
    cmp %rbx, %rcx
    jne broken
    mov $231, %eax
    mov $42, %edi
    syscall
    hlt
broken:
    mov $231, %eax
    mov $1, %edi
    syscall
    hlt

    .section .rodata
text:
    .ascii "hello without a library\n"
length = . - text
    .section .note.GNU-stack, "", @progbits
