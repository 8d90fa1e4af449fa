/*
 * --list-plugins: the one time folders are read whole. Everything is loaded and checked as if it
 * were asked for, nothing is kept and nothing is logged: the reason is part of the row.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/internal.h"

enum status { OK, SHADOWED, REFUSED };

static const char *const status_names[] = {"ok", "shadowed", "refused"};

/* One line of the list. Texts that are not the row's own live as long as the plugin's file. */
struct row {
    uint32_t kind;
    char *name;          /* owned */
    char *path;          /* owned */
    char *reason;        /* owned; of a refusal, or the path that shadows; may be NULL */
    const char *version; /* "" where not known, like those below */
    const char *summary, *licence;
    int32_t score;
    char abi[24];
    enum status status;
};

struct rows {
    const struct plugin_registry *registry;
    struct row *row;
    size_t count, room;
    bool failed; /* out of memory */
};

/* ---- gathering ---- */

static struct row *add_row(struct rows *rows, uint32_t kind, const char *name, const char *path) {
    if (rows->count == rows->room) {
        size_t room = rows->room ? rows->room * 2 : 32;
        struct row *grown = realloc(rows->row, room * sizeof *grown);
        if (!grown) {
            rows->failed = true;
            return NULL;
        }
        rows->row = grown;
        rows->room = room;
    }
    struct row *row = &rows->row[rows->count];
    *row = (struct row){.kind = kind, .version = "", .summary = "", .licence = ""};
    row->name = strdup(name);
    row->path = strdup(path);
    rows->count++; /* also when a copy failed, so that the other is freed */
    rows->failed |= !row->name || !row->path;
    return rows->failed ? NULL : row;
}

static void set_status(struct rows *rows, struct row *row, enum status status, const char *reason) {
    row->status = status;
    row->reason = strdup(reason);
    rows->failed |= !row->reason;
}

static void describe(struct row *row, const struct blink_plugin_entry *entry,
                     const struct blink_manifest *manifest) {
    snprintf(row->abi, sizeof row->abi, "%u.%u", entry->abi_major, entry->abi_minor);
    if (!manifest)
        return;
    row->version = manifest->version;
    row->summary = manifest->summary;
    row->licence = manifest->licence;
    row->score = manifest->score;
}

/* What the row says of a manifest that was read; `err` and `why` of its check. */
static void judge(struct rows *rows, struct row *row, int err, const struct refusal *why) {
    if (err == -ENOMEM)
        rows->failed = true;
    else if (err)
        set_status(rows, row, REFUSED, why->text);
}

/* The row before this one that comes first in the search order for the same kind and name. */
static const struct row *earlier(const struct rows *rows, const struct row *row) {
    for (const struct row *r = rows->row; r < row; r++)
        if (r->kind == row->kind && !strcmp(r->name, row->name))
            return r;
    return NULL;
}

static void add_manifest(struct rows *rows, const struct blink_plugin_entry *entry,
                         const struct blink_manifest *manifest, const char *path) {
    struct plugin_ref *ref = NULL;
    struct refusal why;
    int err = plugin_complete(rows->registry->abi, manifest, path, &ref, &why);
    struct row *row = add_row(rows, manifest->kind, manifest->name, path);
    if (row) {
        describe(row, entry, manifest);
        judge(rows, row, err, &why);
    }
    free(ref);
}

/* KIND and NAME of a file KIND-NAME.so; false if the file is not called like that. */
static bool parse_file_name(const struct plugin_registry *registry, const char *file,
                            uint32_t *kind, char *name, size_t name_size) {
    size_t length = strlen(file);
    if (length < 4 || strcmp(file + length - 3, ".so"))
        return false;
    length -= 3;
    for (uint32_t k = 0; k < registry->abi->kind_count; k++) {
        size_t n = strlen(registry->abi->kinds[k].name);
        if (strncmp(file, registry->abi->kinds[k].name, n) || file[n] != '-' || length < n + 1 ||
            !plugin_name_valid(file + n + 1, length - n - 1) || length - n - 1 >= name_size)
            continue;
        *kind = k;
        memcpy(name, file + n + 1, length - n - 1);
        name[length - n - 1] = 0;
        return true;
    }
    return false;
}

/* A file or built-in found by its name: one row. */
static void add_named(struct rows *rows, uint32_t kind, const char *name, const char *path,
                      const struct blink_plugin_entry *entry) {
    const struct plugin_abi *abi = rows->registry->abi;
    const struct blink_manifest *manifest = NULL;
    struct plugin_ref *ref = NULL;
    struct refusal why;
    struct row *row = add_row(rows, kind, name, path);
    if (!row)
        return;
    int err = entry ? 0 : plugin_open(path, &entry, &why);
    if (!err && !(err = plugin_check_entry(abi, entry, &why)) &&
        !(manifest = plugin_manifest(entry, kind, name)))
        err = refuse(&why, "offers no %s named %s; name the file after what it offers",
                     abi->kinds[kind].name, name);
    if (entry && entry->magic == BLINK_PLUGIN_MAGIC)
        describe(row, entry, manifest);
    if (!err)
        err = plugin_complete(abi, manifest, path, &ref, &why);
    judge(rows, row, err, &why);
    free(ref);
    const struct row *first = earlier(rows, row);
    if (first && !err)
        set_status(rows, row, SHADOWED, first->path);
}

