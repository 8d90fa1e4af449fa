/*
 * Images: files that are read only, written, or written in memory alone. Nothing is mapped: a file
 * that shrinks meanwhile reads as zeros and harms nobody. Bus lock held.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "disk.h"

#define BLOCK       4096u
#define LEAF_BLOCKS 512u /* 2 MiB a leaf */

struct image_leaf {
    uint8_t *block[LEAF_BLOCKS];
};

int image_open(struct image *image, const char *path, uint32_t mode) {
    struct stat st;
    int err = 0;
    *image = (struct image){.mode = mode};
    image->fd = open(path, (mode == IMAGE_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NONBLOCK);
    if (image->fd < 0)
        return -errno;
    if (fstat(image->fd, &st))
        err = -errno;
    else if (S_ISDIR(st.st_mode))
        err = -EISDIR;
    else if (!S_ISREG(st.st_mode))
        err = -ENOTBLK;
    else if (mode == IMAGE_WRITE && flock(image->fd, LOCK_EX | LOCK_NB))
        err = errno == EWOULDBLOCK ? -EBUSY : -errno;
    if (err) {
        close(image->fd);
        image->fd = -1;
        return err;
    }
    image->bytes = (uint64_t)st.st_size;
    return 0;
}

int image_set_size(struct image *image, uint64_t bytes) {
    uint64_t size = (uint64_t)LEAF_BLOCKS * BLOCK;
    image->bytes = bytes;
    if (image->mode != IMAGE_COW)
        return 0;
    image->leaves = bytes / size + 1;
    image->overlay = calloc(image->leaves, sizeof *image->overlay);
    return image->overlay ? 0 : -ENOMEM;
}

void image_close(struct image *image) {
    for (uint64_t k = 0; image->overlay && k < image->leaves; k++) {
        for (uint32_t b = 0; image->overlay[k] && b < LEAF_BLOCKS; b++)
            free(image->overlay[k]->block[b]);
        free(image->overlay[k]);
    }
    free(image->overlay);
    image->overlay = NULL;
    if (image->fd >= 0) {
        image_flush(image);
        close(image->fd);
    }
    image->fd = -1;
}

/* What is past the end of the file is zero. */
static int read_file(const struct image *image, uint64_t offset, uint8_t *out, size_t size) {
    while (size) {
        ssize_t n = pread(image->fd, out, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) {
            memset(out, 0, size);
            break;
        }
        out += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static int write_file(const struct image *image, uint64_t offset, const uint8_t *bytes,
                      size_t size) {
    while (size) {
        ssize_t n = pwrite(image->fd, bytes, size, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        bytes += n;
        offset += (uint64_t)n;
        size -= (size_t)n;
    }
    return 0;
}

static uint8_t *written(const struct image *image, uint64_t block) {
    const struct image_leaf *leaf = image->overlay ? image->overlay[block / LEAF_BLOCKS] : NULL;
    return leaf ? leaf->block[block % LEAF_BLOCKS] : NULL;
}

/* The block in memory, with what the file has of it. */
static int make_block(struct image *image, uint64_t block, uint8_t **out) {
    struct image_leaf **leaf = &image->overlay[block / LEAF_BLOCKS];
    if (!*leaf)
        *leaf = calloc(1, sizeof **leaf);
    uint8_t *bytes = *leaf ? malloc(BLOCK) : NULL;
    if (!bytes)
        return -ENOMEM;
    int err = read_file(image, block * BLOCK, bytes, BLOCK);
    if (err) {
        free(bytes);
        return err;
    }
    *out = (*leaf)->block[block % LEAF_BLOCKS] = bytes;
    return 0;
}

/* The part of [offset, offset + size) that lies in the first block. */
static size_t in_first(uint64_t offset, size_t size) {
    size_t room = BLOCK - offset % BLOCK;
    return size < room ? size : room;
}

int image_read(struct image *image, uint64_t offset, void *out, size_t size) {
    uint8_t *to = out;
    int err = 0;
    if (!image->overlay)
        return read_file(image, offset, out, size);
    for (size_t n; size && !err; size -= n, offset += n, to += n) {
        n = in_first(offset, size);
        const uint8_t *block = written(image, offset / BLOCK);
        if (block)
            memcpy(to, block + offset % BLOCK, n);
        else
            err = read_file(image, offset, to, n);
    }
    return err;
}

int image_write(struct image *image, uint64_t offset, const void *bytes, size_t size) {
    const uint8_t *from = bytes;
    int err = 0;
    if (image->mode == IMAGE_READ_ONLY)
        return -EROFS;
    if (image->mode == IMAGE_WRITE)
        return write_file(image, offset, bytes, size);
    for (size_t n; size && !err; size -= n, offset += n, from += n) {
        n = in_first(offset, size);
        uint8_t *block = written(image, offset / BLOCK);
        if (!block)
            err = make_block(image, offset / BLOCK, &block);
        if (!err)
            memcpy(block + offset % BLOCK, from, n);
    }
    return err;
}

int image_flush(struct image *image) {
    if (image->mode != IMAGE_WRITE || !fdatasync(image->fd))
        return 0;
    return errno == EINVAL ? 0 : -errno; /* the file system has nothing to flush */
}
