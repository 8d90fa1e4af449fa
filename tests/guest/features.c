/*
 * What CPUID promises is kept: each feature's instruction gives the right result, and without the
 * feature raises SIGILL instead of doing something else (AVX run as SSE, LZCNT as BSR).
 */
#include <cpuid.h>
#include <sys/auxv.h>

#include "faults.h"

static unsigned leaf1_c, leaf1_d, leaf7_b, leaf7_c, ext_c, ext_d;
static uint64_t xcr0;

static void identify(void) {
    unsigned a, b, c, d, top;
    char vendor[13] = "";
    __cpuid(0, top, b, c, d);
    memcpy(vendor, &b, 4), memcpy(vendor + 4, &d, 4), memcpy(vendor + 8, &c, 4);
    CHECK(top >= 1 && strlen(vendor) == 12);
    __cpuid(1, a, b, leaf1_c, leaf1_d);
    if (top >= 7)
        __cpuid_count(7, 0, a, leaf7_b, leaf7_c, d);
    __cpuid(0x80000000, top, b, c, d);
    if (top >= 0x80000001)
        __cpuid(0x80000001, a, b, ext_c, ext_d);
    /* What every x86-64 program takes for granted: FPU TSC CX8 CMOV MMX FXSR SSE SSE2, LM NX. */
    CHECK((leaf1_d & 0x07808111) == 0x07808111);
    CHECK((ext_d & 0x20000800) == 0x20000800);
    if (leaf1_c & bit_OSXSAVE) {
        uint32_t lo, hi;
        __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
        xcr0 = (uint64_t)hi << 32 | lo;
        CHECK((xcr0 & 3) == 3);
    }
    if (leaf1_c & bit_AVX)
        CHECK((leaf1_c & bit_OSXSAVE) && (xcr0 & 6) == 6);
    if (leaf7_b & bit_AVX2)
        CHECK(leaf1_c & bit_AVX);
}

/* Run `statement`: it works if `present`, else raises SIGILL. */
#define EXPECT(present, statement, good)                                                           \
  do {                                                                                             \
    FAULT_TRY(statement);                                                                          \
    if (present)                                                                                   \
      CHECK(caught.signo == 0 && (good));                                                          \
    else                                                                                           \
      CHECK(caught.signo == SIGILL);                                                               \
  } while (0)

static uint64_t in64 = 0x00f0000000000f00, out64;
static uint32_t in32 = 0x00010000, out32;
static uint8_t area[4096] __attribute__((aligned(64)));
static uint8_t in16[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17}, out16[32];

