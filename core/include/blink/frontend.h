/*
 * Kind "frontend": a client of the debug service that shows or steers a machine.
 */
#ifndef BLINK_FRONTEND_H
#define BLINK_FRONTEND_H

#include "debug.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct blink_frontend_ops {
    struct blink_plugin_ops plugin;
    /* Run the machine to its end, or until the person quits: called once on the main thread,
     * vCPUs run on others. Returns the exit status. [main] */
    int32_t (*run)(struct blink_plugin *self);
};

#ifdef __cplusplus
}
#endif

#endif
