/*
 * Scalar double arithmetic: planets that attract each other.
 */
#include <math.h>

#include "bench.h"

enum { BODIES = 5 };
static struct body {
    double x, y, z, vx, vy, vz, mass;
} body[BODIES] = {
    {0, 0, 0, 0, 0, 0, 39.5},
    {4.8, -1.2, -0.1, 0.6, 2.8, -0.02, 0.04},
    {8.3, 4.1, -0.4, -1.0, 1.8, 0.01, 0.01},
    {12.9, -15.1, -0.2, 1.1, 0.9, -0.01, 0.002},
    {15.4, -25.9, 0.2, 1.0, 0.6, -0.03, 0.002},
};

static void advance(double dt) {
    for (int i = 0; i < BODIES; i++)
        for (int j = i + 1; j < BODIES; j++) {
            struct body *a = &body[i], *b = &body[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double d2 = dx * dx + dy * dy + dz * dz, f = dt / (d2 * sqrt(d2));
            a->vx -= dx * b->mass * f, a->vy -= dy * b->mass * f, a->vz -= dz * b->mass * f;
            b->vx += dx * a->mass * f, b->vy += dy * a->mass * f, b->vz += dz * a->mass * f;
        }
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &body[i];
        a->x += dt * a->vx, a->y += dt * a->vy, a->z += dt * a->vz;
    }
}

int main(int argc, char **argv) {
    long steps = bench_size(argc, argv, 1000000);
    for (long k = 0; k < steps; k++)
        advance(0.0001);
    printf("%.12g %.12g\n", body[0].x, body[3].vy);
    return 0;
}
