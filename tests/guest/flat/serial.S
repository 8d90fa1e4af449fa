/* Echoes what comes in by the first serial port in its other case, until a full stop. */
    .equ DATA, 0x3f8
    .equ LCR, 0x3fb
    .equ LSR, 0x3fd
    mov $LCR, %edx
    mov $3, %al /* characters of eight bits */
    out %al, %dx
next:
    mov $LSR, %edx
    in %dx, %al
    test $1, %al
    jz next
    mov $DATA, %edx
    in %dx, %al
    mov %eax, %ebx
    cmp $'.', %al
    je end
    xor $0x20, %bl
wait:
    mov $LSR, %edx
    in %dx, %al
    test $0x20, %al
    jz wait
    mov $DATA, %edx
    mov %ebx, %eax
    out %al, %dx
    jmp next
end:
    push $7
    pop %rdi
    push $60 /* exit */
    pop %rax
    syscall
