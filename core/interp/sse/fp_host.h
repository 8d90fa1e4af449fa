/*
 * Floating point by the x86-64 host's own SSE2 instructions, through inline assembly: compilers
 * would commute operands (a NaN of the first wins) and move or drop what sets flags. host_NAME for
 * each name of fp_soft.h; right only while all exceptions are masked.
 */
#ifndef CORE_INTERP_SSE_FP_HOST_H
#define CORE_INTERP_SSE_FP_HOST_H

#include "interp/sse/fp_soft.h"

#define HOST_BINARY(name)                                                                          \
  static inline vec host_##name(vec a, vec b) {                                                    \
    __asm__ volatile(#name " %1, %0" : "+x"(a) : "x"(b));                                          \
    return a;                                                                                      \
  }
#define HOST_UNARY(name)                                                                           \
  static inline vec host_##name(vec b) {                                                           \
    vec r;                                                                                         \
    __asm__ volatile(#name " %1, %0" : "=x"(r) : "x"(b));                                          \
    return r;                                                                                      \
  }
#define HOST_TO_INT(name, T)                                                                       \
  static inline T host_##name(vec b) {                                                             \
    T r;                                                                                           \
    __asm__ volatile(#name " %1, %0" : "=r"(r) : "x"(b));                                          \
    return r;                                                                                      \
  }
#define HOST_FROM_INT(name, T)                                                                     \
  static inline vec host_##name(vec a, T v) {                                                      \
    __asm__ volatile(#name " %1, %0" : "+x"(a) : "r"(v));                                          \
    return a;                                                                                      \
  }
#define HOST_PREDICATE(name, type)                                                                 \
  static inline vec host_##name(vec a, vec b, uint32_t predicate) {                                \
    switch (predicate & 7) {                                                                       \
    case 0: __asm__ volatile("cmpeq" #type " %1, %0" : "+x"(a) : "x"(b)); break;                   \
    case 1: __asm__ volatile("cmplt" #type " %1, %0" : "+x"(a) : "x"(b)); break;                   \
    case 2: __asm__ volatile("cmple" #type " %1, %0" : "+x"(a) : "x"(b)); break;                   \
    case 3: __asm__ volatile("cmpunord" #type " %1, %0" : "+x"(a) : "x"(b)); break;                \
    case 4: __asm__ volatile("cmpneq" #type " %1, %0" : "+x"(a) : "x"(b)); break;                  \
    case 5: __asm__ volatile("cmpnlt" #type " %1, %0" : "+x"(a) : "x"(b)); break;                  \
    case 6: __asm__ volatile("cmpnle" #type " %1, %0" : "+x"(a) : "x"(b)); break;                  \
    default: __asm__ volatile("cmpord" #type " %1, %0" : "+x"(a) : "x"(b)); break;                 \
    }                                                                                              \
    return a;                                                                                      \
  }
#define HOST_COMPARE(name)                                                                         \
  static inline uint32_t host_##name(vec a, vec b) {                                               \
    bool z, p, c;                                                                                  \
    __asm__ volatile(#name " %4, %3" : "=@ccz"(z), "=@ccp"(p), "=@ccc"(c) : "x"(a), "x"(b));       \
    return (z ? VFP_ZF : 0) | (p ? VFP_PF : 0) | (c ? VFP_CF : 0);                                 \
  }
VFP_BINARY(HOST_BINARY)
VFP_UNARY(HOST_UNARY)
VFP_APPROXIMATE(HOST_BINARY, HOST_UNARY)
VFP_TO_INT(HOST_TO_INT)
VFP_FROM_INT(HOST_FROM_INT)
VFP_PREDICATE(HOST_PREDICATE)
VFP_COMPARE(HOST_COMPARE)

#endif
