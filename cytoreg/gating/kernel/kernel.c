/* The gates of a tree applied to tiles of events: what is certain is decided here, the rest is left to NumPy.

   Contract with cytoreg/gating/kernel/pack.py, which lays out every array and has checked every index before the
   call; struct fields are 8 bytes each. No memory is allocated here, nothing is kept between calls, and a tile is
   decided without a look at any other, so that threads may share a file in any way.

   Exactness: a compensated value is the same float64 sum, in the same order, as cytoreg.compensation.apply (the
   build forbids contraction to fused multiply-add). Display values come from a table in float32 whose error is
   bounded (`error`, from curve.py). An event that lies nearer to a gate's edge than that bound, or that has a value
   that is not finite, is `undecided`: NumPy decides it by the reference itself. Where all axes of a gate are linear
   the expressions below are those of cytoreg/gating/gates.py, and nothing is undecided. */

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef KERNEL_SOURCE
#define KERNEL_SOURCE 0
#endif
#define TILE 256
#define WORDS (TILE / 64)
#define SIDE 128
#ifndef DENSE
#define DENSE (TILE / 2) /* so many of a tile are decided faster together than one by one */
#endif
#ifdef _WIN32
#define API __declspec(dllexport)
#else
#define API __attribute__((visibility("default")))
#endif

enum { BOX, POLYGON, ELLIPSE, NOT, SAME, ANY, NOTHING, UNSURE, BINNED };
enum { OUT = 0, IN = 1, EDGE = 2 };

typedef struct { const char *base; int64_t stride, wide; } Channel; /* wide: 0 float32, 1 float64 */
typedef struct { int64_t channel; double weight; } Source;
typedef struct {
    int64_t first, count;             /* sources whose weighted sum is the linear value */
    int64_t over_first, over_count;   /* sources of the denominator of a ratio, if count > 0 */
    double a, b, c;                   /* a (sum - b) / (over - c) */
    int64_t curved;                   /* 0: the display value is the linear value */
    double offset;                    /* the table is looked up by the float32 bits of |x| + offset */
    int64_t shift, low_key, n_up, n_down, table;
    double error;                     /* of the display value from the table, display units */
} Axis;
typedef struct { float at_zero, slope; } Line;
typedef struct { int64_t axis; double out_to, in_from, in_to, out_from; } Bound; /* of the linear value */
typedef struct {
    int64_t axis_x, axis_y, first, count; /* vertices x, y, x, y ... in display units */
    int64_t raster;                       /* SIDE x SIDE cells: OUT, IN, EDGE */
    double low_x, low_y, per_x, per_y;    /* corner, and cells per display unit; float32 values */
} Polygon;
typedef struct { int64_t dims, axes, numbers; } Ellipse; /* numbers: center, precision row by row, distance squared */
typedef struct {
    int64_t axis_x, axis_y, cells, n_x, n_y;                  /* n_y rows of n_x cells: OUT or IN */
    double low_x, per_x, margin_x, low_y, per_y, margin_y;    /* margins in cells, below half a cell */
} Binned;
typedef struct { int64_t kind, domain, first, count; } Op; /* domain -1: all events */
typedef struct {
    const Channel *channels; int64_t n_channels;
    const Source *sources;
    const Axis *axes; int64_t n_axes;
    const Line *lines;
    const Bound *bounds;
    const Polygon *polygons; const double *vertices; const uint8_t *rasters;
    const Ellipse *ellipses; const double *numbers;
    const Binned *binned; const uint8_t *cells;
    const int64_t *operands;
    const Op *ops; int64_t n_ops;
    const int64_t *outputs; int64_t n_outputs;
} Plan;

typedef struct {
    const Plan *plan;
    int64_t start, n;
    double *raw, *x;             /* [channel][TILE], [axis][TILE] */
    float *u;                    /* [axis][TILE]: display; infinite: outside every gate on this axis */
    uint64_t *has_x, *has_u;     /* [axis][WORDS] */
    uint64_t *registers;         /* [op][WORDS] */
    int64_t *loaded;             /* [channel] */
    uint64_t undecided[WORDS];
} Tile;

static double raw_value(const Channel *channel, int64_t event)
{
    const char *at = channel->base + event * channel->stride;
    if (channel->wide) { double v; memcpy(&v, at, sizeof v); return v; }
    float v; memcpy(&v, at, sizeof v); return v;
}

static const double *column(Tile *t, int64_t c)
{
    double *to = t->raw + c * TILE;
    if (!t->loaded[c]) {
        const Channel *channel = t->plan->channels + c;
        const char *at = channel->base + t->start * channel->stride;
        const int64_t stride = channel->stride;
        if (channel->wide)
            for (int64_t i = 0; i < t->n; i++, at += stride) memcpy(to + i, at, sizeof(double));
        else
            for (int64_t i = 0; i < t->n; i++, at += stride) { float v; memcpy(&v, at, sizeof v); to[i] = v; }
        t->loaded[c] = 1;
    }
    return to;
}

static void sum_tile(Tile *t, int64_t first, int64_t count, double *to)
{
    const Source *source = t->plan->sources + first;
    for (int64_t s = 0; s < count; s++) column(t, source[s].channel);
    for (int i = 0; i < TILE; i += 8) {
        double sum[8];
        const double *from = t->raw + source[0].channel * TILE + i;
        for (int j = 0; j < 8; j++) sum[j] = from[j] * source[0].weight;
        for (int64_t s = 1; s < count; s++) {
            const double weight = source[s].weight;
            from = t->raw + source[s].channel * TILE + i;
            for (int j = 0; j < 8; j++) sum[j] += from[j] * weight;
        }
        for (int j = 0; j < 8; j++) to[i + j] = sum[j];
    }
}