static void add_explicit(struct rows *rows, const char *path) {
    const struct plugin_abi *abi = rows->registry->abi;
    const struct blink_plugin_entry *entry = NULL;
    struct refusal why;
    char name[128];
    uint32_t kind;
    size_t before = rows->count;
    int err = plugin_open(path, &entry, &why);
    if (!err)
        err = plugin_check_entry(abi, entry, &why);
    for (uint32_t k = 0; !err && k < entry->manifest_count; k++)
        if (plugin_known_kind(abi, entry->manifests[k]))
            add_manifest(rows, entry, entry->manifests[k], path);
    if (rows->count > before || rows->failed)
        return;
    if (!err)
        refuse(&why, "offers nothing of a kind this blink knows; use a newer blink");
    const char *base = strrchr(path, '/');
    if (!parse_file_name(rows->registry, base ? base + 1 : path, &kind, name, sizeof name)) {
        kind = UINT32_MAX;
        strcpy(name, "-");
    }
    struct row *row = add_row(rows, kind, name, path);
    if (!row)
        return;
    if (entry && entry->magic == BLINK_PLUGIN_MAGIC)
        describe(row, entry, NULL);
    set_status(rows, row, REFUSED, why.text);
}

/* Two explicit files that offer the same: both are refused by registry_find. */
static void mark_twins(struct rows *rows) {
    for (size_t k = 0; k < rows->count; k++) {
        struct row *row = &rows->row[k];
        const struct row *first = earlier(rows, row);
        if (!first || row->status == REFUSED || first->status == REFUSED)
            continue;
        char *text = NULL;
        if (asprintf(&text, "given twice, also by %s; leave one out", first->path) < 0) {
            rows->failed = true;
            continue;
        }
        row->status = REFUSED;
        row->reason = text;
    }
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void add_folder(struct rows *rows, const char *dir) {
    struct dirent **entries = NULL;
    /* A folder that is not there offers nothing. */
    int count = scandir(dir, &entries, NULL, by_name);
    for (int k = 0; k < count; k++) {
        char name[128];
        uint32_t kind;
        if (parse_file_name(rows->registry, entries[k]->d_name, &kind, name, sizeof name)) {
            char *path = plugin_file_path(dir, rows->registry->abi->kinds[kind].name, name);
            if (path)
                add_named(rows, kind, name, path, NULL);
            rows->failed |= !path;
            free(path);
        }
        free(entries[k]);
    }
    free(entries);
}

static void add_builtins(struct rows *rows, const struct plugin_builtin *builtins) {
    for (; builtins && builtins->file_name; builtins++) {
        char file[160], name[128];
        uint32_t kind;
        snprintf(file, sizeof file, "%s.so", builtins->file_name);
        if (parse_file_name(rows->registry, file, &kind, name, sizeof name))
            add_named(rows, kind, name, PLUGIN_BUILTIN_PATH, builtins->entry);
    }
}

static void gather(struct rows *rows) {
    const struct plugin_registry *registry = rows->registry;
    for (size_t k = 0; k < registry->file_count; k++)
        add_explicit(rows, registry->files[k].path);
    mark_twins(rows);
    for (size_t k = 0; k < registry->place_count; k++) {
        if (registry->places[k].dir)
            add_folder(rows, registry->places[k].dir);
        else
            add_builtins(rows, registry->builtins);
    }
}

/* By kind and name; what comes first in the search order stays first. */
static void sort_rows(struct rows *rows) {
    for (size_t k = 1; k < rows->count; k++) {
        struct row row = rows->row[k];
        size_t j = k;
        for (; j > 0; j--) {
            const struct row *r = &rows->row[j - 1];
            if (r->kind < row.kind || (r->kind == row.kind && strcmp(r->name, row.name) <= 0))
                break;
            rows->row[j] = *r;
        }
        rows->row[j] = row;
    }
}

/* ---- printing ---- */

enum { COLUMNS = 6 };

static const char *row_kind(const struct rows *rows, const struct row *row) {
    const struct plugin_abi *abi = rows->registry->abi;
    return row->kind < abi->kind_count ? abi->kinds[row->kind].name : "-";
}

static void row_columns(const struct rows *rows, const struct row *row,
                        const char *column[COLUMNS]) {
    column[0] = row_kind(rows, row);
    column[1] = row->name;
    column[2] = *row->version ? row->version : "-";
    column[3] = *row->abi ? row->abi : "-";
    column[4] = row->path;
    column[5] = status_names[row->status];
}

/* Length of the well-formed UTF-8 sequence at s (RFC 3629), 0 if there is none. */
static size_t utf8_length(const unsigned char *s) {
    static const struct {
        unsigned char first, last, low, high, length;
    } forms[] = {
        {0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
        {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };
    for (size_t k = 0; k < sizeof forms / sizeof forms[0]; k++) {
        if (s[0] < forms[k].first || s[0] > forms[k].last)
            continue;
        if (forms[k].length > 1 && (s[1] < forms[k].low || s[1] > forms[k].high))
            return 0;
        for (size_t n = 2; n < forms[k].length; n++)
            if ((s[n] & 0xc0) != 0x80)
                return 0;
        return forms[k].length;
    }
    return 0;
}

/* Print a text for a person, or only count its characters (out NULL). A plugin's own words must not
 * steer the terminal: what is no letter to it becomes a question mark. */
static int print_plain(FILE *out, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    int count = 0;
    for (; *s; count++) {
        size_t length = utf8_length(s);
        bool control = *s < 0x20 || *s == 0x7f || (*s == 0xc2 && s[1] < 0xa0); /* C0, DEL, C1 */
        if (out && (length == 0 || control))
            fputc('?', out);
        else if (out)
            fwrite(s, 1, length, out);
        s += length ? length : 1;
    }
    return count;
}

static void print_row(const char *const *column, const int *width, FILE *out) {
    for (int c = 0; c < COLUMNS; c++) {
        int printed = print_plain(out, column[c]);
        if (c < COLUMNS - 1)
            fprintf(out, "%*s", width[c] - printed + 2, "");
    }
}

static void print_table(const struct rows *rows, FILE *out) {
    static const char *const head[COLUMNS] = {"KIND", "NAME", "VERSION", "ABI", "PATH", "STATUS"};
    const char *column[COLUMNS];
    int width[COLUMNS];
    for (int c = 0; c < COLUMNS; c++)
        width[c] = print_plain(NULL, head[c]);
    for (size_t k = 0; k < rows->count; k++) {
        row_columns(rows, &rows->row[k], column);
        for (int c = 0; c < COLUMNS; c++)
            if (print_plain(NULL, column[c]) > width[c])
                width[c] = print_plain(NULL, column[c]);
    }
    print_row(head, width, out);
    fputc('\n', out);
    for (size_t k = 0; k < rows->count; k++) {
        const struct row *row = &rows->row[k];
        row_columns(rows, row, column);
        print_row(column, width, out);
        if (row->reason) {
            fputs(row->status == SHADOWED ? " by " : ": ", out);
            print_plain(out, row->reason);
        }
        fputc('\n', out);
    }
}

/* A JSON string (RFC 8259, 7). Bytes that are no UTF-8, as paths may have, become U+FFFD. */
static void print_string(FILE *out, const char *text) {
    const unsigned char *s = (const unsigned char *)text;
    fputc('"', out);
    while (*s) {
        size_t length = utf8_length(s);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*s == '"' || *s == '\\')
            fprintf(out, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(out, "\\u%04x", *s);
        else
            fwrite(s, 1, length, out);
        s += length ? length : 1;
    }
    fputc('"', out);
}

static void print_member(FILE *out, const char *key, const char *value) {
    fprintf(out, ", \"%s\": ", key);
    print_string(out, value);
}

static void print_json(const struct rows *rows, FILE *out) {
    fputc('[', out);
    for (size_t k = 0; k < rows->count; k++) {
        const struct row *row = &rows->row[k];
        fputs(k ? ",\n {\"kind\": " : "\n {\"kind\": ", out);
        print_string(out, row_kind(rows, row));
        print_member(out, "name", row->name);
        print_member(out, "version", row->version);
        print_member(out, "abi", row->abi);
        print_member(out, "path", row->path);
        print_member(out, "status", status_names[row->status]);
        if (row->reason)
            print_member(out, row->status == SHADOWED ? "shadowed_by" : "reason", row->reason);
        print_member(out, "summary", row->summary);
        print_member(out, "licence", row->licence);
        fprintf(out, ", \"score\": %d}", row->score);
    }
    fputs(rows->count ? "\n]\n" : "]\n", out);
}

int registry_list(struct plugin_registry *registry, FILE *out, bool json) {
    struct rows rows = {.registry = registry};
    gather(&rows);
    int err = rows.failed ? -ENOMEM : 0;
    if (!err) {
        sort_rows(&rows);
        if (json)
            print_json(&rows, out);
        else
            print_table(&rows, out);
        if (fflush(out) || ferror(out))
            err = -EIO;
    }
    for (size_t k = 0; k < rows.count; k++) {
        free(rows.row[k].name);
        free(rows.row[k].path);
        free(rows.row[k].reason);
    }
    free(rows.row);
    return err;
}
