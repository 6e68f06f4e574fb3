// The inner loops of the dense dynamic programme. Compiled once per instruction set, with KSPLINE_LANES doubles to a
// vector. Only arithmetic on explicit vectors here, and nothing from the standard library: an inline function compiled
// with wider instructions must not be the copy that the linker keeps for everybody.
#include "sweep.hpp"

namespace kspline {
namespace {

constexpr Index lanes = KSPLINE_LANES;
typedef double Vector __attribute__((vector_size(lanes * sizeof(double))));

constexpr double infinity = __builtin_huge_val();

inline Vector load(const double* p) {
    Vector v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
}

inline void store(double* p, Vector v) { __builtin_memcpy(p, &v, sizeof v); }

inline Vector broadcast(double a) {
    Vector v;
    for (int i = 0; i < lanes; ++i) {
        v[i] = a;
    }
    return v;
}

inline Vector minimum(Vector a, Vector b) { return a < b ? a : b; }

inline double least(Vector v) {
    double m = v[0];
    for (int i = 1; i < lanes; ++i) {
        m = v[i] < m ? v[i] : m;
    }
    return m;
}

template <int P>
struct Uniform {
    static constexpr int states = P;

    static void extend(const Sweep& w, Index t0, Index start, Vector (&state)[states], Vector& cost, double* out) {
        const Vector origin = load(w.y + start);
        for (Index i = 0; i < tile_size; ++i) {
            const Index entry = start + w.n - (t0 + 1 + i);
            Vector gain[P];
            for (int j = 0; j < P; ++j) {
                gain[j] = load(w.gain[j] + entry);
            }
            uniform_step<P>(state, cost, broadcast(w.y[t0 + i]) - origin, gain, load(w.keep + entry));
            store(out + i * block_size, cost);
        }
    }
};

template <int P>
struct Weighted {
    static constexpr int states = weighted_state_size<P>;

    static void extend(const Sweep& w, Index t0, Index start, Vector (&state)[states], Vector& cost, double* out) {
        const Vector origin = load(w.y + start), place = load(w.x + start);
        for (Index i = 0; i < tile_size; ++i) {
            const Vector sample = broadcast(w.y[t0 + i]) - origin;
            weighted_step<P>(state, cost, sample, broadcast(w.x[t0 + i]) - place, broadcast(w.weights[t0 + i]));
            store(out + i * block_size, cost);
        }
    }
};

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

template <class Policy>
void sweep(const Sweep& w, Index t0) {
    for (Index i = 0; i < w.levels * tile_size; ++i) {
        store(w.lanes + i * max_lanes, broadcast(infinity));
    }
    for (Index block = 0; block < t0; block += block_size) {
        const Index stop = t0 < block + block_size ? t0 : block + block_size;
        for (Index s = block; s < stop; s += lanes) {
            Vector state[Policy::states], cost = load(w.cost + s);
            for (int j = 0; j < Policy::states; ++j) {
                state[j] = load(w.state[j] + s);
            }
            Policy::extend(w, t0, s, state, cost, w.costs + (s - block));
            for (int j = 0; j < Policy::states; ++j) {
                store(w.state[j] + s, state[j]);
            }
            store(w.cost + s, cost);
        }
        // A last vector may reach past `stop`, and a segment may still be shorter than the minimum: not admitted.
        const Index rounded = block + (stop - block + lanes - 1) / lanes * lanes;
        for (Index i = 0; i < tile_size; ++i) {
            const Index admitted = t0 + 2 + i - w.min_size; // starts below this one are far enough from the end
            Index s = admitted < stop ? admitted : stop;
            for (s = s > block ? s : block; s < rounded; ++s) {
                w.costs[i * block_size + (s - block)] = infinity;
            }
        }
        Index level = 0;
        for (; level + 2 <= w.levels; level += 2) {
            minimise<2>(w.best + level * w.stride + block, w.stride, w.costs, rounded - block,
                        w.lanes + level * tile_size * max_lanes);
        }
        if (level < w.levels) {
            minimise<1>(w.best + level * w.stride + block, w.stride, w.costs, rounded - block,
                        w.lanes + level * tile_size * max_lanes);
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