/* The same sums for the n events listed in `at`, four at a time, since each is a chain of additions. */
static void sum_some(Tile *t, int64_t first, int64_t count, const int *at, int n, double *to)
{
    const Source *source = t->plan->sources + first;
    int64_t loaded = 1;
    for (int64_t s = 0; s < count; s++) loaded &= t->loaded[source[s].channel];
    if (!loaded && n < TILE / 16) { /* not worth a look at whole columns */
        for (int i = 0; i < n; i++) {
            double sum = raw_value(t->plan->channels + source[0].channel, t->start + at[i]) * source[0].weight;
            for (int64_t s = 1; s < count; s++)
                sum += raw_value(t->plan->channels + source[s].channel, t->start + at[i]) * source[s].weight;
            to[at[i]] = sum;
        }
        return;
    }
    for (int64_t s = 0; s < count; s++) column(t, source[s].channel);
    for (int i = 0; i < n; i += 4) {
        const int a = at[i], b = at[i + 1 < n ? i + 1 : i], c = at[i + 2 < n ? i + 2 : i], d = at[i + 3 < n ? i + 3 : i];
        const double *from = t->raw + source[0].channel * TILE;
        double weight = source[0].weight;
        double sum_a = from[a] * weight, sum_b = from[b] * weight, sum_c = from[c] * weight, sum_d = from[d] * weight;
        for (int64_t s = 1; s < count; s++) {
            from = t->raw + source[s].channel * TILE;
            weight = source[s].weight;
            sum_a += from[a] * weight;
            sum_b += from[b] * weight;
            sum_c += from[c] * weight;
            sum_d += from[d] * weight;
        }
        to[a] = sum_a, to[b] = sum_b, to[c] = sum_c, to[d] = sum_d;
    }
}

static int bits_in(const uint64_t *words)
{
    int n = 0;
    for (int w = 0; w < WORDS; w++) n += __builtin_popcountll(words[w]);
    return n;
}

#define FOR_EACH(words, i) \
    for (int w_ = 0; w_ < WORDS; w_++) \
        for (uint64_t b_ = (words)[w_]; b_; b_ &= b_ - 1) \
            for (int i = w_ * 64 + __builtin_ctzll(b_), once_ = 1; once_; once_ = 0)

static void doubt(Tile *t, int i) { t->undecided[i >> 6] |= (uint64_t)1 << (i & 63); }

/* Linear values of an axis for at least the events in `domain`. */
static const double *linear(Tile *t, int64_t a, const uint64_t *domain)
{
    const Axis *axis = t->plan->axes + a;
    double *x = t->x + a * TILE;
    uint64_t *has = t->has_x + a * WORDS, need[WORDS];
    for (int w = 0; w < WORDS; w++) need[w] = domain[w] & ~has[w];
    int n = bits_in(need);
    if (n == 0) return x;
    if (n >= DENSE) {
        sum_tile(t, axis->first, axis->count, x);
        if (axis->over_count) {
            double over[TILE];
            sum_tile(t, axis->over_first, axis->over_count, over);
            for (int i = 0; i < TILE; i++) x[i] = axis->a * (x[i] - axis->b) / (over[i] - axis->c);
        }
        memset(has, 0xff, WORDS * sizeof *has);
        double odd[8] = {0};
        for (int i = 0; i < TILE; i += 8)
            for (int j = 0; j < 8; j++) odd[j] += x[i + j] * 0.0;
        for (int j = 1; j < 8; j++) odd[0] += odd[j];
        if (odd[0] != 0) /* something is not finite */
            for (int i = 0; i < TILE; i++)
                if (!(x[i] - x[i] == 0)) doubt(t, i);
    } else {
        int at[TILE], k = 0;
        FOR_EACH(need, i) at[k++] = i;
        sum_some(t, axis->first, axis->count, at, n, x);
        if (axis->over_count) {
            double over[TILE];
            sum_some(t, axis->over_first, axis->over_count, at, n, over);
            for (k = 0; k < n; k++) x[at[k]] = axis->a * (x[at[k]] - axis->b) / (over[at[k]] - axis->c);
        }
        for (k = 0; k < n; k++)
            if (!(x[at[k]] - x[at[k]] == 0)) doubt(t, at[k]);
        for (int w = 0; w < WORDS; w++) has[w] |= need[w];
    }
    return x;
}

static inline float look_up(const Axis *axis, const Line *lines, double x)
{
    float key = (float)(fabs(x) + axis->offset);
    uint32_t bits;
    memcpy(&bits, &key, sizeof bits);
    const uint32_t up = (uint32_t)axis->n_up, down = (uint32_t)axis->n_down;
    const int below = x < 0;
    const uint32_t last = (below ? down : up) - 1; /* the last line of each side is for what lies beyond */
    uint32_t k = (bits >> axis->shift) - (uint32_t)axis->low_key;
    k = k < last ? k : last;
    const Line line = lines[k + (below ? up : 0)];
    return line.at_zero + line.slope * key;
}

/* Display values of an axis, within `error`, for at least the events in `domain`. */
static const float *display(Tile *t, int64_t a, const uint64_t *domain)
{
    const Axis *axis = t->plan->axes + a;
    float *u = t->u + a * TILE;
    uint64_t *has = t->has_u + a * WORDS, need[WORDS];
    for (int w = 0; w < WORDS; w++) need[w] = domain[w] & ~has[w];
    int n = bits_in(need);
    if (n == 0) return u;
    const double *x = linear(t, a, domain);
    const Line *lines = t->plan->lines + axis->table;
    int odd = 0;
    if (n >= DENSE) {
        if (axis->curved)
            for (int i = 0; i < TILE; i++) { u[i] = look_up(axis, lines, x[i]); odd |= u[i] != u[i]; }
        else
            for (int i = 0; i < TILE; i++) u[i] = (float)x[i];
        for (int w = 0; w < WORDS; w++) has[w] |= t->has_x[a * WORDS + w]; /* elsewhere x is of an earlier tile */
    } else {
        FOR_EACH(need, i) { u[i] = axis->curved ? look_up(axis, lines, x[i]) : (float)x[i]; odd |= u[i] != u[i]; }
        for (int w = 0; w < WORDS; w++) has[w] |= need[w];
    }
    if (odd)
        FOR_EACH(has, i) if (u[i] != u[i]) doubt(t, i);
    return u;
}

