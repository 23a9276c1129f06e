// The sparse step on fixed edges, forward and backward, for one type of number.
// Enters: compressed rows, weights, rates (cells, batch). Leaves: drive, and the gradients of rates and weights.
//
// Compiled when first used by kernel.py. Every output is summed by one thread, in one order: any number of threads
// gives the same bits. The batch is cut into tiles of at most 8 vectors, whose sums stay in registers for a whole row.
// Where sources outgrow the second cache, tiles are narrow so that the sources of one tile stay near, and they are
// packed tile by tile: rows that lie a power of two apart would share a few sets of the cache.

#ifndef REAL

#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif

// Sums, and in the backward pass as many rates and four products, fill the registers.
#define WIDEST (BYTES == 32 ? 4 : 8)

#define INLINE static inline __attribute__((always_inline))
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(word) JOIN(word, SUFFIX)
#define UNROLLED _Pragma("GCC unroll 8")
#ifdef __has_builtin
#if __has_builtin(__builtin_shufflevector)
#define SHUFFLE __builtin_shufflevector
#endif
#endif
// What is read for two products is read once: compilers would rather read it twice from memory.
#ifdef __AVX512F__
#define IN_REGISTER(value) __asm__("" : "+v"(value))
#else
#define IN_REGISTER(value)
#endif
#define SMALL_WORK 100000
#define LARGE_PAGE ((size_t)2 << 20)
#define LARGE_WORK ((size_t)4 << 20)
#define SECOND_CACHE (3 << 19)
#define THIRD_CACHE (1 << 23)

// Torch's own pool of threads, handed over by Python: a second one would spin on the same cores.
typedef void parallel_t(void (*work)(void *), void *job, unsigned threads, unsigned flags);

// The first row that begins at or after a place, where each row takes as many places as it has edges, and one more.
static int64_t row_after(const int32_t *start, int64_t rows, int64_t place) {
    int64_t low = 0, high = rows;
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (start[middle] + middle < place) low = middle + 1;
        else high = middle;
    }
    return low;
}

// Room for what is read at random: large pages, where the system has them.
static void *room(size_t bytes) {
    void *made = NULL;
    if (posix_memalign(&made, bytes < LARGE_WORK ? 64 : LARGE_PAGE, bytes)) return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= LARGE_WORK) madvise(made, bytes / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
#endif
    return made;
}

#define REAL float
#define SUFFIX _float32
#define LANES (BYTES / 4)
#include "kernel.c"
#undef REAL
#undef SUFFIX
#undef LANES
#define REAL double
#define SUFFIX _float64
#define LANES (BYTES / 8)
#include "kernel.c"

#else

typedef REAL NAME(vector) __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));
typedef REAL NAME(quad) __attribute__((vector_size(4 * sizeof(REAL))));
#define VECTOR NAME(vector)

typedef struct {
    const int32_t *start, *index, *order;
    const REAL *weight, *source, *own;
    REAL *sum, *dot;
    int64_t batch, edges, rows, sources, vectors, ahead, shares, ticket;
    REAL *packed, *sorted_weight, *sorted_dot;  // copies: of the source by tile, and in the order of these rows
} NAME(job);

// A part of the batch, `left` numbers wide, and where its sources are.
typedef struct {
    const REAL *source;
    int64_t column, stride, left;
} NAME(tile);

INLINE VECTOR NAME(load)(const REAL *from, int64_t left) {
    if (left >= LANES) return *(const VECTOR *)from;
    VECTOR value = {0};
    if (left > 0) memcpy(&value, from, left * sizeof(REAL));
    return value;
}

INLINE void NAME(store)(REAL *to, VECTOR value, int64_t left) {
    if (left >= LANES) *(VECTOR *)to = value;
    else if (left > 0) memcpy(to, &value, left * sizeof(REAL));
}

