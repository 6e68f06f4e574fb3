// The inner loops of the dense dynamic programme. Compiled once per instruction set, with KSPLINE_LANES doubles to a
// vector. Only arithmetic on explicit vectors here, and no function of the standard library but memcpy: an inline function
// compiled with wider instructions must not be the copy that the linker keeps for everybody.
#include <cstring>
#include <limits>

#include "sweep.hpp"

namespace kspline {
namespace {

#if defined(__GNUC__) // and Clang
constexpr Index lanes = KSPLINE_LANES;
typedef double Vector __attribute__((vector_size(lanes * sizeof(double))));

inline double lane(Vector v, Index i) { return v[i]; }

inline Vector broadcast(double a) {
    Vector v;
    for (Index i = 0; i < lanes; ++i) {
        v[i] = a;
    }
    return v;
}
#else // plain numbers, for the compiler to make vectors of
constexpr Index lanes = 1;
using Vector = double;

inline double lane(Vector v, Index) { return v; }

inline Vector broadcast(double a) { return a; }
#endif

constexpr double infinity = std::numeric_limits<double>::infinity();

inline Vector load(const double* p) {
    Vector v;
    std::memcpy(&v, p, sizeof v);
    return v;
}

inline void store(double* p, Vector v) { std::memcpy(p, &v, sizeof v); }

inline Vector minimum(Vector a, Vector b) { return a < b ? a : b; }

inline double least(Vector v) {
    double m = lane(v, 0);
    for (Index i = 1; i < lanes; ++i) {
        m = lane(v, i) < m ? lane(v, i) : m;
    }
    return m;
}

template <int P>
struct Uniform {
    static constexpr int states = P;
    const Sweep& w;
    const Index start;

    Uniform(const Sweep& sweep, Index first) : w(sweep), start(first) {}

    void add(const double* y, Vector origin, Index end, Vector (&theta)[states], Vector& cost) const {
        const Index entry = start + w.n - end;
        Vector gain[P];
        for (int j = 0; j < P; ++j) {
            gain[j] = load(w.gain[j] + entry);
        }
        uniform_step<P>(theta, cost, broadcast(y[end - 1]) - origin, gain, load(w.keep + entry));
    }
};

template <int P>
struct Weighted {
    static constexpr int states = weighted_state_size<P>;
    const Sweep& w;
    const Vector place;

    Weighted(const Sweep& sweep, Index first) : w(sweep), place(load(w.x + first)) {}