/* Bit j of the result is the lowest bit of byte j. */
static uint64_t pack(const uint8_t *bytes)
{
    uint64_t packed = 0;
    for (int g = 0; g < 8; g++) {
        uint64_t eight;
        memcpy(&eight, bytes + 8 * g, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        eight = __builtin_bswap64(eight);
#endif
        packed |= (((eight & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56) << (8 * g);
    }
    return packed;
}

static void box(Tile *t, const Op *op, const uint64_t *domain, uint64_t *to)
{
    memcpy(to, domain, WORDS * sizeof *to);
    for (int64_t d = op->first; d < op->first + op->count; d++) {
        const Bound b = t->plan->bounds[d];
        const double *x = linear(t, b.axis, to);
        for (int w = 0; w < WORDS; w++) {
            if (!to[w]) continue;
            uint8_t in[64], out[64];
            for (int j = 0; j < 64; j++) {
                double v = x[w * 64 + j];
                in[j] = (v >= b.in_from) & (v <= b.in_to);
                out[j] = (v <= b.out_to) | (v >= b.out_from);
            }
            uint64_t inside = pack(in);
            t->undecided[w] |= to[w] & ~inside & ~pack(out);
            to[w] &= inside;
        }
    }
}

/* IN, OUT or EDGE (cannot say) for a point known within ex, ey. With both 0: gates.Polygon.contains, exactly. */
static int polygon_point(const double *v, int64_t count, double x, double ex, double y, double ey)
{
    double x0 = v[2 * count - 2], y0 = v[2 * count - 1];
    int inside = 0;
    if (ex == 0 && ey == 0) {
        double lx = v[0], hx = v[0], ly = v[1], hy = v[1];
        for (int64_t k = 1; k < count; k++) {
            lx = v[2 * k] < lx ? v[2 * k] : lx, hx = v[2 * k] > hx ? v[2 * k] : hx;
            ly = v[2 * k + 1] < ly ? v[2 * k + 1] : ly, hy = v[2 * k + 1] > hy ? v[2 * k + 1] : hy;
        }
        if (!(x >= lx && x <= hx && y >= ly && y <= hy)) return OUT;
        for (int64_t k = 0; k < count; k++) {
            const double x1 = v[2 * k], y1 = v[2 * k + 1];
            if (y0 != y1 && (y0 <= y) != (y1 <= y)) inside ^= x < x0 + (y - y0) * ((x1 - x0) / (y1 - y0));
            x0 = x1, y0 = y1;
        }
        return inside;
    }
    if (!(x - x == 0 && y - y == 0)) return OUT; /* infinite: outside every gate */
    for (int64_t k = 0; k < count; k++) {
        const double x1 = v[2 * k], y1 = v[2 * k + 1];
        if (y0 != y1) {
            const double rounding = 1e-14 * (fabs(x0) + fabs(x1) + fabs(x));
            const int right = x > (x0 > x1 ? x0 : x1) + ex + rounding; /* the edge is passed on its right: no crossing */
            if (!right && ey > 0 && (fabs(y - y0) <= ey || fabs(y - y1) <= ey)) return EDGE;
            if (!right && (y0 <= y) != (y1 <= y)) {
                const double slope = (x1 - x0) / (y1 - y0), gap = x0 + (y - y0) * slope - x;
                if (!(fabs(gap) > ex + fabs(slope) * ey + rounding)) return EDGE;
                inside ^= gap > 0;
            }
        }
        x0 = x1, y0 = y1;
    }
    return inside;
}

static inline int32_t cell_of(float u, float low, float per)
{
    float at = (u - low) * per;
    at = at > 0.0f ? at : 0.0f; /* also what is not a number */
    return (int32_t)(at < SIDE - 1.0f ? at : SIDE - 1.0f);
}

static void polygon(Tile *t, const Op *op, const uint64_t *domain, uint64_t *to)
{
    const Plan *p = t->plan;
    const Polygon g = p->polygons[op->first];
    const Axis *ax = p->axes + g.axis_x, *ay = p->axes + g.axis_y;
    const float *ux = display(t, g.axis_x, domain), *uy = display(t, g.axis_y, domain);
    const float lx = (float)g.low_x, ly = (float)g.low_y, px = (float)g.per_x, py = (float)g.per_y;
    const uint8_t *raster = p->rasters + g.raster;
    for (int w = 0; w < WORDS; w++) {
        uint64_t in = 0, edge = 0;
        const uint64_t asked = domain[w] & ~t->undecided[w];
        if (__builtin_popcountll(asked) > 20) {
            uint8_t cell[64];
            int32_t at[64];
            for (int j = 0; j < 64; j++)
                at[j] = cell_of(uy[w * 64 + j], ly, py) * SIDE + cell_of(ux[w * 64 + j], lx, px);
            for (int j = 0; j < 64; j++) cell[j] = raster[at[j]];
            in = pack(cell) & asked;
            for (int j = 0; j < 64; j++) cell[j] >>= 1;
            edge = pack(cell) & asked;
        } else {
            for (uint64_t b = asked; b; b &= b - 1) {
                const int i = w * 64 + __builtin_ctzll(b);
                const uint64_t cell = raster[cell_of(uy[i], ly, py) * SIDE + cell_of(ux[i], lx, px)];
                in |= (cell & 1) << (i & 63);
                edge |= (cell >> 1) << (i & 63);
            }
        }
        for (uint64_t b = edge; b; b &= b - 1) {
            const int j = __builtin_ctzll(b), i = w * 64 + j;
            const double x = ax->curved ? ux[i] : t->x[g.axis_x * TILE + i];
            const double y = ay->curved ? uy[i] : t->x[g.axis_y * TILE + i];
            const int side = polygon_point(p->vertices + 2 * g.first, g.count, x, ax->curved ? ax->error : 0, y,
                                           ay->curved ? ay->error : 0);
            if (side == EDGE) doubt(t, i);
            else in |= (uint64_t)side << j;
        }
        to[w] = in;
    }
}

static void ellipse(Tile *t, const Op *op, const uint64_t *domain, uint64_t *to)
{
    const Plan *p = t->plan;
    const Ellipse g = p->ellipses[op->first];
    const int64_t *axes = p->operands + g.axes, k = g.dims;
    const double *center = p->numbers + g.numbers, *precision = center + k, limit = precision[k * k];
    int curved = 0;
    for (int64_t d = 0; d < k; d++) {
        display(t, axes[d], domain);
        curved |= p->axes[axes[d]].curved != 0;
    }
    uint64_t inside[WORDS] = {0};
    FOR_EACH(domain, e) {
        double squared = 0, slack = 0;
        for (int64_t i = 0; i < k; i++) {
            const Axis *ai = p->axes + axes[i];
            const double di = (ai->curved ? t->u[axes[i] * TILE + e] : t->x[axes[i] * TILE + e]) - center[i];
            const double ei = ai->curved ? ai->error : 0;
            for (int64_t j = 0; j < k; j++) {
                const Axis *aj = p->axes + axes[j];
                const double dj = (aj->curved ? t->u[axes[j] * TILE + e] : t->x[axes[j] * TILE + e]) - center[j];
                const double ej = aj->curved ? aj->error : 0, weight = precision[i * k + j];
                squared += weight * (di * dj);
                slack += fabs(weight) * (fabs(di) * ej + fabs(dj) * ei + ei * ej + 1e-13 * fabs(di * dj));
            }
        }
        if (!curved) inside[e >> 6] |= (uint64_t)(squared <= limit) << (e & 63);
        else if (squared - squared != 0) continue; /* an infinite display value: outside every gate */
        else if (fabs(squared - limit) <= slack + 1e-13 * limit) doubt(t, e);
        else inside[e >> 6] |= (uint64_t)(squared < limit) << (e & 63);
    }
    memcpy(to, inside, sizeof inside);
}

static inline int64_t bin_of(double at, int64_t n)
{
    at = at > 0 ? at : 0; /* also what is not a number; an event off the axis counts in the bin at its end */
    return at < (double)(n - 1) ? (int64_t)at : n - 1;
}

/* A gate that FlowJo's rule decides by the bins that an event is in: undecided where its neighbours differ and the
   event may be in either. */
static void binned(Tile *t, const Op *op, const uint64_t *domain, uint64_t *to)
{
    const Plan *p = t->plan;
    const Binned g = p->binned[op->first];
    const int curved_x = p->axes[g.axis_x].curved != 0, curved_y = p->axes[g.axis_y].curved != 0;
    if (curved_x) display(t, g.axis_x, domain); else linear(t, g.axis_x, domain);
    if (curved_y) display(t, g.axis_y, domain); else linear(t, g.axis_y, domain);
    uint64_t inside[WORDS] = {0};
    FOR_EACH(domain, i) {
        const double x = curved_x ? t->u[g.axis_x * TILE + i] : t->x[g.axis_x * TILE + i];
        const double y = curved_y ? t->u[g.axis_y * TILE + i] : t->x[g.axis_y * TILE + i];
        const double at_x = (x - g.low_x) * g.per_x, at_y = (y - g.low_y) * g.per_y;
        const int64_t left = bin_of(at_x - g.margin_x, g.n_x), right = bin_of(at_x + g.margin_x, g.n_x);
        const uint8_t *low = p->cells + g.cells + bin_of(at_y - g.margin_y, g.n_y) * g.n_x;
        const uint8_t *high = p->cells + g.cells + bin_of(at_y + g.margin_y, g.n_y) * g.n_x;
        const int all = low[left] + low[right] + high[left] + high[right];
        if (all == 4) inside[i >> 6] |= (uint64_t)1 << (i & 63);
        else if (all) doubt(t, i);
    }
    memcpy(to, inside, sizeof inside);
}

static void decide_tile(Tile *t, const uint64_t *valid)
{
    const Plan *p = t->plan;
    for (int64_t o = 0; o < p->n_ops; o++) {
        const Op *op = p->ops + o;
        uint64_t domain[WORDS], some = 0, *to = t->registers + o * WORDS;
        const uint64_t *from = op->domain < 0 ? valid : t->registers + op->domain * WORDS;
        for (int w = 0; w < WORDS; w++) some |= domain[w] = from[w] & ~t->undecided[w];
        memset(to, 0, WORDS * sizeof *to);
        if (!some) continue;
        const int64_t *operand = p->operands + op->first;
        switch (op->kind) {
        case BOX: box(t, op, domain, to); break;
        case POLYGON: polygon(t, op, domain, to); break;
        case ELLIPSE: ellipse(t, op, domain, to); break;
        case BINNED: binned(t, op, domain, to); break;
        case NOT:
            for (int w = 0; w < WORDS; w++) to[w] = domain[w] & ~t->registers[operand[0] * WORDS + w];
            break;
        case SAME: case ANY:
            for (int64_t k = 0; k < op->count; k++)
                for (int w = 0; w < WORDS; w++) to[w] |= domain[w] & t->registers[operand[k] * WORDS + w];
            break;
        case UNSURE:
            for (int w = 0; w < WORDS; w++) t->undecided[w] |= domain[w];
            break;
        default: break; /* NOTHING */
        }
    }
}

API int64_t cytoreg_source(void) { return KERNEL_SOURCE; }
API int64_t cytoreg_tile(void) { return TILE; }

/* Bytes that `scratch` of cytoreg_decide must have, zeroed before the first call. */
API int64_t cytoreg_scratch(int64_t n_channels, int64_t n_axes, int64_t n_ops)
{
    return (n_channels * TILE + n_axes * TILE) * 8 + n_axes * TILE * 4 + (2 * n_axes + n_ops) * WORDS * 8 + n_channels * 8;
}

/* Decide the tiles from first_tile to before last_tile of n_events events. masks: a row of `row_bytes` bytes for each
   output and one more for what is undecided (in none of the others); bit i % 8 of byte i / 8 is event i. row_bytes is
   a multiple of TILE / 8. counts: n_outputs, added to. */
API void cytoreg_decide(const Plan *plan, int64_t n_events, int64_t first_tile, int64_t last_tile, char *scratch,
                        uint8_t *masks, int64_t row_bytes, int64_t *counts)
{
    Tile t = {.plan = plan};
    t.raw = (double *)scratch;
    t.x = t.raw + plan->n_channels * TILE;
    t.has_x = (uint64_t *)(t.x + plan->n_axes * TILE);
    t.has_u = t.has_x + plan->n_axes * WORDS;
    t.registers = t.has_u + plan->n_axes * WORDS;
    t.loaded = (int64_t *)(t.registers + plan->n_ops * WORDS);
    t.u = (float *)(t.loaded + plan->n_channels);
    for (int64_t tile = first_tile; tile < last_tile; tile++) {
        t.start = tile * TILE;
        t.n = n_events - t.start < TILE ? n_events - t.start : TILE;
        uint64_t valid[WORDS];
        for (int w = 0; w < WORDS; w++) {
            int64_t left = t.n - w * 64;
            valid[w] = left >= 64 ? ~(uint64_t)0 : left <= 0 ? 0 : ((uint64_t)1 << left) - 1;
        }
        memset(t.has_x, 0, (size_t)(2 * plan->n_axes * WORDS) * 8);
        memset(t.loaded, 0, (size_t)plan->n_channels * 8);
        memset(t.undecided, 0, sizeof t.undecided);
        decide_tile(&t, valid);
        for (int64_t o = 0; o <= plan->n_outputs; o++) {
            uint64_t row[WORDS];
            for (int w = 0; w < WORDS; w++) {
                const uint64_t open = t.undecided[w] & valid[w];
                row[w] = o == plan->n_outputs ? open : t.registers[plan->outputs[o] * WORDS + w] & ~open;
            }
            memcpy(masks + o * row_bytes + tile * (TILE / 8), row, sizeof row);
            if (o < plan->n_outputs) counts[o] += bits_in(row);
        }
    }
}

/* The cells of a polygon: EDGE where an edge comes within margin_x, margin_y of a cell (in cells), else IN or OUT as
   the cell's center. points: x, y of each vertex in cells. */
API void cytoreg_raster(const double *points, int64_t count, double margin_x, double margin_y,
                        uint8_t *cells)
{
    memset(cells, 0, SIDE * SIDE);
    for (int64_t k = 0; k < count; k++) { /* parity of each center, in bit 0 */
        const double *p = points + 2 * (k ? k - 1 : count - 1), *q = points + 2 * k;
        if (p[1] == q[1]) continue;
        for (int64_t r = 0; r < SIDE; r++) {
            const double y = (double)r + 0.5;
            if ((p[1] <= y) == (q[1] <= y)) continue;
            double to = ceil(p[0] + (y - p[1]) * ((q[0] - p[0]) / (q[1] - p[1])) - 0.5);
            int64_t end = to > 0 ? (to < (double)SIDE ? (int64_t)to : SIDE) : 0;
            for (int64_t c = 0; c < end; c++) cells[r * SIDE + c] ^= 1;
        }
    }
    for (int64_t k = 0; k < count; k++) {
        const double *p = points + 2 * (k ? k - 1 : count - 1), *q = points + 2 * k;
        if (p[1] > q[1]) { const double *swap = p; p = q; q = swap; }
        double first = floor(p[1] - margin_y), last = floor(q[1] + margin_y);
        first = first > 0 ? first : 0;
        last = last < SIDE - 1.0 ? last : SIDE - 1.0;
        for (double r = first; r <= last; r++) {
            double low = p[0], high = q[0];
            if (q[1] > p[1]) {
                const double slope = (q[0] - p[0]) / (q[1] - p[1]);
                if (r - margin_y > p[1]) low = p[0] + (r - margin_y - p[1]) * slope;
                if (r + 1 + margin_y < q[1]) high = p[0] + (r + 1 + margin_y - p[1]) * slope;
            }
            if (low > high) { double swap = low; low = high; high = swap; }
            low = floor(low - margin_x), high = floor(high + margin_x);
            low = low > 0 ? low : 0;
            high = high < SIDE - 1.0 ? high : SIDE - 1.0;
            for (int64_t c = (int64_t)low; c <= (int64_t)high && low <= high; c++)
                cells[(int64_t)r * SIDE + c] = EDGE;
        }
    }
}

/* What the methods that place gates ask of many events (cytoreg/gating/kernel/fits.py, which holds the NumPy paths and
   allocates every array). Order statistics, counts and valleys are those of NumPy to the bit; sums are added event by
   event, which is NumPy's result to within rounding. All values are finite. */

static void swap_rows(double *a, double *b) { const double t = *a; *a = *b; *b = t; }

static void sort_values(double *x, int64_t n) /* heap sort: no worst case */
{
    for (int64_t end = n, start = n / 2; end > 1;) {
        if (start > 0) start--;
        else { end--; swap_rows(x, x + end); }
        for (int64_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && x[child] < x[child + 1]) child++;
            if (!(x[root] < x[child])) break;
            swap_rows(x + root, x + child);
        }
    }
}

#define CELLS 2048
/* The values of some ascending ranks, of n values of which `before` others are smaller. rest: room for so many values. */
static void order_of(const double *x, int64_t n, const int64_t *ranks, int64_t m, int64_t before, double *out,
                     double *rest, int64_t room, int depth)
{
    double low = x[0], high = x[0];
    for (int64_t i = 1; i < n; i++) { low = x[i] < low ? x[i] : low; high = x[i] > high ? x[i] : high; }
    const double per = (double)(CELLS - 1) / (high - low);
    if (low == high || n < 64 || depth > 12 || room < 2 * n || !(per < 1e300) || !(high - low < 1e300)) {
        if (low != high) { memmove(rest, x, (size_t)n * 8); sort_values(rest, n); }
        for (int64_t k = 0; k < m; k++) out[k] = low == high ? low : rest[ranks[k] - before];
        return;
    }
    int64_t count[CELLS] = {0};
    for (int64_t i = 0; i < n; i++) count[(int64_t)((x[i] - low) * per)]++;
    int64_t below = before;
    for (int64_t cell = 0, k = 0; cell < CELLS && k < m; below += count[cell++]) {
        int64_t end = k;
        while (end < m && ranks[end] < below + count[cell]) end++;
        if (end == k) continue;
        int64_t there = 0;
        for (int64_t i = 0; i < n; i++) {
            rest[there] = x[i];
            there += (int64_t)((x[i] - low) * per) == cell;
        }
        order_of(rest, there, ranks + k, end - k, below, out + k, rest + there, room - there, depth + 1);
        k = end;
    }
}

/* The values of some ascending ranks of n values. rest: room for 4 n values. */
API void cytoreg_order(const double *x, int64_t n, const int64_t *ranks, int64_t m, double *out, double *rest)
{
    order_of(x, n, ranks, m, 0, out, rest, 4 * n, 0);
}

/* Numbers of values between even edges, each bin without its right edge but the last. */
API void cytoreg_histogram(const double *x, int64_t n, const double *edges, int64_t bins, int64_t *counts)
{
    const double low = edges[0], high = edges[bins], per = (double)bins / (high - low);
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] >= low && x[i] <= high)) continue;
        int64_t at = (int64_t)((x[i] - low) * per);
        at = at < bins ? at : bins - 1;
        while (at > 0 && x[i] < edges[at]) at--;
        while (at < bins - 1 && x[i] >= edges[at + 1]) at++;
        counts[at]++;
    }
}