#ifdef SHUFFLE
// The totals of four vectors. Halves are added down to four lanes, then four by four are turned.
INLINE NAME(quad) NAME(fold)(VECTOR value) {
#if LANES == 16
    typedef REAL half __attribute__((vector_size(BYTES / 2)));
    const half low = SHUFFLE(value, value, 0, 1, 2, 3, 4, 5, 6, 7);
    const half sum = low + SHUFFLE(value, value, 8, 9, 10, 11, 12, 13, 14, 15);
    return SHUFFLE(sum, sum, 0, 1, 2, 3) + SHUFFLE(sum, sum, 4, 5, 6, 7);
#elif LANES == 8
    return SHUFFLE(value, value, 0, 1, 2, 3) + SHUFFLE(value, value, 4, 5, 6, 7);
#elif LANES == 4
    return value;
#else
    return (NAME(quad)){value[0], value[1], 0, 0};
#endif
}

INLINE NAME(quad) NAME(totals)(const VECTOR value[4]) {
    NAME(quad) four[4];
    for (int k = 0; k < 4; k++) four[k] = NAME(fold)(value[k]);
    const NAME(quad) low = SHUFFLE(four[0], four[1], 0, 4, 1, 5) + SHUFFLE(four[0], four[1], 2, 6, 3, 7);
    const NAME(quad) high = SHUFFLE(four[2], four[3], 0, 4, 1, 5) + SHUFFLE(four[2], four[3], 2, 6, 3, 7);
    return SHUFFLE(low, high, 0, 1, 4, 5) + SHUFFLE(low, high, 2, 3, 6, 7);
}
#else  // GCC before 12
INLINE NAME(quad) NAME(totals)(const VECTOR value[4]) {
    NAME(quad) total = {0};
    for (int k = 0; k < 4; k++)
        for (int lane = 0; lane < LANES; lane++) total[k] += value[k][lane];
    return total;
}
#endif

// `count` edges of one row at once, on one tile.
INLINE void NAME(edges)(const NAME(job) *job, const NAME(tile) *tile, int64_t edge, const int count, const int vectors,
                        const int has_sum, const int has_dot, const VECTOR own[8], VECTOR sum[8]) {
    const REAL *weight = job->sorted_weight ? job->sorted_weight : job->weight;
    const int32_t *order = job->sorted_weight ? NULL : job->order;
    VECTOR dot[4] = {0};
    UNROLLED for (int k = 0; k < count; k++) {
        const REAL *source = tile->source + job->index[edge + k] * tile->stride;
        const REAL factor = has_sum ? weight[order ? order[edge + k] : edge + k] : 0;
        if (job->ahead) {
            const int64_t then = edge + k + job->ahead;
            const REAL *next = tile->source + job->index[then < job->edges ? then : edge] * tile->stride;
            UNROLLED for (int v = 0; v < vectors; v++) __builtin_prefetch(next + v * LANES);
        }
        UNROLLED for (int v = 0; v < vectors; v++) {
            VECTOR value = *(const VECTOR *)(source + v * LANES);
            IN_REGISTER(value);
            if (has_sum) sum[k % (8 / vectors) * vectors + v] += factor * value;
            if (has_dot) dot[k] += own[v] * value;
        }
    }
    if (!has_dot) return;
    const NAME(quad) total = NAME(totals)(dot);
    UNROLLED for (int k = 0; k < count; k++) {
        if (!job->sorted_dot) job->dot[job->order[edge + k]] = total[k];
        else if (tile->column) job->sorted_dot[edge + k] += total[k];
        else job->sorted_dot[edge + k] = total[k];
    }
}

