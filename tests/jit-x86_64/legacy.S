/*
 * 32- and 16-bit code for test_forms.c: see forms.h. It runs with different segments, so that memory
 * is reached by registers alone; 0x40 of FS and GS is good memory.
 */
#include "forms.h"

#define FORM(regs_, flags_, ...) FORM_(regs_, flags_, #__VA_ARGS__, __VA_ARGS__)
#define FORM_(regs_, flags_, name_, ...)                                                           \
    .section .rodata.forms, "a";                                                                   \
    81: .asciz name_;                                                                              \
    82: .asciz regs_;                                                                              \
    83: __VA_ARGS__;                                                                               \
    84: .section .data.rel.ro.forms, "aw";                                                         \
    .quad 81b, 83b, 84b, 82b, flags_
/* RAX RCX RDX RBX RSP RBP RSI RDI */
#define DATA "rrrrpppp"

    .intel_syntax noprefix
    .section .data.rel.ro.forms, "aw"
    .balign 8
    .globl forms32, forms32_end, forms16, forms16_end
forms32:
    .code32

/* ---- integers ---- */
FORM(DATA, EVENTS, add eax, ecx; adc edx, [esi + 8]; mov [edi + 16], ebx)
FORM(DATA, 0, sub al, bh; sbb cx, 1000; cmp byte ptr [esi], 7; setg ch; cmovb edx, ebx)
FORM(DATA, 0, xor eax, eax; inc dword ptr [esi]; dec ax; neg word ptr [edi]; not ah; inc ebx; dec edx; inc cx)
FORM(DATA, 0, lock add dword ptr [esi], ecx; lock xadd [esi + 8], edx; xchg [esi + 16], ebx; xchg [edi], bl; lock inc word ptr [edi + 3])
FORM(DATA, 0, mul ecx; imul ecx, [esi], 1234567; imul bx, dx; imul eax, [edi], 5; imul dl)
FORM("irzcpppp", 0, div ebx)
FORM("irzcpppp", 0, idiv word ptr [esi])
FORM(DATA, MAY_INTERPRET, shlx eax, [esi], ecx; sarx ebx, edx, eax; rorx edx, ebx, 7; mulx eax, ecx, [edi])
FORM(DATA, 0, shl eax, 5; shr dword ptr [esi], 1; sar dx, 3; rol bl, 3; ror word ptr [edi], 9)
FORM("rcrrpppp", 0, rcl eax, cl; shld [esi], edx, cl; shrd dx, ax, 3)
FORM(DATA, 0, bt eax, edx; setc al; bts dword ptr [edi], 17; setc dl; btr cx, 3)
FORM(DATA, USES_INTERPRETER, and eax, 63; bt [esi], eax)
FORM("rrrrppppprrrrrri", 0, or eax, 1; bsr ecx, eax; bsf dx, ax; popcnt ebx, [esi])
FORM(DATA, MAY_INTERPRET, tzcnt eax, ecx; lzcnt edx, [esi]; andn ebx, eax, [edi]; bextr ecx, [esi], eax; blsr eax, ebx)
FORM(DATA, MAY_INTERPRET, adcx eax, ecx; adox edx, [esi]; adcx ebx, [edi]; pdep eax, ecx, [esi])
FORM(DATA, MAY_INTERPRET, movbe eax, [esi]; movbe [edi], dx; bswap ecx; crc32 edx, byte ptr [esi]; crc32 edx, word ptr [esi]; crc32 eax, dword ptr [edi])
FORM(DATA, 0, cmpxchg [esi], ecx; cmpxchg8b [edi]; lock cmpxchg8b [esi + 8]; cmpxchg [edi + 2], bh)
FORM(DATA, EVENTS, movzx eax, bh; movsx ecx, word ptr [esi]; movzx dx, byte ptr [edi]; cdq; cwde; cbw; cwd; movnti [esi], eax)
FORM(DATA, 0, lahf; clc; cmc; stc; sahf; cld; nop; nop dword ptr [eax + eax + 77]; pause; lfence; prefetcht0 [eax])
FORM(DATA, 0, mov byte ptr [esi], 5; mov word ptr [esi + 2], 0x1234; mov dword ptr [esi + 4], -2; test byte ptr [esi], 9; test eax, 0x12345678; mov cx, 77; mov dh, 3)
FORM(DATA, 0, .byte 0x82, 0xc0, 0x55; .byte 0x82, 0x2e, 0x21) /* another 80 */
FORM(DATA, 0, .byte 0x66, 0x40; .byte 0x4b; .byte 0x66, 0x4f)