/* Numbers of values in even bins, those beyond an end in the last one there. */
API void cytoreg_bins(const double *x, int64_t n, double low, double per, int64_t bins, int64_t *counts)
{
    for (int64_t i = 0; i < n; i++) {
        double at = (x[i] - low) * per;
        at = at > 0 ? at : 0;
        counts[at < (double)(bins - 1) ? (int64_t)at : bins - 1]++;
    }
}

static int comes_first(const double *p, const double *q)
{
    return p[1] < q[1] || (p[1] == q[1] && p[0] < q[0]);
}

/* Every step-th of n points x, y in the order of y, then x. place: room for n + 2^16 + 1 numbers. sorted: for 2 n values. */
API void cytoreg_thin(const double *x, const double *y, int64_t n, int64_t step, double *out, int64_t *place,
                      double *sorted)
{
    enum { BUCKETS = 65536 };
    int64_t *first = place + n;
    double low = y[0], high = y[0];
    for (int64_t i = 1; i < n; i++) { low = y[i] < low ? y[i] : low; high = y[i] > high ? y[i] : high; }
    const double per = high > low ? (double)(BUCKETS - 1) / (high - low) : 0.0;
    memset(first, 0, (BUCKETS + 1) * 8);
    for (int64_t i = 0; i < n; i++) { place[i] = (int64_t)((y[i] - low) * per); first[place[i] + 1]++; }
    for (int64_t b = 0; b < BUCKETS; b++) first[b + 1] += first[b];
    for (int64_t i = 0; i < n; i++) {
        double *at = sorted + 2 * first[place[i]]++;
        at[0] = x[i]; at[1] = y[i];
    }
    int64_t start = 0, wanted = 0;
    for (int64_t b = 0; b < BUCKETS && wanted < n; start = first[b++]) {
        const int64_t size = first[b] - start;
        if (wanted >= first[b]) continue;
        double *p = sorted + 2 * start;
        for (int64_t end = size, from = size / 2; end > 1;) {
            if (from > 0) from--;
            else { end--; swap_rows(p, p + 2 * end); swap_rows(p + 1, p + 2 * end + 1); }
            for (int64_t root = from, child; (child = 2 * root + 1) < end; root = child) {
                if (child + 1 < end && comes_first(p + 2 * child, p + 2 * child + 2)) child++;
                if (!comes_first(p + 2 * root, p + 2 * child)) break;
                swap_rows(p + 2 * root, p + 2 * child);
                swap_rows(p + 2 * root + 1, p + 2 * child + 1);
            }
        }
        for (; wanted < first[b]; wanted += step, out += 2) {
            out[0] = sorted[2 * wanted];
            out[1] = sorted[2 * wanted + 1];
        }
    }
}

