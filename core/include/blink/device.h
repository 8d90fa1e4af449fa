/*
 * Kind "device": hardware. A device claims its ranges in activate() by the bus service (bus.h)
 * and gives them up in deactivate().
 */
#ifndef BLINK_DEVICE_H
#define BLINK_DEVICE_H

#include "bus.h"
#include "plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

struct blink_device_ops {
    struct blink_plugin_ops plugin;
    /* Put the device into the state after power-on; called once before the machine runs and at
     * each reset. Optional. [main] [safepoint] */
    void (*reset)(struct blink_plugin *self);
};

#ifdef __cplusplus
}
#endif

#endif