// One row on one tile, whose vectors stay in registers. A narrow tile has several sums of each vector, since one
// would wait for itself at every edge.
INLINE void NAME(row)(const NAME(job) *job, const NAME(tile) *tile, int64_t row, const int vectors, const int has_sum,
                      const int has_dot, const int64_t left) {
    VECTOR sum[8] = {0}, own[8] = {0};
    const int64_t at = row * job->batch + tile->column;
    if (has_dot)
        UNROLLED for (int v = 0; v < vectors; v++) own[v] = NAME(load)(job->own + at + v * LANES, left - v * LANES);
    int64_t edge = job->start[row];
    for (; edge + 4 <= job->start[row + 1]; edge += 4)
        NAME(edges)(job, tile, edge, 4, vectors, has_sum, has_dot, own, sum);
    for (; edge < job->start[row + 1]; edge++)
        NAME(edges)(job, tile, edge, 1, vectors, has_sum, has_dot, own, sum);
    if (!has_sum) return;
    for (int v = vectors; v < (vectors == 1 ? 4 : 8); v++) sum[v % vectors] += sum[v];
    UNROLLED for (int v = 0; v < vectors; v++) NAME(store)(job->sum + at + v * LANES, sum[v], left - v * LANES);
}

INLINE void NAME(rows)(const NAME(job) *job, const NAME(tile) *tile, int64_t first, int64_t last, const int vectors,
                       const int has_sum, const int has_dot) {
    if (vectors > 1 || tile->left >= LANES)  // only the narrowest tile can end inside a vector
        for (int64_t row = first; row < last; row++)
            NAME(row)(job, tile, row, vectors, has_sum, has_dot, vectors * LANES);
    else
        for (int64_t row = first; row < last; row++)
            NAME(row)(job, tile, row, vectors, has_sum, has_dot, tile->left);
}

// Vectors of the tile that begins at a column: as many as the job allows and the batch fills.
INLINE int NAME(width)(const NAME(job) *job, int64_t column) {
    int vectors = (int)job->vectors;
    while (vectors > 1 && column + vectors * LANES > job->batch) vectors /= 2;
    return vectors;
}

INLINE void NAME(tiles)(const NAME(job) *job, int64_t first, int64_t last, const int has_sum, const int has_dot) {
    for (int64_t column = 0; column < job->batch;) {
        const int vectors = NAME(width)(job, column);
        NAME(tile) tile = {job->source + column, column, job->batch, job->batch - column};
        if (job->packed) {
            tile.source = job->packed + column * job->sources;
            tile.stride = vectors * LANES;
        }
        if (vectors == 8) NAME(rows)(job, &tile, first, last, 8, has_sum, has_dot);
        else if (vectors == 4) NAME(rows)(job, &tile, first, last, 4, has_sum, has_dot);
        else if (vectors == 2) NAME(rows)(job, &tile, first, last, 2, has_sum, has_dot);
        else NAME(rows)(job, &tile, first, last, 1, has_sum, has_dot);
        column += vectors * LANES;
    }
}

// The next share of `total` things that no thread has taken.
INLINE int NAME(take)(NAME(job) *job, int64_t total, int64_t *first, int64_t *last) {
    const int64_t share = __atomic_fetch_add(&job->ticket, 1, __ATOMIC_RELAXED);
    *first = total * share / job->shares;
    *last = total * (share + 1) / job->shares;
    return share < job->shares;
}

static void NAME(multiply)(void *given) {
    NAME(job) *job = given;
    int64_t first, last;
    while (NAME(take)(job, job->edges + job->rows, &first, &last)) {
        first = row_after(job->start, job->rows, first);
        last = row_after(job->start, job->rows, last);
        if (!job->dot) NAME(tiles)(job, first, last, 1, 0);
        else if (!job->sum) NAME(tiles)(job, first, last, 0, 1);
        else NAME(tiles)(job, first, last, 1, 1);
    }
}

