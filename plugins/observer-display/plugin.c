/*
 * observer-display: what a machine shows, without a window. Arguments: text (the screen, when the
 * machine ends, as lines), ansi (all along, as on a terminal), file=PATH (the screen when the
 * machine ends, PATH ends with .txt or .png). To the machine's console. Timer handlers run with the
 * bus lock held; otherwise the main thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <blink/bus.h>
#include <blink/host.h>
#include <blink/observer.h>

#include "show.h"

#define FRAME_NS UINT64_C(40000000)

struct blink_plugin {
    const struct blink_host *host;
    struct blink_bus_iface bus;
    struct blink_display_iface display;
    bool text, ansi;
    char *path; /* NULL: none */
    uint32_t timer;
    uint64_t shown; /* generation of what the terminal shows */
    bool begun;
    struct blink_screen screen, before;
};

static bool take_picture(struct blink_plugin *d) {
    return d->display.snapshot(d->host->machine, 0, &d->screen) == 0;
}

static void send(struct blink_plugin *d, struct output *out) {
    if (out->size && !out->failed)
        d->bus.console_write(d->host->machine, out->bytes, out->size);
    free(out->bytes);
}

/* ---- all along ---- */

static void refresh(struct blink_plugin *d) {
    struct output out = {0};
    uint64_t generation = d->display.generation(d->host->machine);
    if (d->begun && generation == d->shown)
        return;
    if (!take_picture(d))
        return;
    text_changes(d->begun ? &d->before : NULL, &d->screen, &out);
    send(d, &out);
    d->before = d->screen;
    d->shown = generation;
    d->begun = true;
}

static void due(struct blink_plugin *d, void *arg) {
    struct blink_machine *m = d->host->machine;
    (void)arg;
    d->timer = 0;
    refresh(d);
    if (d->bus.timer_start(m, d, d->bus.now(m) + FRAME_NS, due, NULL, &d->timer))
        d->timer = 0;
}

/* ---- at the end ---- */

static int write_file(const char *path, const char *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), rc = 0;
    if (fd < 0)
        return -errno;
    while (size && rc == 0) {
        ssize_t n = write(fd, bytes, size);
        if (n < 0 && errno != EINTR)
            rc = -errno;
        bytes += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    if (close(fd) && rc == 0)
        rc = -errno;
    return rc;
}

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), k = strlen(end);
    return n > k && !strcmp(text + n - k, end);
}

static int save_text(struct blink_plugin *d) {
    struct output out = {0};
    if (d->screen.kind == BLINK_SCREEN_PIXELS)
        return -ENODATA;
    text_lines(&d->screen, &out);
    int rc = out.failed ? -ENOMEM : write_file(d->path, out.bytes, out.size);
    free(out.bytes);
    return rc;
}

static void save(struct blink_plugin *d) {
    bool text = ends_with(d->path, ".txt");
    int rc = text ? save_text(d) : png_write(&d->screen, d->path);
    if (rc)
        blink_log(d->host, BLINK_LOG_ERROR, "display: %s: %s", d->path,
                  rc != -ENODATA ? strerror(-rc)
                  : text         ? "the screen shows graphics; name a .png"
                                 : "the screen shows nothing");
}

static void print(struct blink_plugin *d) {
    struct output out = {0};
    if (d->screen.kind == BLINK_SCREEN_PIXELS)
        blink_log(d->host, BLINK_LOG_WARN,
                  "display: the screen shows graphics, %u x %u; see --screenshot", d->screen.width,
                  d->screen.height);
    text_lines(&d->screen, &out);
    send(d, &out);
}

static void finish(struct blink_plugin *d) {
    if (d->ansi) {
        struct output out = {0};
        refresh(d);
        text_leave(&d->before, &out);
        send(d, &out);
    }
    if (!d->text && !d->path)
        return;
    if (!take_picture(d)) {
        blink_log(d->host, BLINK_LOG_WARN, "display: the machine has no display");
        return;
    }
    if (d->text)
        print(d);
    if (d->path)
        save(d);
}

/* ---- life ---- */

static void display_destroy(struct blink_plugin *d) {
    if (d)
        free(d->path);
    free(d);
}

static int refuse(struct blink_plugin *d, const char *word, const char *why) {
    blink_log(d->host, BLINK_LOG_ERROR, "display: %s: %s", word, why);
    return -EINVAL;
}

static int take_path(struct blink_plugin *d, const char *path) {
    bool png = ends_with(path, ".png");
    if (!png && !ends_with(path, ".txt"))
        return refuse(d, path, "its name ends neither with .png nor with .txt");
    if (png && !png_can())
        return refuse(d, path, "this blink was built without libpng; name a .txt");
    d->path = strdup(path);
    return d->path ? 0 : -ENOMEM;
}

/* Words with commas between them; a file is the last one, its name may have commas. */
static int configure(struct blink_plugin *d, const char *args) {
    while (*args) {
        size_t n = strcspn(args, ",");
        if (!strncmp(args, "file=", 5))
            return take_path(d, args + 5);
        if (n == 4 && !strncmp(args, "text", n))
            d->text = true;
        else if (n == 4 && !strncmp(args, "ansi", n))
            d->ansi = true;
        else
            return refuse(d, args, "not an argument; give text, ansi or file=PATH");
        args += n + (args[n] != 0);
    }
    return 0;
}

static int display_create(const struct blink_host *host, const char *args,
                          struct blink_plugin **out) {
    struct blink_plugin *d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->host = host;
    int rc = blink_service(host, "observer display", BLINK_IFACE_BUS, &d->bus, sizeof d->bus);
    if (rc == 0)
        rc = blink_service(host, "observer display", BLINK_IFACE_DISPLAY, &d->display,
                           sizeof d->display);
    if (rc == 0)
        rc = configure(d, args);
    if (rc)
        display_destroy(d);
    else
        *out = d;
    return rc;
}

static int display_activate(struct blink_plugin *d) {
    struct blink_machine *m = d->host->machine;
    if (!d->ansi)
        return 0;
    return d->bus.timer_start(m, d, d->bus.now(m), due, NULL, &d->timer);
}

static void display_deactivate(struct blink_plugin *d) {
    d->bus.timer_cancel(d->host->machine, d->timer);
    d->timer = 0;
    finish(d);
}

static const struct blink_observer_ops display_ops = {
    .plugin =
        {
            .struct_size = sizeof display_ops,
            .create = display_create,
            .destroy = display_destroy,
            .activate = display_activate,
            .deactivate = display_deactivate,
        },
};

static const struct blink_manifest display_manifest = {
    .struct_size = sizeof display_manifest,
    .kind = BLINK_KIND_OBSERVER,
    .name = "display",
    .version = "0.1.0",
    .summary = "the screen as text, on a terminal, or in a file",
    .licence = "ISC",
    .vtable = &display_ops,
};

BLINK_PLUGIN_DEFINE(&display_manifest);
