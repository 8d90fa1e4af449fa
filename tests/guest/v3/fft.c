/*
 * A fast Fourier transform there and back, in double and in single precision: shuffles and
 * multiply-add from loops, sine and cosine from libm's code for this processor.
 */
#include <complex.h>
#include <math.h>

#include "../guest.h"

#define N 2048

static double complex data[N], original[N], twiddle[N / 2];
static float complex fdata[N], ftwiddle[N / 2];

static unsigned reversed(unsigned k) {
    unsigned r = 0;
    for (unsigned bit = 1; bit < N; bit <<= 1, k >>= 1)
        r = r << 1 | (k & 1);
    return r;
}

#define TRANSFORM(name, type, table)                                                               \
  static void name(type complex *v, int back) {                                                    \
    for (unsigned k = 0; k < N; k++) {                                                             \
      unsigned j = reversed(k);                                                                    \
      if (j > k) {                                                                                 \
        type complex t = v[k];                                                                     \
        v[k] = v[j];                                                                               \
        v[j] = t;                                                                                  \
      }                                                                                            \
    }                                                                                              \
    for (unsigned half = 1; half < N; half *= 2)                                                   \
      for (unsigned start = 0; start < N; start += 2 * half)                                       \
        for (unsigned k = 0; k < half; k++) {                                                      \
          type complex w = table[k * (N / 2 / half)];                                              \
          type wr = __real__ w, wi = back ? -__imag__ w : __imag__ w;                              \
          type complex a = v[start + k], b = v[start + k + half];                                  \
          type br = __real__ b * wr - __imag__ b * wi;                                             \
          type bi = __real__ b * wi + __imag__ b * wr;                                             \
          __real__ v[start + k] = __real__ a + br;                                                 \
          __imag__ v[start + k] = __imag__ a + bi;                                                 \
          __real__ v[start + k + half] = __real__ a - br;                                          \
          __imag__ v[start + k + half] = __imag__ a - bi;                                          \
        }                                                                                          \
  }
TRANSFORM(transform, double, twiddle)
TRANSFORM(ftransform, float, ftwiddle)

static uint64_t hash(const void *v, size_t size) {
    return guest_hash(GUEST_HASH, v, size);
}

int main(void) {
    uint64_t seed = 7;
    double worst = 0;
    for (unsigned k = 0; k < N / 2; k++) {
        double angle = -2 * M_PI * k / N;
        twiddle[k] = cos(angle) + I * sin(angle);
        ftwiddle[k] = cosf((float)angle) + I * sinf((float)angle);
    }
    for (unsigned k = 0; k < N; k++) {
        double re = (double)(int32_t)guest_random(&seed) / 1e6;
        original[k] = data[k] = re + I * sin(k * 0.37);
        fdata[k] = (float complex)data[k];
    }
    transform(data, 0);
    ftransform(fdata, 0);
    printf("%.15g %.15g %016llx\n", creal(data[3]), cimag(data[N - 5]),
           (unsigned long long)hash(data, sizeof data));
    printf("%.8g %.8g %016llx\n", (double)crealf(fdata[3]), (double)cimagf(fdata[N - 5]),
           (unsigned long long)hash(fdata, sizeof fdata));
    transform(data, 1);
    for (unsigned k = 0; k < N; k++) {
        double e = cabs(data[k] / N - original[k]);
        worst = e > worst ? e : worst;
    }
    CHECK(worst < 1e-9);
    printf("error %.3g %016llx\n", worst, (unsigned long long)hash(data, sizeof data));
    return guest_done();
}
