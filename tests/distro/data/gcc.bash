# One C file through preprocessor, compiler, assembler and linker, all of them started by gcc.
set -e
cat >program.c <<'END'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
struct pair { const char *name; double value; };
static int by_value(const void *a, const void *b) {
    double x = ((const struct pair *)a)->value, y = ((const struct pair *)b)->value;
    return x < y ? -1 : x > y;
}
int main(int argc, char **argv) {
    struct pair list[] = {{"pi", M_PI}, {"e", M_E}, {"root", sqrt(2.0)}, {"big", 1e300}};
    qsort(list, 4, sizeof list[0], by_value);
    for (int i = 0; i < 4; i++)
        printf("%s %.17g\n", list[i].name, list[i].value);
    printf("%s %d\n", argc > 1 ? argv[1] : "none", (int)strlen(argv[0]) > 0);
    return argc;
}
END
gcc -O2 -g -Wall -o program program.c -lm
./program argument || echo "status $?"
gcc -O0 -S -o - program.c | grep -c call
gcc -c -O3 -march=haswell program.c
nm program.o | cut -c18-
gcc -static-pie -o static program.o -lm 2>/dev/null || gcc -o static program.o -lm
./static || echo "status $?"
echo 'int f(void) { return g; }' >wrong.c
gcc -c wrong.c 2>&1 | grep -c error
sha256sum program.o | cut -c1-16
