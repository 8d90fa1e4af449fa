/* A dynamic program: library calls, printf of floating point, a thread's variable, dlsym. */
#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static _Thread_local int variable = 7;

static void *other(void *arg) {
    variable += *(int *)arg;
    return (void *)(long)variable;
}

int main(int argc, char **argv) {
    pthread_t t;
    void *back;
    double (*root)(double) = (double (*)(double))dlsym(RTLD_DEFAULT, "cbrt");
    pthread_create(&t, NULL, other, &argc);
    pthread_join(t, &back);
    printf("hello %s %.17g %Lg %ld %d\n", argc > 1 ? argv[1] : "", strtod("0.1", NULL),
           (long double)1e4000L, (long)back, variable);
    printf("%.15g %.15g\n", root ? root(27.5) : 0.0, cbrt(27.5));
    return 3;
}
