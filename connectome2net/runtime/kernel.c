// The sparse step on fixed edges, forward and backward, for one type of number.
// Enters: compressed rows, weights, rates (cells, batch). Leaves: drive, and the gradients of rates and weights.
// Compiled when first used by kernel.py. Every output is summed by one thread, in one order: any number of threads
// gives the same bits.

#ifndef REAL

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(word) JOIN(word, SUFFIX)

// Torch's own pool of threads, handed over by Python: a second one would spin on the same cores.
typedef void parallel_t(void (*work)(void *), void *job, unsigned threads, unsigned flags);

// Where share `at` of `shares` begins, so that each has about as many edges (a row counts as one more).
static int32_t share_of_rows(const int32_t *start, int32_t rows, int64_t at, int64_t shares) {
    const int64_t wanted = ((int64_t)start[rows] + rows) * at / shares;
    int32_t low = 0, high = rows;
    while (low < high) {
        const int32_t middle = low + (high - low) / 2;
        if ((int64_t)start[middle] + middle < wanted) low = middle + 1;
        else high = middle;
    }
    return low;
}

#define REAL float
#define SUFFIX _float32
#include "kernel.c"
#undef REAL
#undef SUFFIX
#define REAL double
#define SUFFIX _float64
#include "kernel.c"

#else

#define LANES ((int)(BYTES / sizeof(REAL)))
typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
#define VECTOR NAME(vector)

typedef struct {
    const int32_t *start, *index, *order;
    const REAL *weight, *source, *own;
    REAL *sum, *dot;
    int64_t batch, shares, ticket;
    int32_t rows;
} NAME(job);

INLINE VECTOR NAME(load)(const REAL *from, int lanes) {
    if (lanes == LANES) return *(const VECTOR *)from;
    VECTOR value = {0};
    memcpy(&value, from, lanes * sizeof(REAL));
    return value;
}

INLINE void NAME(store)(REAL *to, VECTOR value, int lanes) {
    if (lanes == LANES) *(VECTOR *)to = value;
    else memcpy(to, &value, lanes * sizeof(REAL));
}

INLINE REAL NAME(total)(VECTOR value) {
    REAL part[LANES];
    memcpy(part, &value, sizeof part);
    for (int half = LANES / 2; half; half /= 2)
        for (int lane = 0; lane < half; lane++) part[lane] += part[lane + half];
    return part[0];
}

// One row on one tile of the batch: `vectors` registers wide; `lanes` of the last are used.
INLINE void NAME(row)(const NAME(job) *job, int32_t row, int64_t column, const int vectors, const int lanes,
                      const int has_sum, const int has_dot) {
    VECTOR sum[8] = {0}, own[8] = {0};
    const int64_t at = row * job->batch + column;
    if (has_dot)
        for (int v = 0; v < vectors; v++) own[v] = NAME(load)(job->own + at + v * LANES, lanes);
    for (int64_t edge = job->start[row]; edge < job->start[row + 1]; edge++) {
        const REAL *source = job->source + job->index[edge] * job->batch + column;
        const int64_t place = job->order ? job->order[edge] : edge;
        VECTOR dot = {0};
        for (int v = 0; v < vectors; v++) {
            const VECTOR value = NAME(load)(source + v * LANES, lanes);
            if (has_sum) sum[v] += job->weight[place] * value;
            if (has_dot) dot += own[v] * value;
        }
        if (has_dot) {
            if (column) job->dot[place] += NAME(total)(dot);
            else job->dot[place] = NAME(total)(dot);
        }
    }
    if (has_sum)
        for (int v = 0; v < vectors; v++) NAME(store)(job->sum + at + v * LANES, sum[v], lanes);
}

INLINE void NAME(rows)(const NAME(job) *job, int32_t first, int32_t last, const int has_sum, const int has_dot) {
    int64_t column = 0;
#define TILES(vectors)                                                    \
    for (; column + vectors * LANES <= job->batch; column += vectors * LANES) \
        for (int32_t row = first; row < last; row++)                      \
            NAME(row)(job, row, column, vectors, LANES, has_sum, has_dot);
    TILES(8)
    TILES(4)
    TILES(2)
    TILES(1)
#undef TILES
    if (column < job->batch)
        for (int32_t row = first; row < last; row++)
            NAME(row)(job, row, column, 1, (int)(job->batch - column), has_sum, has_dot);
}

static void NAME(work)(void *given) {
    NAME(job) *job = given;
    for (;;) {
        const int64_t share = __atomic_fetch_add(&job->ticket, 1, __ATOMIC_RELAXED);
        if (share >= job->shares) return;
        const int32_t first = share_of_rows(job->start, job->rows, share, job->shares);
        const int32_t last = share_of_rows(job->start, job->rows, share + 1, job->shares);
        if (!job->dot) NAME(rows)(job, first, last, 1, 0);
        else if (!job->sum) NAME(rows)(job, first, last, 0, 1);
        else NAME(rows)(job, first, last, 1, 1);
    }
}

// sum[row,:] = sum of weight[e] * source[index[e],:], and dot[e] = source[index[e],:] . own[row,:]
int NAME(sparse)(parallel_t *parallel, int64_t threads, int64_t rows, int64_t sources, int64_t batch,
                 const int32_t *start, const int32_t *index, const int32_t *order, const REAL *weight,
                 const REAL *source, const REAL *own, REAL *sum, REAL *dot) {
    NAME(job) job = {start, index, order, weight, source, own, sum, dot, batch, threads, 0, (int32_t)rows};
    (void)sources;
    if (!sum && !dot) return 0;
    if (batch == 0) {
        if (dot) memset(dot, 0, start[rows] * sizeof(REAL));
        return 0;
    }
    if (!parallel || threads < 2 || (start[rows] + rows) * batch < 100000) {
        job.shares = 1;
        NAME(work)(&job);
    } else parallel(NAME(work), &job, threads, 0);
    return 0;
}

#undef LANES
#undef VECTOR
#endif
