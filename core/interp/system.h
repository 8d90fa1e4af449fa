/*
 * What system.c takes from the SSE family: FXSAVE and the XSAVE instructions.
 */
#ifndef CORE_INTERP_SYSTEM_H
#define CORE_INTERP_SYSTEM_H

#include "interp/handler.h"

interp_binder INTERP_FN(bind_xsave);

#endif
