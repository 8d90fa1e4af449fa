/*
 * A look at a shared object before the dynamic linker maps it. The linker trusts the program
 * headers: a file cut off behind them would end blink by SIGBUS. What is damaged in other ways is
 * left to it; a plugin is trusted like blink itself.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "plugin/internal.h"

#ifdef __ELF__

  #include <elf.h>
  #include <link.h>

  #if defined(__x86_64__)
    #define HOST_MACHINE EM_X86_64
  #elif defined(__aarch64__)
    #define HOST_MACHINE EM_AARCH64
  #elif defined(__powerpc64__)
    #define HOST_MACHINE EM_PPC64
  #elif defined(__s390__)
    #define HOST_MACHINE EM_S390
  #elif defined(__riscv)
    #define HOST_MACHINE EM_RISCV
  #elif defined(__arm__)
    #define HOST_MACHINE EM_ARM
  #elif defined(__i386__)
    #define HOST_MACHINE EM_386
  #else
    #define HOST_MACHINE EM_NONE /* let the dynamic linker compare */
  #endif

  #define HOST_CLASS (sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32)
  #define HOST_DATA  (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? ELFDATA2LSB : ELFDATA2MSB)

static int cut_off(struct refusal *why) {
    return refuse(why, "not a plugin: the file is truncated; build or install it again");
}

static int read_at(int fd, void *out, size_t size, uint64_t offset) {
    ssize_t n;
    do
        n = pread(fd, out, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (size_t)n == size ? 0 : -ENODATA;
}

static int check_segments(int fd, uint64_t size, const ElfW(Ehdr) * eh, struct refusal *why) {
    for (uint32_t k = 0; k < eh->e_phnum; k++) {
        ElfW(Phdr) ph;
        if (read_at(fd, &ph, sizeof ph, eh->e_phoff + (uint64_t)k * sizeof ph))
            return cut_off(why);
        if (ph.p_type != PT_LOAD && ph.p_type != PT_DYNAMIC)
            continue;
        if (ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
            return cut_off(why);
    }
    return 0;
}

int plugin_check_file(int fd, uint64_t size, struct refusal *why) {
    ElfW(Ehdr) eh;
    unsigned char magic[SELFMAG] = {0};
    size_t start = size < SELFMAG ? (size_t)size : SELFMAG;
    if (size == 0)
        return refuse(why, "not a plugin: the file is empty; build or install it again");
    if (read_at(fd, magic, start, 0))
        return refuse(why, "not a plugin: the file cannot be read; check the file system");
    if (memcmp(magic, ELFMAG, start))
        return refuse(why, "not a plugin: not a shared object; build it with cc -shared");
    if (read_at(fd, &eh, sizeof eh, 0))
        return cut_off(why);
    if (eh.e_ident[EI_CLASS] != HOST_CLASS || eh.e_ident[EI_DATA] != HOST_DATA ||
        (HOST_MACHINE != EM_NONE && eh.e_machine != HOST_MACHINE))
        return refuse(why, "not a plugin: built for another machine; build it for this one");
    if (eh.e_type != ET_DYN || eh.e_phentsize != sizeof(ElfW(Phdr)))
        return refuse(why, "not a plugin: not a shared object; build it with cc -shared");
    return check_segments(fd, size, &eh, why);
}

#else

int plugin_check_file(int fd, uint64_t size, struct refusal *why) {
    (void)fd;
    if (size == 0)
        return refuse(why, "not a plugin: the file is empty; build or install it again");
    return 0;
}

#endif
