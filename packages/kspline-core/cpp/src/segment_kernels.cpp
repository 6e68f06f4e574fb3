// The inner loops over open segments, once per instruction set; see `sweep.cpp` for the rules that such a file keeps.
#include "segments.hpp"

namespace kspline {
namespace {

constexpr Index lanes = KSPLINE_LANES;
typedef double Vector __attribute__((vector_size(lanes * sizeof(double))));

inline Vector load(const double* p) {
    Vector v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

inline void store(double* p, Vector v) { __builtin_memcpy(p, &v, sizeof v); }

template <int P>
inline void load_segment(const Open& open, Index j, Segment<P, Vector>& s) {
    const double* p = open.state + j;
    for (int i = 0; i < P; ++i, p += open.stride) {
        s.diagonal[i] = load(p);
    }
    for (int i = 0; i < upper_size<P>; ++i, p += open.stride) {
        s.upper[i] = load(p);
    }
    for (int i = 0; i < P; ++i, p += open.stride) {
        s.rotated[i] = load(p);
    }
    s.cost = load(p);
}

template <int P>
inline void store_segment(const Open& open, Index j, const Segment<P, Vector>& s) {
    double* p = open.state + j;
    for (int i = 0; i < P; ++i, p += open.stride) {
        store(p, s.diagonal[i]);
    }
    for (int i = 0; i < upper_size<P>; ++i, p += open.stride) {
        store(p, s.upper[i]);
    }
    for (int i = 0; i < P; ++i, p += open.stride) {
        store(p, s.rotated[i]);
    }
    store(p, s.cost);
}

template <int P>
void extend(const Open& open, Index count, const Segment<P, double>& other, bool single, double x, double y) {
    for (Index j = 0; j < count; j += lanes) {
        Segment<P, Vector> s;
        load_segment<P>(open, j, s);
        join<P>(s, other, single, x - load(open.x + j), y - load(open.y + j));
        store_segment<P>(open, j, s);
    }
}

template <int P>
void evaluate(const Open& open, const double* base, const Segment<P, double>& other, double x, double y,
              double* value) {
    for (Index j = 0; j < group_size; j += lanes) {
        Segment<P, Vector> s;
        load_segment<P>(open, j, s);
        const Vector cost = joint_cost<P>(s, other, x - load(open.x + j), y - load(open.y + j));
        store(value + j, load(base + j) + cost);
    }
}

void lowest(const double* best, Index stride, Index levels, const double* cost, Index count, double* out) {
    for (Index k = 0; k < levels; ++k, best += stride) {
        double least = __builtin_huge_val();
        Index j = 0;
        if (count >= 2 * lanes) {
            Vector a = load(best) + load(cost), b = load(best + lanes) + load(cost + lanes);
            for (j = 2 * lanes; j + 2 * lanes <= count; j += 2 * lanes) {
                const Vector v = load(best + j) + load(cost + j);
                const Vector w = load(best + j + lanes) + load(cost + j + lanes);
                a = v < a ? v : a;
                b = w < b ? w : b;
            }
            a = b < a ? b : a;
            for (int i = 0; i < lanes; ++i) {
                least = a[i] < least ? a[i] : least;
            }
        }
        for (; j < count; ++j) {
            const double v = best[j] + cost[j];
            least = v < least ? v : least;
        }
        out[k] = least;
    }
}

} // namespace

extern const SegmentKernels KSPLINE_SEGMENT_KERNELS;
const SegmentKernels KSPLINE_SEGMENT_KERNELS = {
    {extend<1>, evaluate<1>, lowest},
    {extend<2>, evaluate<2>, lowest},
    {extend<3>, evaluate<3>, lowest},
    {extend<4>, evaluate<4>, lowest},
};

} // namespace kspline