/* ---- addresses ---- */
FORM("rcrrpppp", EVENTS, mov eax, [esi + ecx * 4]; mov [edi + ecx * 2 + 5], ah; mov dl, [esp + ecx + 8]; mov ebx, [ebp - 3])
FORM(DATA, 0, lea eax, [ecx + edx * 4 + 77]; lea cx, [esi + edi]; lea edx, [ebx * 8 - 5]; lea ebx, [0x12345678]; lea ax, [0x12345678])
FORM(DATA, EVENTS, lea eax, [bx + si + 7]; lea si, [bx + di]; lea ebx, [bx]; lea edi, [bp + di - 3]; lea ecx, [0x1234])
FORM(DATA, 0, mov eax, ds:[esi]; mov ecx, ss:[edi]; mov edx, es:[ebp]; mov ebx, ds:[esp + 4]; mov ss:[esi + 4], eax)
FORM(DATA, EVENTS, mov eax, fs:[0x40]; add gs:[0x48], eax; mov bl, fs:[0x43]; mov fs:[0x51], cx; movzx edx, byte ptr gs:[0x40])
FORM(DATA, 0, mov al, fs:[0x40]; mov fs:[0x44], al; mov gs:[0x48], eax; addr16 mov eax, fs:[0x50]; mov fs:[0x60], ax)
FORM("rcrrpppc", 0, mov ecx, fs:[edi * 8 + 0x40]; mov fs:[edi], ecx; add gs:[edi + 8], bx)
FORM(DATA, EVENTS, and eax, 0xff; mov ebx, esi; xlatb; mov cl, al; es; xlatb)
FORM("rrrrppcc", EVENTS, addr16 mov eax, fs:[si + 0x40]; addr16 mov gs:[di + 5], cl; addr16 add dx, fs:[di + 2])

/* ---- the stack ---- */
FORM(DATA, EVENTS, push eax; push 77; push dword ptr [esi]; pop ecx; pop edx; push 0x12345678; pop ebx)
FORM(DATA, EVENTS, push ax; pushw 77; push word ptr [esi]; pop cx; pop dx; push bx; pop si)
FORM(DATA, EVENTS, push esp; pop eax; push ecx; pop ecx; push esi; push ds; pop edx; push fs; pop ecx; push cs)
FORM(DATA, EVENTS, pusha; pop eax; lea esp, [esp + 28])
FORM(DATA, 0, pushaw; pop eax; lea esp, [esp + 12])
FORM(DATA, EVENTS, push ebp; mov ebp, esp; sub esp, 16; mov [ebp - 4], eax; leave)
FORM(DATA, EVENTS, leave; lea esp, [esi + 64]; push ecx)
FORM(DATA, 0, leavew; lea esp, [esi + 64]; push ecx)
FORM(DATA, USES_INTERPRETER, enter 32, 2; mov [ebp - 4], eax; leave)
FORM(DATA, USES_INTERPRETER, popa)
FORM(DATA, USES_INTERPRETER, pop [esi])
FORM(DATA, MAY_INTERPRET, push ecx; pop sp)
FORM(DATA, 0, mov [esp - 4], esi; lea esp, [esp - 4]; pop esp; lea esp, [esi])

/* ---- strings ---- */
FORM(DATA, EVENTS, lodsb; lodsw; lodsd; mov ecx, eax; std; lodsw; lodsb; lodsd; cld)
FORM(DATA, EVENTS, stosb; stosw; stosd; mov eax, edi; std; stosd; stosb; cld)
FORM(DATA, EVENTS, movsb; movsw; movsd; std; movsb; movsd; cld; mov ecx, edi; mov edx, esi)
FORM("rrrrpppp", 0, lea edi, [esi + 1]; movsd; movsw; lea edi, [esi - 1]; movsd)
FORM("rrrrppcp", MAY_INTERPRET, fs; lodsb; gs; lodsw; mov eax, [edi])

/* ---- segment registers ---- */
FORM(DATA, EVENTS, mov eax, ds; mov cx, es; mov [esi], ss; mov edx, cs; mov [edi + 4], gs)