// Copies sources tile by tile, filled up with zeros.
static void NAME(pack)(void *given) {
    NAME(job) *job = given;
    int64_t first, last;
    while (NAME(take)(job, job->sources, &first, &last))
        for (int64_t cell = first; cell < last; cell++)
            for (int64_t column = 0, numbers; column < job->batch; column += numbers) {
                numbers = NAME(width)(job, column) * LANES;
                for (int64_t at = 0; at < numbers; at += LANES)
                    *(VECTOR *)(job->packed + column * job->sources + cell * numbers + at) =
                        NAME(load)(job->source + cell * job->batch + column + at, job->batch - column - at);
            }
}

static void NAME(gather)(void *given) {
    NAME(job) *job = given;
    int64_t first, last;
    while (NAME(take)(job, job->edges, &first, &last))
        for (int64_t edge = first; edge < last; edge++) job->sorted_weight[edge] = job->weight[job->order[edge]];
}

static void NAME(scatter)(void *given) {
    NAME(job) *job = given;
    int64_t first, last;
    while (NAME(take)(job, job->edges, &first, &last))
        for (int64_t edge = first; edge < last; edge++) job->dot[job->order[edge]] = job->sorted_dot[edge];
}

static void NAME(run)(NAME(job) *job, void (*work)(void *), parallel_t *parallel, int64_t threads, int64_t shares) {
    job->ticket = 0;
    job->shares = shares;
    if (parallel && threads > 1) parallel(work, job, (unsigned)threads, 0);
    else work(job);
}

// How wide tiles are, measured on a Zen 4: as wide as can be while sources stay in the second cache; beyond it as
// narrow as to keep a tile in the third, at least two cache lines, four where each edge also costs a total.
static void NAME(choose)(NAME(job) *job) {
    job->vectors = WIDEST;
    if (job->sources * job->batch * (int64_t)sizeof(REAL) > SECOND_CACHE) {
        job->vectors = job->dot ? 4 : 2;
        while (job->vectors > 1 && job->sources * job->vectors * BYTES > THIRD_CACHE) job->vectors /= 2;
        job->ahead = 64 / job->vectors;
    }
}

// sum[row,:] = sum of weight[e] * source[index[e],:], and dot[e] = source[index[e],:] . own[row,:], where wanted.
// Returns 1 where there is no room for copies.
int NAME(sparse)(parallel_t *parallel, int64_t threads, int64_t rows, int64_t sources, int64_t batch,
                 const int32_t *start, const int32_t *index, const int32_t *order, const REAL *weight,
                 const REAL *source, const REAL *own, REAL *sum, REAL *dot) {
    NAME(job) job = {.start = start, .index = index, .order = order, .weight = weight, .source = source, .own = own,
                     .sum = sum, .dot = dot, .batch = batch, .edges = start[rows], .rows = rows, .sources = sources};
    if (!sum && !dot) return 0;
    if (batch == 0) {
        if (dot) memset(dot, 0, job.edges * sizeof(REAL));
        return 0;
    }
    if ((job.edges + rows) * batch < SMALL_WORK) threads = 1;
    NAME(choose)(&job);
    const int64_t padded = (batch + LANES - 1) / LANES * LANES;
    const int is_cut = NAME(width)(&job, 0) * LANES < batch;
    int failed = 0;
    if (batch < padded || (is_cut && job.vectors < WIDEST))
        failed |= !(job.packed = room(sources * padded * sizeof(REAL)));
    if (is_cut && order && sum) failed |= !(job.sorted_weight = room(job.edges * sizeof(REAL)));
    if (is_cut && dot) failed |= !(job.sorted_dot = room(job.edges * sizeof(REAL)));
    if (!failed) {
        if (job.packed) NAME(run)(&job, NAME(pack), parallel, threads, threads);
        if (job.sorted_weight) NAME(run)(&job, NAME(gather), parallel, threads, threads);
        NAME(run)(&job, NAME(multiply), parallel, threads, threads);
        if (job.sorted_dot) NAME(run)(&job, NAME(scatter), parallel, threads, threads);
    }
    free(job.packed);
    free(job.sorted_weight);
    free(job.sorted_dot);
    return failed;
}

#undef VECTOR
#endif