#define MOST_K 8
#define BLOCK 64
/* EM of a mixture of k t (df finite) or normal distributions in d = 1 or 2 dimensions, from given numbers, until the mean log
   likelihood moves by less than `rest`. z: d rows of n. numbers: weights (k), means (k, d), covariances (k, d, d).
   From step `patience` on it steps farther than EM, the more the longer the likelihood goes on to rise (Salakhutdinov R, Roweis S.
   ICML 2003:664-671). expected: weights as events (k), means, covariances of a prior; all counts 0 without one. Gives the steps done, negative if it
   did not settle; fit: the mean log likelihood. */
API int64_t cytoreg_em(const double *z, int64_t n, int64_t d, int64_t k, double df, int64_t steps, double rest,
                       int64_t patience, double ridge, const double *expected, double *numbers, double *fit)
{
    const double *x = z, *y = d == 2 ? z + n : z;
    double *weight = numbers, *mean = numbers + k, *cov = numbers + k + k * d;
    const double *counts = expected, *to = expected + k, *wide = expected + k + k * d;
    const int normal = isinf(df);
    const double power = 0.5 * (df + (double)d), in_all = (double)n;
    const int64_t whole = normal ? 0 : (int64_t)power;
    const int half = !normal && power == (double)whole + 0.5, exact = !normal && (half || power == (double)whole) && whole < 16;
    const double per_df = normal ? 0 : 1.0 / df, tail = normal ? 1 : (df + (double)d) / df;
    double all_counts = 0, last = -INFINITY, longer = 1, plain[MOST_K * 7], before[MOST_K * 7];
    const int64_t size_of = k * (1 + d + d * d);
    for (int64_t j = 0; j < k; j++) all_counts += counts[j];
    for (int64_t step = 1;; step++) {
        double p[MOST_K][6], sum[MOST_K][7];
        memset(sum, 0, sizeof sum);
        for (int64_t j = 0; j < k; j++) { /* mean, precision, log of the height */
            const double a = cov[j * d * d], b = d == 2 ? cov[4 * j + 1] : 0, c = d == 2 ? cov[4 * j + 3] : 1;
            const double size = a * c - b * b;
            p[j][0] = mean[j * d]; p[j][1] = d == 2 ? mean[2 * j + 1] : 0;
            p[j][2] = c / size; p[j][3] = -2 * b / size; p[j][4] = a / size;
            p[j][5] = exact ? weight[j] / sqrt(size) : log(weight[j]) - 0.5 * log(size);
        }
        double likelihood = 0, product = 1;
        for (int64_t start = 0; start < n; start += BLOCK) { /* component by component, so that events go side by side */
            const int64_t size = n - start < BLOCK ? n - start : BLOCK;
            double share[MOST_K][BLOCK], bent[MOST_K][BLOCK], total[BLOCK], top[BLOCK];
            for (int64_t i = 0; i < BLOCK; i++) { total[i] = 0; top[i] = -INFINITY; }
            for (int64_t j = 0; j < k; j++) {
                const double m0 = p[j][0], m1 = p[j][1], a = p[j][2], b = p[j][3], c = p[j][4], height = p[j][5];
                double *to_share = share[j], *to_bent = bent[j];
                for (int64_t i = 0; i < size; i++) {
                    const double u = x[start + i] - m0, v = d == 2 ? y[start + i] - m1 : 0;
                    const double squared = a * u * u + (b * u + c * v) * v;
                    to_share[i] = squared;
                    to_bent[i] = 1.0 / (1.0 + squared * per_df);
                }
                if (exact) {
                    for (int64_t i = 0; i < size; i++) to_share[i] = half ? height * sqrt(to_bent[i]) : height;
                    for (int64_t e = 0; e < whole; e++)
                        for (int64_t i = 0; i < size; i++) to_share[i] *= to_bent[i];
                    for (int64_t i = 0; i < size; i++) total[i] += to_share[i];
                } else {
                    for (int64_t i = 0; i < size; i++) {
                        to_share[i] = height - (normal ? 0.5 * to_share[i] : power * log1p(to_share[i] * per_df));
                        top[i] = to_share[i] > top[i] ? to_share[i] : top[i];
                    }
                }
            }
            if (!exact) {
                for (int64_t j = 0; j < k; j++)
                    for (int64_t i = 0; i < size; i++) { share[j][i] = exp(share[j][i] - top[i]); total[i] += share[j][i]; }
                for (int64_t i = 0; i < size; i++) likelihood += top[i];
            }
            for (int64_t i = 0; i < size; i++) { /* the sum of logs as the log of products that stay numbers */
                product *= total[i];
                if (product < 1e-200 || product > 1e200) { likelihood += log(product); product = 1; }
                total[i] = 1.0 / total[i];
            }
            for (int64_t j = 0; j < k; j++) {
                const double m0 = p[j][0], m1 = p[j][1];
                double s0 = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, s5 = 0, s6 = 0;
                for (int64_t i = 0; i < size; i++) {
                    const double u = x[start + i] - m0, v = d == 2 ? y[start + i] - m1 : 0;
                    const double held = share[j][i] * total[i], pull = normal ? held : held * bent[j][i] * tail;
                    s0 += held;
                    s1 += pull;
                    s2 += pull * u;
                    s3 += pull * v;
                    s4 += pull * u * u;
                    s5 += pull * u * v;
                    s6 += pull * v * v;
                }
                sum[j][0] += s0; sum[j][1] += s1; sum[j][2] += s2; sum[j][3] += s3;
                sum[j][4] += s4; sum[j][5] += s5; sum[j][6] += s6;
            }
        }
        likelihood += log(product);
        *fit = likelihood / in_all;
        if (longer > 1 && *fit < last) { /* a longer step went too far: back to where EM itself would be */
            memcpy(numbers, plain, sizeof(double) * (size_t)size_of);
            longer = sqrt(longer);
            *fit = last;
            if (step >= steps) return -step;
            continue;
        }
        if (fabs(*fit - last) < rest) return step;
        if (step >= steps || !isfinite(*fit)) return -step;
        last = *fit;
        memcpy(before, numbers, sizeof(double) * (size_t)size_of);
        for (int64_t j = 0; j < k; j++) {
            const double held = sum[j][0] > 1e-9 ? sum[j][0] : 1e-9, count = counts[j];
            const double pulled = sum[j][1] + count > 1e-12 ? sum[j][1] + count : 1e-12;
            weight[j] = (held + count) / (in_all + all_counts);
            double shift[2] = {0, 0}, away[2] = {0, 0};
            for (int64_t a = 0; a < d; a++) {
                const double old = mean[j * d + a];
                mean[j * d + a] = (sum[j][2 + a] + sum[j][1] * old + count * to[j * d + a]) / pulled;
                shift[a] = mean[j * d + a] - old;
                away[a] = mean[j * d + a] - to[j * d + a];
            }
            for (int64_t a = 0; a < d; a++)
                for (int64_t b = 0; b < d; b++) {
                    const double scatter = sum[j][4 + a + b] - sum[j][2 + a] * shift[b] - shift[a] * sum[j][2 + b]
                                           + sum[j][1] * shift[a] * shift[b];
                    cov[(j * d + a) * d + b] = (scatter + count * (wide[(j * d + a) * d + b] + away[a] * away[b])) / (held + count)
                                               + (a == b ? ridge : 0);
                }
        }
        longer = step >= patience ? (longer * 1.3 < 5 ? longer * 1.3 : 5) : 1;
        if (longer > 1) {
            memcpy(plain, numbers, sizeof(double) * (size_t)size_of);
            for (int64_t i = 0; i < size_of; i++) numbers[i] = before[i] + longer * (numbers[i] - before[i]);
            int fine = 1;
            for (int64_t j = 0; j < k; j++) {
                const double a = cov[j * d * d], b = d == 2 ? cov[4 * j + 1] : 0, c = d == 2 ? cov[4 * j + 3] : a;
                fine = fine && weight[j] > 0 && a > ridge && c > ridge && (d == 1 || a * c - b * b > ridge * ridge);
            }
            if (!fine) { memcpy(numbers, plain, sizeof(double) * (size_t)size_of); longer = 1; }
        }
    }
}

