/*
 * observer-display against the fake host and an adapter of the test's: lines, what a terminal is
 * sent, and files.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <blink/observer.h>

#include "fakehost.h"

#define FRAME 40000000

struct fixture {
    struct fakehost *fh;
    const struct blink_observer_ops *ops;
    struct blink_plugin *display;
    char folder[32], path[64];
};

/* What the adapter shows. */
static struct blink_screen shown;

static void render(struct blink_plugin *self, struct blink_screen *out) {
    (void)self;
    *out = shown;
}

static void put(uint32_t x, uint32_t y, const char *text, uint8_t attribute) {
    for (uint32_t k = 0; text[k]; k++)
        shown.cells[y * shown.width + x + k] = (uint16_t)((uint8_t)text[k] | attribute << 8);
}

static int setup(void **state) {
    static struct fixture f;
    f.fh = fakehost_create();
    f.ops = fakehost_find(&blink_plugin_entry, BLINK_KIND_OBSERVER, "display");
    f.display = NULL;
    strcpy(f.folder, "/tmp/test-display-XXXXXX");
    if (!f.ops || !mkdtemp(f.folder))
        return -1;
    memset(&shown, 0, sizeof shown);
    shown.kind = BLINK_SCREEN_TEXT;
    shown.width = 10;
    shown.height = 4;
    shown.font_height = 16;
    shown.flags = BLINK_SCREEN_BLINKS;
    shown.cursor = BLINK_SCREEN_NO_CURSOR;
    shown.palette[7] = 0xaaaaaa;
    for (uint32_t k = 0; k < 40; k++)
        shown.cells[k] = 0x0720;
    fakehost_display_iface.attach(fakehost_machine(f.fh), NULL, render);
    *state = &f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    f->ops->plugin.destroy(f->display);
    fakehost_destroy(f->fh);
    unlink(f->path);
    rmdir(f->folder);
    return 0;
}

static void begin(struct fixture *f, const char *args) {
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), args, &f->display), 0);
    assert_int_equal(f->ops->plugin.activate(f->display), 0);
}

static void change(struct fixture *f) {
    fakehost_display_iface.changed(fakehost_machine(f->fh), NULL);
    fakehost_console_clear(f->fh);
    fakehost_advance(f->fh, FRAME);
}

static void begin_file(struct fixture *f, const char *name) {
    char args[80];
    snprintf(f->path, sizeof f->path, "%s/%s", f->folder, name);
    snprintf(args, sizeof args, "file=%s", f->path);
    begin(f, args);
}

static size_t read_file(struct fixture *f, uint8_t *out, size_t size) {
    FILE *in = fopen(f->path, "rb");
    assert_non_null(in);
    size_t n = fread(out, 1, size - 1, in);
    fclose(in);
    out[n] = 0;
    return n;
}

static void test_lines(void **state) {
    struct fixture *f = *state;
    begin(f, "text");
    put(0, 0, "Hi", 7);
    put(2, 2, "\xc9\xe1\x01", 7);
    shown.cells[23] = 0x0700;
    shown.cells[9] = 0x07ff;
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_console(f->fh, NULL), "Hi\n\n  ╔ ☺\n");
}

static void test_nothing_to_print(void **state) {
    struct fixture *f = *state;
    begin(f, "text");
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    shown.kind = BLINK_SCREEN_PIXELS;
    f->ops->plugin.activate(f->display);
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    assert_string_equal(fakehost_log(f->fh),
                        "display: the screen shows graphics, 10 x 4; see --screenshot\n");
    fakehost_log_clear(f->fh);
    fakehost_display_iface.detach(fakehost_machine(f->fh), NULL);
    f->ops->plugin.activate(f->display);
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_log(f->fh), "display: the machine has no display\n");
}

static void test_terminal(void **state) {
    struct fixture *f = *state;
    begin(f, "ansi");
    put(0, 0, "A", 0x1e);
    shown.width = 2;
    shown.height = 1;
    fakehost_advance(f->fh, 0);
    assert_string_equal(fakehost_console(f->fh, NULL),
                        "\033[0m\033[2J\033[H\033[1;1H\033[0;93;44mA\033[0;37;40m \033[?25l");
    /* Nothing new, nothing sent. */
    fakehost_console_clear(f->fh);
    fakehost_advance(f->fh, 10 * FRAME);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    change(f);
    assert_string_equal(fakehost_console(f->fh, NULL), "");
    /* One cell; blinking. */
    put(1, 0, "B", 0xc2);
    change(f);
    assert_string_equal(fakehost_console(f->fh, NULL), "\033[1;2H\033[0;5;32;41mB\033[?25l");
    /* The cursor alone. */
    shown.cursor = 1;
    change(f);
    assert_string_equal(fakehost_console(f->fh, NULL), "\033[1;2H\033[?25h");
    /* Bright papers; the whole screen is drawn anew. */
    shown.flags = 0;
    change(f);
    assert_non_null(strstr(fakehost_console(f->fh, NULL), "\033[2J"));
    assert_non_null(strstr(fakehost_console(f->fh, NULL), "\033[0;32;101mB"));
    shown.flags = BLINK_SCREEN_MONO;
    put(0, 0, "X", 0x70);
    put(1, 0, "Y", 0x09);
    change(f);
    assert_non_null(strstr(fakehost_console(f->fh, NULL), "\033[0;7mX\033[0;1;4mY"));
    shown.kind = BLINK_SCREEN_PIXELS;
    change(f);
    assert_non_null(strstr(fakehost_console(f->fh, NULL), "[graphics, 2 x 1]"));
    fakehost_console_clear(f->fh);
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_console(f->fh, NULL), "\033[0m\033[?25h\033[1;1H\r\n");
    assert_int_equal(fakehost_timers(f->fh), 0);
}

