/*
 * Capstone's archive, linked in, names every architecture from one table; these take the place of
 * all but x86, so that the linker leaves 3 MB of tables, and tens of thousands of relocations at
 * each start, where they are. Nothing here is ever called.
 */
#define ABSENT(arch)                                                                               \
  int arch##_global_init(void *handle);                                                            \
  int arch##_option(void *handle, int type, unsigned long value);                                  \
  int arch##_global_init(void *handle) {                                                           \
    (void)handle;                                                                                  \
    return 3; /* CS_ERR_ARCH */                                                                    \
  }                                                                                                \
  int arch##_option(void *handle, int type, unsigned long value) {                                 \
    (void)handle, (void)type, (void)value;                                                         \
    return 3;                                                                                      \
  }

ABSENT(AArch64)
ABSENT(ARM)
ABSENT(EVM)
ABSENT(M680X)
ABSENT(M68K)
ABSENT(Mips)
ABSENT(PPC)
ABSENT(Sparc)
ABSENT(SystemZ)
ABSENT(TMS320C64x)
ABSENT(XCore)