static double vertex(double left, double middle, double right)
{
    const double bend = left - 2 * middle + right;
    if (bend == 0) return 0;
    const double at = 0.5 * (left - right) / bend;
    return at < -0.5 ? -0.5 : at > 0.5 ? 0.5 : at;
}

/* The valleys of a row of a density: place, depth, and the peaks beside it, four numbers each. tops: room for the peaks; found:
   for 2 n numbers. Gives how many there are. */
API int64_t cytoreg_valleys(const double *y, int64_t n, double least, double nothing, int64_t *tops, double *found)
{
    int64_t peaks = 0, kept = 0, last = -1;
    for (int64_t i = 1; i + 1 < n; i++)
        if (y[i] > y[i - 1] && y[i] >= y[i + 1] && y[i] >= least) tops[peaks++] = i;
    for (int64_t k = 0; k < peaks; k++) {
        const double height = y[tops[k]];
        double base = 0;
        for (int side = -1; side <= 1; side += 2) {
            double lowest = height;
            for (int64_t j = k; j + side >= 0 && j + side < peaks; j += side) {
                const int64_t from = side > 0 ? tops[j] : tops[j - 1], end = side > 0 ? tops[j + 1] : tops[j];
                for (int64_t i = from; i <= end; i++) lowest = y[i] < lowest ? y[i] : lowest;
                if (y[tops[j + side]] > height) { base = lowest > base ? lowest : base; break; }
            }
        }
        if (!(height - base >= least)) continue;
        if (last >= 0) {
            const int64_t a = last, b = tops[k];
            double lowest = y[a];
            for (int64_t i = a; i <= b; i++) lowest = y[i] < lowest ? y[i] : lowest;
            int64_t flat = 0, sum = 0;
            for (int64_t i = a; i <= b; i++)
                if (y[i] <= lowest + nothing) { flat++; sum += i - a; }
            double place = (double)a + (double)sum / (double)flat;
            if (flat == 1 && sum > 0 && sum < b - a) place += vertex(y[a + sum - 1], y[a + sum], y[a + sum + 1]);
            double *row = found + 4 * kept++;
            row[0] = place; row[1] = lowest; row[2] = (double)a; row[3] = (double)b;
        }
        last = tops[k];
    }
    return kept;
}

