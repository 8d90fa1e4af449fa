/*
 * INT 10h: which function does what. By the first vCPU's thread.
 */
#include "video.h"

#define KEEP_MEMORY 0x80u

static void set_mode(struct blink_plugin *b) {
    video_set_mode(b, AL(b) & 0x7fu, AL(b) & KEEP_MEMORY);
    text_move_cursor(b, 0, 0, 0);
}

/* Lines are told as for cells of 8; adapters with taller ones get what looks the same. */
static void cursor_shape(struct blink_plugin *b) {
    uint32_t first = CH(b), last = CL(b) & 31u, cell = video_cell(b);
    poke16(b, BDA_CURSOR_SHAPE, CX(b));
    if (b->adapter == ADAPTER_NONE)
        return;
    if (b->adapter == ADAPTER_VGA && !(first & 0x20) && cell > 8 && last < 8 && (first & 31) < 8) {
        bool flat = last <= (first & 31) + 1;
        first = flat ? cell - 3 : first * cell / 8;
        last = flat ? cell - 2 : (last + 1) * cell / 8 - 1;
    }
    video_crtc(b, 0x0a, first & 0x3f);
    video_crtc(b, 0x0b, last);
}

static uint32_t page_of(struct blink_plugin *b) {
    return BH(b) & 7u;
}

static void set_cursor(struct blink_plugin *b) {
    text_move_cursor(b, page_of(b), DL(b), DH(b));
}

static void get_cursor(struct blink_plugin *b) {
    set16(b, BLINK_RDX, peek16(b, BDA_CURSORS + 2 * page_of(b)));
    set16(b, BLINK_RCX, peek16(b, BDA_CURSOR_SHAPE));
}

static void light_pen(struct blink_plugin *b) {
    set_high(b, BLINK_RAX, 0); /* there is none */
}

static void select_page(struct blink_plugin *b) {
    uint32_t page = AL(b) & 7u, start = page * peek16(b, BDA_PAGE_SIZE);
    bool text = video_mode(b)->layout == LAYOUT_TEXT;
    if (page >= video_mode(b)->pages || b->adapter == ADAPTER_NONE)
        return;
    poke8(b, BDA_PAGE, page);
    poke16(b, BDA_PAGE_START, start);
    video_crtc(b, 0x0c, (text ? start / 2 : start) >> 8);
    video_crtc(b, 0x0d, text ? start / 2 : start);
    uint32_t cursor = peek16(b, BDA_CURSORS + 2 * page);
    text_move_cursor(b, page, cursor & 0xff, cursor >> 8);
}

static void scroll(struct blink_plugin *b, bool down) {
    struct area a = {CL(b), CH(b), DL(b), DH(b)};
    text_scroll(b, a, AL(b), down, BH(b));
}

static void scroll_up(struct blink_plugin *b) {
    scroll(b, false);
}

static void scroll_down(struct blink_plugin *b) {
    scroll(b, true);
}

static void read_character(struct blink_plugin *b) {
    uint32_t page = page_of(b), cursor = peek16(b, BDA_CURSORS + 2 * page);
    set16(b, BLINK_RAX, text_read(b, page, cursor & 0xff, cursor >> 8));
}

static void write_many(struct blink_plugin *b, bool with_attribute) {
    uint32_t page = page_of(b), cursor = peek16(b, BDA_CURSORS + 2 * page);
    uint32_t x = cursor & 0xff, y = cursor >> 8, columns = peek16(b, BDA_COLUMNS);
    bool text = video_mode(b)->layout == LAYOUT_TEXT;
    for (uint32_t n = CX(b); n && y < video_rows(b); n--) {
        uint8_t attribute = BL(b);
        if (text && !with_attribute)
            attribute = (uint8_t)(text_read(b, page, x, y) >> 8);
        text_write(b, page, x, y, AL(b), attribute);
        if (++x >= columns) {
            x = 0;
            y++;
        }
    }
}

static void write_attributes(struct blink_plugin *b) {
    write_many(b, true);
}

static void write_characters(struct blink_plugin *b) {
    write_many(b, false);
}

static void write_point(struct blink_plugin *b) {
    draw_point(b, page_of(b), CX(b), DX(b), AL(b));
}

static void read_point(struct blink_plugin *b) {
    set_low(b, BLINK_RAX, draw_read(b, page_of(b), CX(b), DX(b)));
}

static void teletype(struct blink_plugin *b) {
    text_teletype(b, peek8(b, BDA_PAGE) & 7u, AL(b), -1);
}

static void get_mode(struct blink_plugin *b) {
    uint32_t keep = peek8(b, BDA_VIDEO_INFO) & KEEP_MEMORY;
    set_low(b, BLINK_RAX, peek8(b, BDA_MODE) | keep);
    set_high(b, BLINK_RAX, peek16(b, BDA_COLUMNS));
    set_high(b, BLINK_RBX, peek8(b, BDA_PAGE));
}

/* AL 1: the cursor goes along; AL 2: each character has its attribute behind it. */
static void write_string(struct blink_plugin *b) {
    uint64_t at = bios_at(b, BLINK_SEG_ES, get16(b, BLINK_RBP));
    uint32_t page = page_of(b), before = peek16(b, BDA_CURSORS + 2 * page);
    text_move_cursor(b, page, DL(b), DH(b));
    for (uint32_t n = CX(b); n; n--) {
        uint8_t c = peek8(b, at++), attribute = BL(b);
        if (AL(b) & 2)
            attribute = peek8(b, at++);
        text_teletype(b, page, c, attribute);
    }
    if (!(AL(b) & 1))
        text_move_cursor(b, page, before & 0xff, before >> 8);
}

void video_10(struct blink_plugin *b) {
    static bios_service *const functions[] = {
        [0x00] = set_mode,         [0x01] = cursor_shape,     [0x02] = set_cursor,
        [0x03] = get_cursor,       [0x04] = light_pen,        [0x05] = select_page,
        [0x06] = scroll_up,        [0x07] = scroll_down,      [0x08] = read_character,
        [0x09] = write_attributes, [0x0a] = write_characters, [0x0b] = palette_0b,
        [0x0c] = write_point,      [0x0d] = read_point,       [0x0e] = teletype,
        [0x0f] = get_mode,         [0x10] = palette_10,       [0x11] = font_11,
        [0x12] = video_12,         [0x13] = write_string,     [0x1a] = video_1a,
        [0x1b] = video_1b,
    };
    uint32_t ah = AH(b);
    if (ah < sizeof functions / sizeof functions[0] && functions[ah])
        functions[ah](b);
}
