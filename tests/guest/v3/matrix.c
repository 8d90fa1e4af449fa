/*
 * Matrix products in single and double precision, of bytes and of words, as a compiler makes them
 * of plain loops: packed multiply-add, broadcasts, widening, horizontal sums.
 */
#include "../guest.h"

#define N 72

static double da[N][N], db[N][N], dc[N][N];
static float fa[N][N], fb[N][N], fc[N][N];
static int8_t ba[N][N], bb[N][N];
static int32_t bc[N][N];
static uint16_t wa[N][N], wb[N][N];
static uint64_t wc[N][N];

static void fill(void) {
    uint64_t seed = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            uint64_t r = guest_random(&seed);
            da[i][j] = (double)(int32_t)r / 65536;
            db[i][j] = (double)(int32_t)(r >> 32) / 1048576;
            fa[i][j] = (float)da[i][j];
            fb[i][j] = (float)db[i][j];
            ba[i][j] = (int8_t)r;
            bb[i][j] = (int8_t)(r >> 8);
            wa[i][j] = (uint16_t)(r >> 16);
            wb[i][j] = (uint16_t)(r >> 24);
        }
}

static void doubles(void) {
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                dc[i][j] += da[i][k] * db[k][j];
}
static void floats(void) {
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                fc[i][j] += fa[i][k] * fb[k][j];
}
/* Rows by rows: sums across a register. */
static void bytes(void) {
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            for (int k = 0; k < N; k++)
                bc[i][j] += ba[i][k] * bb[j][k];
}
static void words(void) {
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++)
            for (int j = 0; j < N; j++)
                wc[i][j] += (uint64_t)wa[i][k] * wb[k][j];
}

static double trace(void) {
    double t = 0;
    for (int i = 0; i < N; i++)
        t += dc[i][i];
    return t;
}

int main(void) {
    fill();
    doubles();
    floats();
    bytes();
    words();
    printf("trace %.17g %a\n", trace(), (double)fc[N / 2][N / 3]);
    printf("doubles %016llx floats %016llx bytes %016llx words %016llx\n",
           (unsigned long long)guest_hash(GUEST_HASH, dc, sizeof dc),
           (unsigned long long)guest_hash(GUEST_HASH, fc, sizeof fc),
           (unsigned long long)guest_hash(GUEST_HASH, bc, sizeof bc),
           (unsigned long long)guest_hash(GUEST_HASH, wc, sizeof wc));
    return guest_done();
}
