// What a machine can do at most: multiply-adds in registers, and rows of 512 bytes read in random order.
// Enters: threads, then sizes in bytes. Leaves: GFLOP/s, then GB/s for an array of each size, on stdout.
// Built and run by sparse_step.py.

#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#define IN_REGISTER(x) __asm__ volatile("" : "+v"(x))
#elif defined(__x86_64__)
#define BYTES 32
#define IN_REGISTER(x) __asm__ volatile("" : "+x"(x))
#else
#define BYTES 16
#define IN_REGISTER(x) __asm__ volatile("" : "+w"(x))
#endif
#define LANES (BYTES / 4)
#define ROW 512
#define TURNS 5
#define SUMS 12

typedef float vector __attribute__((vector_size(BYTES)));

static double multiply_adds(int threads) {
    const long times = 5000000;
    double best = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        const double started = omp_get_wtime();
#pragma omp parallel num_threads(threads)
        {
            vector sum[SUMS] = {0}, factor = {0}, term = {0};
            factor += 0.5f;
            term += 1.0f;
            for (long at = 0; at < times; at++)
#pragma GCC unroll 12
                for (int k = 0; k < SUMS; k++) {
                    sum[k] = sum[k] * factor + term;
                    IN_REGISTER(sum[k]);
                }
        }
        const double rate = 2.0 * LANES * SUMS * times * threads / (omp_get_wtime() - started) * 1e-9;
        best = rate > best ? rate : best;
    }
    return best;
}

static double random_rows(int threads, size_t bytes) {
    const size_t rows = bytes / ROW, reads = 2000000;
    char *array = aligned_alloc(4096, rows * ROW);
    int32_t *index = malloc(reads * sizeof *index);
    if (!array || !index) return 0;
    memset(array, 0, rows * ROW);
    uint64_t state = 88172645463325252ull;
    for (size_t at = 0; at < reads; at++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        index[at] = (int32_t)(state % rows);
    }
    double best = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        const double started = omp_get_wtime();
#pragma omp parallel for num_threads(threads) schedule(static)
        for (size_t at = 0; at < reads; at++) {
            const vector *row = (const vector *)(array + (size_t)index[at] * ROW);
            const char *next = array + (size_t)index[at + 8 < reads ? at + 8 : at] * ROW;
            for (int k = 0; k < ROW; k += 64) __builtin_prefetch(next + k);
#pragma GCC unroll 32
            for (int k = 0; k < ROW / BYTES; k++) {
                vector value = row[k];
                IN_REGISTER(value);
            }
        }
        const double rate = (double)reads * ROW / (omp_get_wtime() - started) * 1e-9;
        best = rate > best ? rate : best;
    }
    free(array);
    free(index);
    return best;
}

int main(int count, char **words) {
    if (count < 2) return 2;
    const int threads = atoi(words[1]);
    printf("%.1f", multiply_adds(threads));
    for (int at = 2; at < count; at++) printf(" %.1f", random_rows(threads, strtoull(words[at], NULL, 10)));
    printf("\n");
    return 0;
}