/* ---- what is the interpreter's ---- */
FORM(DATA, USES_INTERPRETER, mov eax, 0x0505; mov ecx, 1; mov [esi], eax; aaa; mov [edi], eax; daa; mov edx, [edi])
FORM(DATA, USES_INTERPRETER, mov eax, 0x0705; aam; mov [esi], eax; aad; das; mov ecx, [esi]; aas)
FORM(DATA, USES_INTERPRETER, repne scasb; scasd; cmpsw; mov eax, ecx)
FORM("rcrrpppp", USES_INTERPRETER, rep movsd; mov eax, [ebp])
FORM(DATA, USES_INTERPRETER, stc; .byte 0xd6; mov ecx, eax) /* SALC */
FORM(DATA, USES_INTERPRETER, pushf; pop ecx; mov edx, [esi])
FORM(DATA, USES_INTERPRETER, arpl ax, cx; mov edx, [esi]; cpuid)

/* ---- SIMD and x87 ---- */
FORM(DATA, EVENTS, movaps xmm0, [esi]; addps xmm1, xmm0; movups [edi + 3], xmm1; divpd xmm2, xmm1)
FORM(DATA, 0, cvtsi2sd xmm7, ecx; cvttsd2si eax, xmm7; sqrtss xmm3, [esi]; ucomisd xmm4, xmm5; movd [edi], xmm1; pextrw eax, xmm2, 3)
FORM(DATA, 0, pshufb xmm0, [esi]; pcmpistri xmm1, xmm2, 0x44; blendvps xmm3, xmm4, xmm0; roundsd xmm5, [edi], 2; pinsrd xmm6, [esi], 1)
FORM(DATA, 0, stmxcsr [esi]; and dword ptr [esi], 0x1f80; ldmxcsr [esi]; cvtsi2ss xmm0, [edi])
FORM(DATA, USES_INTERPRETER, maskmovdqu xmm1, xmm2)
FORM(DATA, NEEDS_AVX | EVENTS, vaddps ymm0, ymm1, [esi]; vpermq ymm3, ymm0, 0x1b; vmovdqu [edi + 5], ymm3)
FORM(DATA, NEEDS_AVX, vmovaps xmm5, xmm6; vfmadd231pd ymm2, ymm5, [esi]; vpblendvb xmm1, xmm2, [edi], xmm3; vmovd eax, xmm1; vcvtsi2sd xmm2, xmm3, [esi])
FORM(DATA, NEEDS_AVX | USES_INTERPRETER, vaddps ymm0, ymm1, [esi]; vzeroupper; vmovaps ymm3, ymm0)
FORM(DATA, EVENTS, movq mm0, [esi]; paddb mm0, mm1; movd eax, mm0; movq2dq xmm3, mm0)
FORM(DATA, EVENTS, fninit; fld1; fldpi; fadd st, st(1); fstp tbyte ptr [esi])
FORM(DATA, 0, fninit; fild qword ptr [esi]; fsqrt; fxch; fld st(0); fmulp; fist dword ptr [edi]; fnstsw ax; fnstsw [esi])
FORM(DATA, 0, fnstcw [esi]; and word ptr [esi], 0xf3ff; or word ptr [esi], 0x0800; fldcw [esi]; fld1; fdiv dword ptr [edi])

/* ---- on two pages ---- */
FORM("rrrrppyp", EVENTS | MAY_INTERPRET, mov eax, [esi]; mov [esi + 1], ecx; add dword ptr [esi - 1], edx; mov bl, [esi]; lock inc word ptr [esi])
FORM("rrrrypyp", EVENTS | MAY_INTERPRET, push eax; push 5; push cx; pop edx; pop bx; pusha; push [esi])
FORM("rrrrpyyp", MAY_INTERPRET, leave; lea esp, [edi + 64]; push ebp; mov ebp, esp; sub esp, 16; mov [ebp - 8], eax; leave)

/* ---- registers that look-ups borrow ---- */
FORM(DATA, EVENTS, mov ecx, [esi]; mov [edi], ecx; mov cx, [edi + 4]; xchg ecx, [esi + 8]; add ecx, [esi]; mov [edi], ch)
FORM("rprrpppp", EVENTS, mov eax, [ecx]; mov ecx, [ecx + 8]; mov [esi + 16], cl; inc ecx; mov [edi], ch; setc [esi])
FORM("rprppppp", EVENTS, mov eax, [ebp]; mov ebx, [ebx + 8]; lea esi, [eax + ecx + 5]; mov [ecx], esi; imul ebx, edx; mov edi, [esp])

