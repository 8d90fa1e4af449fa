/*
 * What system.c takes from the SSE family: FXSAVE and the XSAVE instructions.
 */
#ifndef CORE_INTERP_SYSTEM_H
#define CORE_INTERP_SYSTEM_H

#include "interp/handler.h"

interp_binder INTERP_FN(bind_xsave);
/* XCR0 of the components that are not as after reset: XGETBV with ECX 1. */
uint64_t INTERP_FN(components_in_use)(const struct blink_cpu *cpu);

#endif