/* Bit `which` of each event that is in an ellipse in two dimensions, as gates.py says it: center, precision, squared distance. */
API void cytoreg_in_ellipse(const double *x, const double *y, int64_t n, const double *e, int64_t which, uint64_t *bits)
{
    const uint64_t bit = (uint64_t)1 << which;
    for (int64_t i = 0; i < n; i++) {
        const double u = x[i] - e[0], v = y[i] - e[1];
        const double squared = ((e[2] * (u * u) + e[3] * (u * v)) + e[4] * (v * u)) + e[5] * (v * v);
        bits[i] |= squared <= e[6] ? bit : 0;
    }
}

/* The same of a polygon by the even-odd rule: its corners, x and y. */
API void cytoreg_in_polygon(const double *x, const double *y, int64_t n, const double *corners, int64_t count, int64_t which,
                            uint64_t *bits)
{
    const uint64_t bit = (uint64_t)1 << which;
    double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
    for (int64_t k = 0; k < count; k++) {
        const double *p = corners + 2 * k;
        low_x = p[0] < low_x ? p[0] : low_x; high_x = p[0] > high_x ? p[0] : high_x;
        low_y = p[1] < low_y ? p[1] : low_y; high_y = p[1] > high_y ? p[1] : high_y;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!(x[i] >= low_x && x[i] <= high_x && y[i] >= low_y && y[i] <= high_y)) continue;
        int inside = 0;
        for (int64_t k = 0; k < count; k++) {
            const double *p = corners + 2 * (k ? k - 1 : count - 1), *q = corners + 2 * k;
            if (p[1] == q[1] || (p[1] <= y[i]) == (q[1] <= y[i])) continue;
            inside ^= x[i] < p[0] + (y[i] - p[1]) * ((q[0] - p[0]) / (q[1] - p[1]));
        }
        bits[i] |= inside ? bit : 0;
    }
}