    void add(const double* y, Vector origin, Index end, Vector (&factors)[states], Vector& cost) const {
        const double weight = w.weights[(y - w.y) + end - 1];
        weighted_step<P>(factors, cost, broadcast(y[end - 1]) - origin, broadcast(w.x[end - 1]) - place,
                         broadcast(weight));
    }
};

// Extends one channel of the segments that start at `start` and in the lanes after it, to the ends of the tile: costs[i] is
// `cost` and what the samples up to the end t0 + 1 + i add.
template <class Policy>
inline void extend_channel(const Sweep& w, const Policy& policy, Index t0, Index start, Index c, Vector cost,
                           Vector (&costs)[tile_size]) {
    const double* y = w.y + c * w.stride;
    double* memory = w.state + c * Policy::states * w.stride + start;
    const Vector origin = load(y + start);
    Vector state[Policy::states];
    for (int j = 0; j < Policy::states; ++j) {
        state[j] = load(memory + j * w.stride);
    }
    for (Index i = 0; i < tile_size; ++i) {
        policy.add(y, origin, t0 + 1 + i, state, cost);
        costs[i] = cost;
    }
    for (int j = 0; j < Policy::states; ++j) {
        store(memory + j * w.stride, state[j]);
    }
}

template <class Policy>
inline void extend(const Sweep& w, Index t0, Index start, double* out) {
    const Policy policy(w, start);
    Vector costs[tile_size];
    extend_channel(w, policy, t0, start, 0, load(w.cost + start), costs);
    for (Index c = 1; c < w.channels; ++c) {
        Vector added[tile_size];
        extend_channel(w, policy, t0, start, c, broadcast(0.0), added);
        for (Index i = 0; i < tile_size; ++i) {
            costs[i] = costs[i] + added[i];
        }
    }
    for (Index i = 0; i < tile_size; ++i) {
        store(out + i * block_size, costs[i]);
    }
    store(w.cost + start, costs[tile_size - 1]);
}

constexpr int levels_at_once = 2; // with tile_size ends each: their minima stay in registers

// acc[level][end] = min over the block of best[level] + cost[end], for `count` levels at once, all in registers.
template <int count>
inline void minimise(const double* best, Index stride, const double* costs, Index starts, double* acc) {
    Vector m[count][tile_size];
    for (int k = 0; k < count; ++k) {
        for (Index i = 0; i < tile_size; ++i) {
            m[k][i] = load(acc + (k * tile_size + i) * max_lanes);
        }
    }
    for (Index s = 0; s < starts; s += lanes) {
        Vector b[count];
        for (int k = 0; k < count; ++k) {
            b[k] = load(best + k * stride + s);
        }
        for (Index i = 0; i < tile_size; ++i) {
            const Vector c = load(costs + i * block_size + s);
            for (int k = 0; k < count; ++k) {
                m[k][i] = minimum(b[k] + c, m[k][i]);
            }
        }
    }
    for (int k = 0; k < count; ++k) {
        for (Index i = 0; i < tile_size; ++i) {
            store(acc + (k * tile_size + i) * max_lanes, m[k][i]);
        }
    }
}

// A last vector may reach past `stop`, a segment may still be shorter than the minimum, or reach over a breakpoint that is
// demanded: their costs become infinite.
inline void bar(const Sweep& w, Index t0, Index block, Index stop, Index rounded) {
    for (Index i = 0; i < tile_size; ++i) {
        double* costs = w.costs + i * block_size;
        for (Index s = block; s < w.lowest[i] && s < rounded; ++s) {
            costs[s - block] = infinity;
        }
        const Index admitted = t0 + 2 + i - w.min_size; // starts below this one are far enough from the end
        const Index last = admitted < stop ? admitted : stop;
        for (Index s = last > block ? last : block; s < rounded; ++s) {
            costs[s - block] = infinity;
        }
    }
}

template <class Policy>
void sweep(const Sweep& w, Index t0) {
    for (Index i = 0; i < w.levels * tile_size; ++i) {
        store(w.lanes + i * max_lanes, broadcast(infinity));
    }
    const Index first = w.lowest[0] / max_lanes * max_lanes; // the segments that start before are closed for good
    for (Index block = first; block < t0; block += block_size) {
        const Index stop = t0 < block + block_size ? t0 : block + block_size;
        const Index rounded = block + (stop - block + lanes - 1) / lanes * lanes;
        for (Index s = block; s < stop; s += lanes) {
            extend<Policy>(w, t0, s, w.costs + (s - block));
        }
        bar(w, t0, block, stop, rounded);
        const auto levels = [&]<int count>(Index level) {
            minimise<count>(w.best + level * w.stride + block, w.stride, w.costs, rounded - block,
                            w.lanes + level * tile_size * max_lanes);
        };
        Index level = 0;
        for (; level + levels_at_once <= w.levels; level += levels_at_once) {
            levels.template operator()<levels_at_once>(level);
        }
        for (; level < w.levels; ++level) {
            levels.template operator()<1>(level);
        }
    }
    for (Index i = 0; i < w.levels * tile_size; ++i) {
        w.minima[i] = least(load(w.lanes + i * max_lanes));
    }
}

} // namespace

extern const Kernel KSPLINE_KERNEL;
const Kernel KSPLINE_KERNEL = {
    KSPLINE_NAME,
    {sweep<Uniform<1>>, sweep<Uniform<2>>, sweep<Uniform<3>>, sweep<Uniform<4>>},
    {sweep<Weighted<1>>, sweep<Weighted<2>>, sweep<Weighted<3>>, sweep<Weighted<4>>},
};

} // namespace kspline
