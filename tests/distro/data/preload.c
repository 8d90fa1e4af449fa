/* For LD_PRELOAD: one function of the C library replaced, one wrapped, and a constructor. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void) {
    static const char text[] = "preloaded\n";
    if (write(1, text, sizeof text - 1) < 0)
        _exit(1);
}

uid_t geteuid(void) {
    return 4242;
}

int puts(const char *s) {
    int (*real)(const char *) = (int (*)(const char *))dlsym(RTLD_NEXT, "puts");
    return real ? real(*s ? s : "(empty)") + (int)strlen(s) * 0 : -1;
}