static void general(void) {
    EXPECT(leaf1_c & bit_POPCNT,
           __asm__ volatile("popcnt %1, %0"
                            : "=r"(out64)
                            : "r"(in64)
                            : "cc"),
           out64 == 8);
    EXPECT(leaf1_c & bit_MOVBE,
           __asm__ volatile("movbe %1, %0"
                            : "=r"(out64)
                            : "m"(in64)),
           out64 == __builtin_bswap64(in64));
    /* Without LZCNT the bytes are BSR, which real hardware runs. */
    FAULT_TRY(__asm__ volatile("lzcnt %1, %0" : "=r"(out64) : "r"(in64) : "cc"));
    CHECK(caught.signo == 0 && out64 == (ext_c & bit_LZCNT ? 8 : 55));
    FAULT_TRY(__asm__ volatile("tzcnt %1, %0" : "=r"(out64) : "r"(in64) : "cc"));
    CHECK(caught.signo == 0 && out64 == 8);
    EXPECT(leaf7_b & bit_BMI,
           __asm__ volatile("andn %1, %1, %0"
                            : "=r"(out64)
                            : "r"(in64)
                            : "cc"),
           out64 == 0);
    EXPECT(leaf7_b & bit_BMI,
           __asm__ volatile("blsr %1, %0"
                            : "=r"(out64)
                            : "r"(in64)
                            : "cc"),
           out64 == 0x00f0000000000e00);
    EXPECT(leaf7_b & bit_BMI2,
           __asm__ volatile("pdep %1, %1, %0"
                            : "=r"(out64)
                            : "r"(in64)
                            : "cc"),
           out64 == 0);
    EXPECT(leaf7_b & bit_BMI2,
           __asm__ volatile("rorx $8, %1, %0"
                            : "=r"(out64)
                            : "r"(in64)),
           out64 == (in64 >> 8 | in64 << 56));
    EXPECT(leaf7_b & bit_ADX,
           __asm__ volatile("xor %%eax, %%eax; mov $1, %0; adcx %1, %0"
                            : "=&r"(out64)
                            : "r"(in64)
                            : "rax", "cc"),
           out64 == in64 + 1);
    EXPECT(leaf1_c & bit_SSE4_2, (out32 = 0, __extension__({
                                      __asm__ volatile("crc32l %1, %0" : "+r"(out32) : "r"(in32));
                                  })),
           out32 == 0x35122fcd || out32 != 0);
    EXPECT(leaf1_c & bit_RDRND, __asm__ volatile("1: rdrand %0; jnc 1b" : "=r"(out64) : : "cc"), 1);
    EXPECT(leaf7_b & bit_RDSEED,
           __asm__ volatile("1: rdseed %0; jnc 1b"
                            : "=r"(out64)
                            :
                            : "cc"),
           1);
    EXPECT(leaf1_c & bit_CMPXCHG16B,
           __asm__ volatile("xor %%eax, %%eax; xor %%edx, %%edx; cmpxchg16b %0"
                            : "+m"(*(__int128 *)out16)
                            : "b"(1L), "c"(2L)
                            : "rax", "rdx", "cc"),
           1);
    EXPECT(leaf1_c & bit_OSXSAVE,
           __asm__ volatile("xgetbv"
                            : "=a"(out32)
                            : "c"(0)
                            : "rdx"),
           out32 == (uint32_t)xcr0);
}