/* ---- branches ---- */
FORM(DATA, EVENTS, inc eax; jmp . + 0x1000)
FORM(DATA, 0, inc eax; jmp . + 0x10)
FORM(DATA, EVENTS, data16 jo . + 0x10)
FORM(DATA, EVENTS, jz . + 0x1000)
FORM(DATA, 0, jl . + 0x10)
FORM(DATA, EVENTS, call . + 0x1000)
FORM(DATA, TARGETS | EVENTS, ret)
FORM(DATA, TARGETS | EVENTS, ret 24)
FORM(DATA, TARGETS, ret 0xfff8)
FORM(DATA, TARGETS, .byte 0xf3, 0xc3)
FORM(DATA, TARGETS, retw)
FORM(DATA, EVENTS, call 1f; jmp 2f; 1: lea eax, [ecx + edx]; ret; 2: adc ebx, ecx)
FORM(DATA, 0, call 1f; 1: pop eax; push eax; mov ecx, [esp])
FORM("trrrpppp", EVENTS, jmp eax)
FORM("rtrrpppp", 0, jmp ecx)
FORM("rtrrpppp", 0, .byte 0x66, 0xff, 0xe1)
FORM("rrrtpppp", EVENTS, call ebx)
FORM("rtrrpppp", 0, call ecx)
FORM(DATA, 0, call esp)
FORM(DATA, TARGETS, jmp [esi])
FORM(DATA, TARGETS | EVENTS, call [esi + 8])
FORM(DATA, TARGETS, call [esp + 8])
FORM("rcrrpppp", TARGETS | EVENTS, jmp [esi + ecx * 4 + 0x40])
FORM(DATA, TARGETS, call fs:[0x40])
FORM(DATA, TARGETS, call word ptr [edi])
FORM("rcrrpppp", EVENTS, 1: add eax, ecx; loop 1b)
FORM("rcrrpppp", 0, 1: add al, cl; loope 1b)
FORM("rcrrpppp", 0, 1: add al, cl; loopne 1b)
FORM("rcrrpppp", EVENTS, 1: add eax, ecx; addr16 loop 1b)
FORM("rcrrpppp", EVENTS, 1: sub edx, edx; addr16 loope 1b)
FORM("rcrrpppp", EVENTS, 1: add al, cl; addr16 loopne 1b)
FORM("rzrrpppp", EVENTS, jecxz . + 0x20)
FORM("rcrrpppp", 0, jecxz . + 0x20)
FORM("rzrrpppp", EVENTS, jcxz . + 0x20)
FORM("rcrrpppp", EVENTS, jcxz . + 0x20)
FORM("rcrrpppp", 0, shl ecx, 16; jcxz . + 0x20)
FORM(DATA, USES_INTERPRETER, inc ecx; int3)
FORM(DATA, USES_INTERPRETER, int 0x80)

/* ---- exceptions ---- */
FORM("rrrrppxp", FAULTS, inc eax; mov ecx, [esi])
FORM("rrrrppxp", FAULTS, inc eax; add [esi], ecx)
FORM("rrrrppxp", FAULTS, movaps [esi], xmm1)
FORM(DATA, FAULTS, inc eax; lea esi, [esi + 1]; movaps xmm3, [esi])
FORM("rrrrxppp", FAULTS, push eax)
FORM("rrrrxppp", FAULTS, pop eax)
FORM("rrrrxppp", FAULTS, call . + 0x1000)
FORM("rrrrxpxp", FAULTS, call [esi])
FORM("rrrrxppp", FAULTS, ret)
FORM("rrrrppxp", FAULTS, jmp [esi + 8])
FORM("rrrrpxpp", FAULTS, inc eax; leave)
FORM("rrrrxppp", FAULTS, pusha)
FORM(DATA, FAULTS, inc eax; mov ecx, gs:[0xffd])
FORM(DATA, FAULTS, inc eax; mov fs:[0x10000], cl)
FORM(DATA, FAULTS, inc eax; mov cs:[0x40], cl)
FORM("rzrrpppp", FAULTS, inc eax; xor ebx, ebx; div ebx)
FORM(DATA, FAULTS | USES_INTERPRETER, inc eax; ud2)

    .section .data.rel.ro.forms, "aw"