static void test_text_file(void **state) {
    struct fixture *f = *state;
    uint8_t got[64];
    begin_file(f, "a,b.txt");
    put(0, 1, "x", 7);
    f->ops->plugin.deactivate(f->display);
    read_file(f, got, sizeof got);
    assert_string_equal((char *)got, "\nx\n");
    shown.kind = BLINK_SCREEN_PIXELS;
    f->ops->plugin.activate(f->display);
    f->ops->plugin.deactivate(f->display);
    assert_non_null(strstr(fakehost_log(f->fh), ": the screen shows graphics; name a .png\n"));
}

static void test_no_such_folder(void **state) {
    struct fixture *f = *state;
    begin(f, "file=/no/such/folder/x.txt");
    f->ops->plugin.deactivate(f->display);
    assert_string_equal(fakehost_log(f->fh),
                        "display: /no/such/folder/x.txt: No such file or directory\n");
}

#ifdef HAVE_PNG
  #include <png.h>

static uint32_t point(const uint8_t *rgb, uint32_t width, uint32_t x, uint32_t y) {
    rgb += (y * width + x) * 3;
    return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* The file as points; the caller frees them. */
static uint8_t *read_png(struct fixture *f, uint32_t *width, uint32_t *height) {
    png_image image = {.version = PNG_IMAGE_VERSION};
    assert_true(png_image_begin_read_from_file(&image, f->path));
    image.format = PNG_FORMAT_RGB;
    uint8_t *rgb = malloc(PNG_IMAGE_SIZE(image));
    assert_true(png_image_finish_read(&image, NULL, rgb, 0, NULL));
    *width = image.width;
    *height = image.height;
    return rgb;
}

static void test_png_of_text(void **state) {
    struct fixture *f = *state;
    uint32_t w, h;
    begin_file(f, "a.png");
    put(1, 1, "\xdb", 7); /* a block */
    shown.flags |= BLINK_SCREEN_WIDE_CELL;
    shown.cursor = 0;
    shown.cursor_first = 14;
    shown.cursor_last = 15;
    f->ops->plugin.deactivate(f->display);
    uint8_t *rgb = read_png(f, &w, &h);
    assert_int_equal(w, 90);
    assert_int_equal(h, 64);
    assert_int_equal(point(rgb, w, 9, 16), 0xaaaaaa);
    assert_int_equal(point(rgb, w, 17, 31), 0xaaaaaa); /* the ninth point, too */
    assert_int_equal(point(rgb, w, 18, 16), 0);
    assert_int_equal(point(rgb, w, 9, 15), 0);
    assert_int_equal(point(rgb, w, 0, 14), 0xaaaaaa); /* the cursor */
    assert_int_equal(point(rgb, w, 0, 13), 0);
    free(rgb);
}

static void test_png_of_points(void **state) {
    struct fixture *f = *state;
    uint32_t w, h;
    begin_file(f, "a.png");
    shown.kind = BLINK_SCREEN_PIXELS;
    shown.width = 320;
    shown.height = 200;
    shown.flags = BLINK_SCREEN_DOUBLE_Y;
    shown.palette[200] = 0x123456;
    shown.pixels[320 * 199 + 319] = 200;
    f->ops->plugin.deactivate(f->display);
    uint8_t *rgb = read_png(f, &w, &h);
    assert_int_equal(w, 640);
    assert_int_equal(h, 400);
    assert_int_equal(point(rgb, w, 639, 399), 0x123456);
    assert_int_equal(point(rgb, w, 638, 398), 0x123456);
    assert_int_equal(point(rgb, w, 637, 399), 0);
    free(rgb);
    shown.kind = BLINK_SCREEN_BLANK;
    f->ops->plugin.activate(f->display);
    f->ops->plugin.deactivate(f->display);
    assert_non_null(strstr(fakehost_log(f->fh), ": the screen shows nothing\n"));
}
#else
static void test_no_png(void **state) {
    struct fixture *f = *state;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "file=a.png", &f->display),
                     -EINVAL);
    assert_string_equal(fakehost_log(f->fh),
                        "display: a.png: this blink was built without libpng; name a .txt\n");
}
#endif

static void test_arguments(void **state) {
    struct fixture *f = *state;
    static const char *const bad[] = {
        "x", "texts", "text,x", "file=", "file=a", "file=.txt", "file=a.png,text", ","};
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
        fakehost_log_clear(f->fh);
        assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), bad[k], &f->display), -EINVAL);
        assert_int_equal(fakehost_log_count(f->fh), 1);
    }
    begin(f, "text,ansi,file=a.txt");
    fakehost_set_iface(f->fh, BLINK_IFACE_DISPLAY, NULL);
    struct blink_plugin *other;
    assert_int_equal(f->ops->plugin.create(fakehost_host(f->fh), "", &other), -ENOTSUP);
}

#define DISPLAY_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        DISPLAY_TEST(test_lines),          DISPLAY_TEST(test_nothing_to_print),
        DISPLAY_TEST(test_terminal),       DISPLAY_TEST(test_text_file),
        DISPLAY_TEST(test_no_such_folder), DISPLAY_TEST(test_arguments),
#ifdef HAVE_PNG
        DISPLAY_TEST(test_png_of_text),    DISPLAY_TEST(test_png_of_points),
#else
        DISPLAY_TEST(test_no_png),
#endif
    };
    return cmocka_run_group_tests_name("observer-display", tests, NULL, NULL);
}
