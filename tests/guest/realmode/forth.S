# A Forth in a boot sector. Words are called: the data stack is at BP with its top in BX, DI is where
# code goes, SI where the line is read. Numbers are decimal, without sign.
#   + - * 0= dup drop swap @ ! . emit : ; if then begin until bye
# It reads lines from the keyboard with echo, says "ok" after each, "?" first of all and at what it
# does not know.
# Dictionary entries: link, length (80h: runs while compiling), name, code.
    .code16
    .globl _start

    .set LINE, 0x700

.macro word label, flag, name, before=0
entry_\label:
    .word \before
    .byte (8f - 7f) | \flag
7:  .ascii "\name"
8:
\label:
.endm

_start:
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    cld
    movw $0x8000, %di
abort:
    movw $0x7a00, %bp
    movb $0, state
    movb $'?', %al
answer:
    call put
    call newline
# ---- a line, with a 0 at its end ----
line:
    movw $0x7c00, %sp
    movw $LINE, %si
1:  movb $0, %ah
    int $0x16
    call put
    movb %al, (%si)
    incw %si
    cmpb $13, %al
    jne 1b
    movb $0, (%si)
    movb $10, %al
    call put
    movw $LINE, %si
# ---- its words ----
next:
    pushw $next                       # where each word returns to
    call parse
    jcxz ok
    pushw %si
    pushw %di
    movw last, %di
find:
    testw %di, %di
    jz number
    movb 2(%di), %al
    andb $0x7f, %al
    cmpb %cl, %al
    jne 1f
    pushw %cx
    pushw %di
    addw $3, %di
    movw %dx, %si
    repe cmpsb
    movw %di, %ax                     # its code, if it is the word
    popw %di
    popw %cx
    je found
1:  movw (%di), %di
    jmp find
found:
    movb 2(%di), %cl
    popw %di
    popw %si
    testb %cl, %cl
    js 1f
    cmpb $0, state
    jne compile
1:  jmp *%ax
number:
    popw %di
    movw %dx, %si
    xorw %dx, %dx
1:  lodsb
    subb $'0', %al
    cmpb $9, %al
    ja abort
    cbtw
    imulw $10, %dx, %dx
    addw %ax, %dx
    loop 1b
    popw %si
    xchgw %ax, %dx
    cmpb $0, state
    je push
    movb $0xb8, (%di)                 # MOV AX, CALL push
    incw %di
    stosw
    movw $push, %ax
compile:                              # CALL AX
    movb $0xe8, (%di)
    incw %di
offset:
    subw %di, %ax
    decw %ax
    decw %ax
    stosw
    ret
ok:
    movb $'o', %al
    call put
    movb $'k', %al
    jmp answer

# ---- what words are made of ----
newline:
    movb $13, %al
    call put
    movb $10, %al
put:
    pushw %bx
    movb $0x0e, %ah
    movw $7, %bx
    int $0x10
    popw %bx
    ret
parse:                                # DX, CX: the next word and its length, 0 at the end
    lodsb
    movw %si, %dx
    decw %dx
    testb %al, %al
    jz 2f
    cmpb $32, %al
    jbe parse
1:  lodsb
    cmpb $32, %al
    ja 1b
2:  decw %si
    movw %si, %cx
    subw %dx, %cx
    ret
branch:                               # to be taken where the top is 0; its offset comes next
    movw $pop_test, %ax
    call compile
    movw $0x840f, %ax
    stosw
    ret
pop_test:
    xchgw %ax, %bx
    call drop
    testw %ax, %ax
    ret
push:
    decw %bp
    decw %bp
    movw %bx, (%bp)
    xchgw %ax, %bx
    ret

# ---- the dictionary ----
    word plus, 0, "+", 0
    addw (%bp), %bx
    jmp nip
    word minus, 0, "-", entry_plus
    subw (%bp), %bx
    negw %bx
    jmp nip
    word times, 0, "*", entry_minus
    movw (%bp), %ax
    mulw %bx
    xchgw %ax, %bx
    jmp nip
    word zero, 0, "0=", entry_times
    subw $1, %bx
    sbbw %bx, %bx
    ret
    word dup, 0, "dup", entry_zero
    movw %bx, %ax
    jmp push
    word swap, 0, "swap", entry_dup
    xchgw %bx, (%bp)
    ret
    word fetch, 0, "@", entry_swap
    movw (%bx), %bx
    ret
    word store, 0, "!", entry_fetch
    movw (%bp), %ax
    movw %ax, (%bx)
    call drop
    jmp drop
    word drop, 0, "drop", entry_store
    movw (%bp), %bx
nip:
    incw %bp
    incw %bp
    ret
    word emit, 0, "emit", entry_drop
    xchgw %ax, %bx
    call drop
    jmp put
    word dot, 0, ".", entry_emit
    xchgw %ax, %bx
    call drop
    call digits
    movb $32, %al
    jmp put
digits:
    xorw %dx, %dx
    movw $10, %cx
    divw %cx
    pushw %dx
    testw %ax, %ax
    jz 1f
    call digits
1:  popw %ax
    addb $'0', %al
    jmp put
    word colon, 0, ":", entry_dot
    movw %di, %ax
    xchgw %ax, last
    stosw
    call parse
    movb %cl, %al
    stosb
    pushw %si
    movw %dx, %si
    rep movsb
    popw %si
    incb state
    ret
    word semicolon, 0x80, ";", entry_colon
    movb $0xc3, %al
    stosb
    decb state
    ret
    word if, 0x80, "if", entry_semicolon
    call branch
    movw %di, %ax
    scasw
    jmp push
    word then, 0x80, "then", entry_if
    movw %di, %ax
    subw %bx, %ax
    decw %ax
    decw %ax
    movw %ax, (%bx)
    jmp drop
    word begin, 0x80, "begin", entry_then
    movw %di, %ax
    jmp push
    word until, 0x80, "until", entry_begin
    call branch
    xchgw %ax, %bx
    call offset
    jmp drop
    word bye, 0, "bye", entry_until
    movb $0, %al
    outb %al, $0xf4
last: .word entry_bye              # the newest entry
state: .byte 0                        # 1: compiling
    .org 510
    .word 0xaa55