forms32_end:

forms16:
    .code16

/* ---- integers ---- */
FORM(DATA, EVENTS, add ax, cx; adc dx, [si + 8]; mov [di + 16], bx)
FORM(DATA, 0, add eax, ecx; adc edx, [si + 8]; mov [di + 16], ebx)
FORM(DATA, 0, sub al, bh; sbb cx, 1000; sbb ecx, 100000; cmp byte ptr [si], 7; setg ch; cmovb dx, bx; cmovb edx, ebx)
FORM(DATA, 0, xor ax, ax; inc dword ptr [si]; dec ax; neg word ptr [di]; not ah; inc ebx; dec edx; inc cx)
FORM(DATA, 0, lock add dword ptr [si], ecx; lock xadd [si + 8], dx; xchg [si + 16], bx; xchg [di], bl; xchg ax, cx; xchg eax, edx)
FORM(DATA, 0, mul cx; imul cx, [si], 12345; imul ebx, edx; imul ax, [di], 5; imul dl; mul dword ptr [si])
FORM("irzcpppp", 0, div bx)
FORM("irzcpppp", 0, idiv dword ptr [si])
FORM(DATA, 0, shl ax, 5; shr dword ptr [si], 1; sar dx, 3; rol bl, 3; ror word ptr [di], 9)
FORM("rcrrpppp", 0, rcl ax, cl; shld [si], dx, cl; shrd edx, eax, 3)
FORM("rrrrpppp", 0, or ax, 1; bsr cx, ax; bsf edx, eax; popcnt bx, [si]; bts word ptr [di], 3)
FORM(DATA, MAY_INTERPRET, tzcnt ax, cx; lzcnt edx, [si]; andn ebx, eax, [di]; adcx eax, ecx; adox edx, [si]; movbe ax, [si]; movbe [di], edx)
FORM(DATA, 0, bswap ecx; crc32 edx, byte ptr [si]; crc32 edx, word ptr [si]; crc32 eax, dword ptr [di])
FORM(DATA, 0, cmpxchg [si], cx; cmpxchg8b [di]; lock cmpxchg8b [si + 8]; cmpxchg [di + 2], bh)
FORM(DATA, EVENTS, movzx eax, bh; movsx cx, byte ptr [si]; movzx edx, word ptr [di]; cdq; cwde; cbw; cwd; movnti [si], eax)
FORM(DATA, 0, lahf; clc; cmc; stc; sahf; cld; nop; nop word ptr [bp + si + 77]; nop dword ptr [0x1234]; pause; lfence; prefetcht0 [bx])
FORM(DATA, 0, mov byte ptr [si], 5; mov word ptr [si + 2], 0x1234; mov dword ptr [si + 4], -2; test byte ptr [si], 9; test ax, 0x1234; mov ecx, 77; mov dh, 3)

/* ---- addresses ---- */
FORM("rcrcpppp", EVENTS, mov ax, [bx + si]; mov [bx + di + 5], ah; mov dl, [bp + si - 0x600]; mov bx, [bp - 3]; mov [bp], ecx)
FORM("rrrrpccp", 0, mov ax, [bp + si + 0x700]; mov [bp + di], cl; mov cx, [di + 0x123])
FORM(DATA, 0, mov ax, [0x710]; mov [0x720], al; mov al, [0x7ff]; mov [0x800], eax; add word ptr [0x777], 5; mov ecx, ss:[0x700])
FORM(DATA, EVENTS, lea ax, [bx + si + 7]; lea si, [bx + di]; lea ebx, [bx]; lea edi, [bp + di - 3]; lea ecx, [0x1234]; lea dx, [0x4321])
FORM(DATA, 0, lea eax, [ecx + edx * 4 + 77]; lea cx, [esi + edi])
FORM(DATA, MAY_INTERPRET, movzx esi, si; mov eax, [esi + 4]; mov [esi], cl; movzx ecx, cx; mov edx, [esi + 8]; add [esi + 12], bx)
FORM(DATA, 0, mov ax, ds:[bp]; mov cx, ss:[di]; mov dx, es:[bp + 2]; mov ss:[si + 4], ax)
FORM(DATA, EVENTS, mov eax, fs:[0x40]; add gs:[0x48], ax; mov bl, fs:[0x43]; mov fs:[0x51], cx; mov al, gs:[0x50])
FORM(DATA, EVENTS, and ax, 0xff; mov bx, si; xlatb; mov cl, al; es; xlatb)