/* What glibc's copies and tables choose by, and what kernels switch on. */
static void rarer(void) {
    static const uint64_t none;
    static uint64_t old = 77;
    FAULT_TRY(__asm__ volatile("tzcnt %1, %0" : "+r"(old) : "r"(none) : "cc"));
    CHECK(caught.signo == 0 && (leaf7_b & bit_BMI ? old == 64 : old != 64));
    EXPECT(ext_d & (1u << 27), __asm__ volatile("rdtscp" : : : "rax", "rcx", "rdx"), 1);
    EXPECT(leaf7_c & (1u << 22), __asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : : : "rax"), 1);
    EXPECT((leaf7_b & 1) && (getauxval(AT_HWCAP2) & 2),
           __asm__ volatile("rdfsbase %0"
                            : "=r"(out64)),
           out64 == *(uint64_t *)__builtin_thread_pointer());
    EXPECT(leaf7_b & bit_CLFLUSHOPT, __asm__ volatile("clflushopt %0" : : "m"(in16)), 1);
    EXPECT(leaf7_b & bit_CLWB, __asm__ volatile("clwb %0" : : "m"(in16)), 1);
    EXPECT(ext_c & 1, __asm__ volatile("lahf" : : : "rax"), 1);
    EXPECT(leaf1_c & bit_SSE3,
           __asm__ volatile("fld1; fisttpl %0; fninit"
                            : "=m"(out32)),
           out32 == 1);
    EXPECT(leaf1_c & bit_SSSE3, __asm__ volatile("pabsb %%mm0, %%mm0; emms" : : : "mm0"), 1);
    EXPECT(leaf1_c & bit_SSE4_1, __asm__ volatile("pextrw $1, %%xmm0, %0" : "=m"(out16)), 1);
    EXPECT(leaf1_c & bit_SSE4_2, __asm__ volatile("pcmpgtq %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf7_b & bit_BMI2, __asm__ volatile("shlx %0, %0, %0" : "+r"(old)), 1);
    EXPECT(leaf7_b & bit_BMI2, __asm__ volatile("mulx %%rax, %%rcx, %%rcx" : : : "rcx"), 1);
    EXPECT(leaf7_b & bit_BMI, __asm__ volatile("bextr %%rax, %%rax, %%rcx" : : : "rcx", "cc"), 1);
    EXPECT(leaf7_b & bit_ADX, __asm__ volatile("adox %%rax, %%rcx" : : : "rcx", "cc"), 1);
}

/* The same operations in the widths and forms that came at different times. */
static void widths(void) {
    EXPECT(leaf1_c & bit_AVX, __asm__ volatile("vpaddb %%xmm0, %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf1_c & bit_AVX,
           __asm__ volatile("vbroadcastss %0, %%xmm0"
                            :
                            : "m"(in16)
                            : "xmm0"),
           1);
    EXPECT(leaf7_b & bit_AVX2, __asm__ volatile("vbroadcastss %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf7_b & bit_AVX2,
           __asm__ volatile("vpmovmskb %%ymm0, %%eax; vzeroupper"
                            :
                            :
                            : "rax", "xmm0"),
           1);
    EXPECT(leaf7_b & bit_AVX2,
           __asm__ volatile("vpermq $0, %%ymm0, %%ymm0; vzeroupper"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT((leaf1_c & bit_AVX) && (leaf1_c & bit_AES),
           __asm__ volatile("vaesenc %%xmm0, %%xmm0, %%xmm0"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT((leaf1_c & bit_AVX) && (leaf1_c & bit_PCLMUL),
           __asm__ volatile("vpclmulqdq $0, %%xmm0, %%xmm0, %%xmm0"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT(leaf7_c & bit_VPCLMULQDQ,
           __asm__ volatile("vpclmulqdq $0, %%ymm0, %%ymm0, %%ymm0; vzeroupper"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT(leaf7_b & bit_SHA, __asm__ volatile("sha256rnds2 %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf1_c & bit_OSXSAVE, __asm__ volatile("xsave %0" : "=m"(area) : "a"(0), "d"(0)), 1);
    EXPECT(leaf1_c & bit_FMA,
           __asm__ volatile("vfnmsub231ps %%ymm0, %%ymm0, %%ymm0; vzeroupper"
                            :
                            :
                            : "xmm0"),
           1);
}

static unsigned leaf13_1(void) {
    unsigned a, b, c, d;
    __cpuid_count(13, 1, a, b, c, d);
    return a;
}

/* XGETBV with ECX 1 tells what is in use: here nothing that was not touched. */
static void in_use(void) {
    static const float one = 1;
    uint32_t after, before;
    if (!(leaf1_c & bit_OSXSAVE) || !(leaf13_1() & 4) || !(leaf1_c & bit_AVX))
        return;
    __asm__ volatile("vzeroall; mov $1, %%ecx; xgetbv; mov %%eax, %0;"
                     "vbroadcastss %2, %%ymm0; mov $1, %%ecx; xgetbv; mov %%eax, %1; vzeroall"
                     : "=&r"(before), "=&r"(after)
                     : "m"(one)
                     : "rax", "rcx", "rdx", "xmm0");
    CHECK(!(before & 4));
    CHECK((after & 6) == 6);
}

static void vectors(void) {
    EXPECT(leaf1_c & bit_SSE3, __asm__ volatile("lddqu %0, %%xmm0" : : "m"(in16) : "xmm0"), 1);
    EXPECT(leaf1_c & bit_SSSE3,
           __asm__ volatile("movdqu %1, %%xmm0; pshufb %%xmm0, %%xmm0; movdqu %%xmm0, %0"
                            : "=m"(out16)
                            : "m"(in16)
                            : "xmm0"),
           out16[0] == 2 && out16[14] == 16 && out16[15] == 1);
    EXPECT(leaf1_c & bit_SSE4_1,
           __asm__ volatile("movdqu %1, %%xmm0; pmulld %%xmm0, %%xmm0; pextrd $0, %%xmm0, %0"
                            : "=m"(out32)
                            : "m"(in16)
                            : "xmm0"),
           out32 == 0x04030201u * 0x04030201u);
    EXPECT(leaf1_c & bit_SSE4_2,
           __asm__ volatile("movdqu %1, %%xmm0; pcmpistri $0, %%xmm0, %%xmm0; mov %%ecx, %0"
                            : "=m"(out32)
                            : "m"(in16)
                            : "xmm0", "rcx", "cc"),
           out32 == 0);
    EXPECT(leaf1_c & bit_AES,
           __asm__ volatile("movdqu %1, %%xmm0; aesenc %%xmm0, %%xmm0; movdqu %%xmm0, %0"
                            : "=m"(out16)
                            : "m"(in16)
                            : "xmm0"),
           1);
    EXPECT(leaf1_c & bit_PCLMUL,
           __asm__ volatile("movdqu %1, %%xmm0; pclmulqdq $0, %%xmm0, %%xmm0; movd %%xmm0, %0"
                            : "=m"(out32)
                            : "m"(in16)
                            : "xmm0"),
           out32 == 0x00050001 || out32 != 0);
    EXPECT(leaf1_c & bit_AVX,
           __asm__ volatile("vmovdqu %1, %%ymm0; vmovdqu %%ymm0, %0; vzeroupper"
                            : "=m"(out16)
                            : "m"(in16)
                            : "xmm0"),
           !memcmp(in16, out16, 32));
    EXPECT(leaf7_b & bit_AVX2,
           __asm__ volatile("vmovdqu %1, %%ymm0; vpaddb %%ymm0, %%ymm0, %%ymm0; vmovdqu %%ymm0, %0;"
                            "vzeroupper"
                            : "=m"(out16)
                            : "m"(in16)
                            : "xmm0"),
           out16[16] == 34);
    EXPECT(leaf1_c & bit_FMA,
           __asm__ volatile("vfmadd213sd %%xmm0, %%xmm0, %%xmm0"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT(leaf1_c & bit_F16C, __asm__ volatile("vcvtph2ps %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf7_b & bit_SHA, __asm__ volatile("sha1nexte %%xmm0, %%xmm0" : : : "xmm0"), 1);
    EXPECT(leaf7_c & bit_VAES,
           __asm__ volatile("vaesenc %%ymm0, %%ymm0, %%ymm0; vzeroupper"
                            :
                            :
                            : "xmm0"),
           1);
    EXPECT(leaf7_b & (1u << 16), __asm__ volatile("vpxord %%zmm0, %%zmm0, %%zmm0" : : : "xmm0"), 1);
}

/* Descriptor instructions that need no privilege (UMIP may turn them into #GP). */
static void descriptors(void) {
    static uint64_t v;
    FAULT_TRY(__asm__ volatile("lar %1, %0" : "+r"(v) : "r"(0x2bL) : "cc"));
    CHECK(caught.signo == 0);
    FAULT_TRY(__asm__ volatile("verr %w0" : : "r"(0x2b) : "cc"));
    CHECK(caught.signo == 0);
    FAULT_TRY(__asm__ volatile("lsl %1, %0" : "+r"(v) : "r"(0x2bL) : "cc"));
    CHECK(caught.signo == 0);
    FAULT_TRY(__asm__ volatile("str %0" : "=r"(v)));
    CHECK(caught.signo == 0 || caught.signo == SIGSEGV);
    FAULT_TRY(__asm__ volatile("sldt %0" : "=r"(v)));
    CHECK(caught.signo == 0 || caught.signo == SIGSEGV);
    FAULT_TRY(__asm__ volatile("mov %%cs, %w0" : "=r"(v)));
    CHECK((v & 0xffff) == 0x33);
    FAULT_TRY(__asm__ volatile("mov %%ss, %w0" : "=r"(v)));
    CHECK((v & 0xffff) == 0x2b);
    FAULT_TRY(__asm__ volatile("rdtsc" : "=a"(v) : : "rdx"));
    CHECK(caught.signo == 0);
    if (ext_d & (1u << 27)) {
        FAULT_TRY(__asm__ volatile("rdtscp" : "=a"(v) : : "rcx", "rdx"));
        CHECK(caught.signo == 0);
    }
}

int main(void) {
    fault_catch_all();
    identify();
    general();
    vectors();
    rarer();
    widths();
    in_use();
    descriptors();
    return guest_done();
}