/* ---- the stack ---- */
FORM(DATA, EVENTS, push ax; push 77; push word ptr [si]; pop cx; pop dx; push 0x1234; pop bx)
FORM(DATA, EVENTS, push eax; pushd 77; push dword ptr [si]; pop ecx; pop edx; push bx; pop si)
FORM(DATA, MAY_INTERPRET | EVENTS, push sp; pop ax; push cx; pop cx; push ds; pop dx; push fs; pop cx; push cs; pushd es; pop eax; push ax; pop sp)
FORM(DATA, EVENTS, pusha; pop ax; lea sp, [esp + 14])
FORM(DATA, EVENTS, pushad; pop eax; lea sp, [esp + 28])
FORM(DATA, EVENTS, push bp; mov bp, sp; sub sp, 16; mov [bp - 4], ax; leave)
FORM(DATA, EVENTS, leave; lea sp, [si + 64]; push cx)
FORM(DATA, 0, leaved; lea sp, [si + 64]; push ecx)
FORM(DATA, USES_INTERPRETER, enter 32, 2; mov [bp - 4], ax; leave)
FORM(DATA, USES_INTERPRETER, popa)

/* ---- strings ---- */
FORM(DATA, EVENTS, lodsb; lodsw; lodsd; mov cx, ax; std; lodsw; lodsb; lodsd; cld)
FORM(DATA, EVENTS, stosb; stosw; stosd; mov ax, di; std; stosd; stosb; cld)
FORM(DATA, EVENTS, movsb; movsw; movsd; std; movsb; movsd; cld; mov cx, di; mov dx, si)
FORM("rrrrppcp", 0, fs; lodsb; mov ax, [di]; addr32 stosb; ss; addr32 lodsb)

/* ---- segment registers ---- */
FORM(DATA, EVENTS, mov ax, ds; mov ecx, es; mov [si], ss; mov edx, cs; mov [di + 4], gs)
FORM(DATA, REAL | EVENTS, mov cx, 0x1234; mov fs, cx; mov dx, fs; mov gs, [si]; mov ax, gs; inc ax)
FORM(DATA, REAL | EVENTS, push 0x2345; pop fs; push fs; pushd 0x5678; pop gs; mov bx, gs; pop ax; lgs bx, [si]; lfs edx, [di]; inc bx)
FORM(DATA, REAL, data32 pop fs; data32 pop gs; lgs di, [di + 2]; lfs ebx, [bp + si - 0x600]; mov es, ax; mov ds, dx; mov cx, ds)
FORM(DATA, REAL | USES_INTERPRETER, lgs cx, [si]; mov ax, cx)

/* ---- what is the interpreter's ---- */
FORM(DATA, USES_INTERPRETER, mov ax, 0x0505; mov cx, 1; mov [si], ax; aaa; mov [di], ax; daa; mov dx, [di]; aam; aad)
FORM(DATA, USES_INTERPRETER, scasb; cmpsw; mov ax, cx)
FORM(DATA, USES_INTERPRETER, mov ax, ss; mov ss, ax; mov cx, 5)
FORM("rcrrpppp", USES_INTERPRETER, rep stosw; mov ax, [bp])
FORM(DATA, USES_INTERPRETER, pushf; pop cx; mov dx, [si])

/* ---- SIMD and x87 ---- */
FORM(DATA, EVENTS, movaps xmm0, [si]; addps xmm1, xmm0; movups [di + 3], xmm1; divpd xmm2, xmm1; movd eax, xmm2; cvtsi2sd xmm3, [di])
FORM(DATA, NEEDS_AVX | EVENTS, vaddps ymm0, ymm1, [si]; vpermq ymm3, ymm0, 0x1b; vmovdqu [di + 5], ymm3)
FORM(DATA, EVENTS, movq mm0, [si]; paddb mm0, mm1; movd eax, mm0; movq2dq xmm3, mm0)
FORM(DATA, EVENTS, fninit; fld1; fldpi; fadd st, st(1); fstp tbyte ptr [si])
FORM(DATA, 0, fnstcw [si]; and word ptr [si], 0xf3ff; or word ptr [si], 0x0800; fldcw [si]; fld1; fdiv dword ptr [di]; fnstsw ax)

/* ---- on two pages, and over the last offset ---- */
FORM("rrrrppyp", EVENTS | MAY_INTERPRET, mov ax, [si]; mov [si + 1], ecx; add dword ptr [si - 1], edx; mov bl, [si]; lock inc word ptr [si])
FORM("rrrrypyp", EVENTS | MAY_INTERPRET, push eax; push 5; push cx; pop edx; pop bx; pusha; push word ptr [si])
FORM(DATA, FAULTS, mov si, 0xffff; mov al, 5; mov cx, [si])
FORM(DATA, FAULTS, mov si, 0xfffd; mov al, 5; mov [si], ecx)

/* ---- registers that look-ups borrow ---- */
FORM(DATA, EVENTS, mov cx, [si]; mov [di], cx; mov ecx, [di + 4]; xchg cx, [si + 8]; add cx, [si]; mov [di], ch)

/* ---- branches ---- */
FORM(DATA, EVENTS, inc ax; jmp . + 0x1000)
FORM(DATA, EVENTS, jz . + 0x1000)
FORM(DATA, 0, data32 jz . + 0x1000)
FORM(DATA, 0, jl . + 0x10)
FORM(DATA, USES_INTERPRETER | FAULTS, inc ax; data32 jmp . + 0x100000)
FORM(DATA, EVENTS, call . + 0x1000)
FORM(DATA, 0, data32 call . + 0x1000)
FORM(DATA, TARGETS | EVENTS, ret)
FORM(DATA, TARGETS | EVENTS, ret 24)
FORM(DATA, TARGETS, ret 0xfff8)
FORM(DATA, EVENTS, call 1f; jmp 2f; 1: lea ax, [bx + di]; ret; 2: adc bx, cx)
FORM(DATA, 0, call 1f; 1: pop ax; push ax; mov bp, sp; mov cx, [bp])
FORM("trrrpppp", EVENTS, jmp ax)
FORM("rtrrpppp", 0, jmp cx)
FORM("rrrtpppp", EVENTS, call bx)
FORM(DATA, 0, call sp)
FORM(DATA, TARGETS, jmp [si])
FORM(DATA, TARGETS | EVENTS, call [si + 8])
FORM("rrrcpppp", TARGETS | EVENTS, jmp [bx + si + 0x40])
FORM(DATA, TARGETS, call fs:[0x40])
FORM("rtrrpppp", USES_INTERPRETER, movzx ecx, cx; .byte 0x66, 0xff, 0xe1)
FORM("rcrrpppp", EVENTS, 1: add ax, cx; loop 1b)
FORM("rcrrpppp", EVENTS, 1: sub dx, dx; loope 1b)
FORM("rcrrpppp", 0, 1: add al, cl; loopne 1b)
FORM("rcrrpppp", EVENTS, 1: add ax, cx; addr32 loop 1b)
FORM("rzrrpppp", EVENTS, jcxz . + 0x20)
FORM("rcrrpppp", EVENTS, jcxz . + 0x20)
FORM("rzrrpppp", 0, jecxz . + 0x20)
FORM(DATA, USES_INTERPRETER, inc cx; int3)
FORM(DATA, USES_INTERPRETER, int 0x10)

/* ---- exceptions ---- */
FORM("rrrrppxp", FAULTS, inc ax; mov cx, [si])
FORM("rrrrppxp", FAULTS, inc ax; add [si], ecx)
FORM("rrrrxppp", FAULTS, push ax)
FORM("rrrrxppp", FAULTS, pop ax)
FORM("rrrrxppp", FAULTS, call . + 0x1000)
FORM("rrrrxppp", FAULTS, ret)
FORM("rrrrppxp", FAULTS, jmp [si + 8])
FORM("rrrrpxpp", FAULTS, inc ax; leave)
FORM("rrrrxppp", FAULTS, pusha)
FORM(DATA, FAULTS, inc ax; mov ecx, gs:[0xffd])
FORM("rzrrpppp", FAULTS, inc ax; xor bx, bx; div bx)
FORM(DATA, FAULTS | USES_INTERPRETER, inc ax; ud2)

    .section .data.rel.ro.forms, "aw"
forms16_end:
    .code64
    .section .note.GNU-stack, "", @progbits
