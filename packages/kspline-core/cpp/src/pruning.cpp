// The inner loops of functional pruning. Compiled once per instruction set, with KSPLINE_LANES doubles to a vector, by
// the same rules as sweep.cpp: nothing from the standard library here.
#include "envelope.hpp"

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
inline Vector maximum(Vector a, Vector b) { return a < b ? b : a; }

inline double least(Vector v) {
    double m = v[0];
    for (int i = 1; i < lanes; ++i) {
        m = v[i] < m ? v[i] : m;
    }
    return m;
}

inline double greater(double a, double b) { return a < b ? b : a; }
inline double lesser(double a, double b) { return a < b ? a : b; }

inline void copy_arc(const Envelope& from, Index i, Envelope& to, Index j) {
    to.low[j] = from.low[i];
    to.high[j] = from.high[i];
    to.origin[j] = from.origin[i];
    to.mean[j] = from.mean[i];
    to.weight[j] = from.weight[i];
    to.cost[j] = from.cost[i];
    to.start[j] = from.start[i];
}

inline void open_arc(Envelope& to, Index j, double low, double high, double origin, double cost, double start) {
    to.low[j] = low;
    to.high[j] = high;
    to.origin[j] = origin;
    to.mean[j] = 0;
    to.weight[j] = 0;
    to.cost[j] = cost;
    to.start[j] = start;
}

// Moves the arcs to the middle of their room.
inline void centre(Envelope& arcs, Envelope& scratch) {
    scratch.end = 0;
    for (Index i = arcs.begin; i < arcs.end; ++i) {
        copy_arc(arcs, i, scratch, scratch.end);
        scratch.top[scratch.end++] = arcs.top[i];
    }
    arcs.begin = arcs.end = (arcs.capacity - scratch.end) / 2;
    for (Index i = 0; i < scratch.end; ++i) {
        copy_arc(scratch, i, arcs, arcs.end);
        arcs.top[arcs.end++] = scratch.top[i];
    }
}

// A piece that may start here: the constant `cost`, which takes the place of what lies above `bar`.
struct Offer {
    double start, cost, bar, sample;
};

// Appends to `out` what is left of the arcs i, ..., stop - 1, and the offer between them.
inline void cut(const Envelope& arcs, Index i, Index stop, const Offer& offer, Envelope& out) {
    const auto replace = [&](double low, double high) {
        if (out.end > 0 && out.start[out.end - 1] == offer.start) {
            out.high[out.end - 1] = high;
        } else {
            open_arc(out, out.end++, low, high, offer.sample, offer.cost, offer.start);
        }
    };
    for (; i < stop; ++i) {
        if (arcs.top[i] <= offer.bar) {
            copy_arc(arcs, i, out, out.end++);
            continue;
        }
        // which ends lie above the bar is known before the root is: no branch waits for it
        const double room = offer.bar - arcs.cost[i], weight = arcs.weight[i];
        const double centre = arcs.origin[i] + arcs.mean[i];
        const double left = arcs.low[i] - centre, right = arcs.high[i] - centre;
        const bool left_above = weight * left * left > room, right_above = weight * right * right > room;
        if (!(room > 0) || (left_above && left >= 0) || (right_above && right <= 0)) {
            replace(arcs.low[i], arcs.high[i]);
            continue;
        }
        const double reach = __builtin_sqrt(room / weight);
        const double low = left_above ? centre - reach : arcs.low[i];
        const double high = right_above ? centre + reach : arcs.high[i];
        if (left_above) {
            replace(arcs.low[i], low);
        }
        copy_arc(arcs, i, out, out.end);
        out.low[out.end] = low;
        out.high[out.end++] = high;
        if (right_above) {
            replace(high, arcs.high[i]);
        }
    }
}

inline void append(const Envelope& from, Envelope& to) {
    for (Index i = 0; i < from.end; ++i) {
        copy_arc(from, i, to, to.end++);
    }
}

inline bool all_below(const double* values, Index size, double bar) {
    Vector over = broadcast(bar);
    Index i = 0;
    for (; i + lanes <= size; i += lanes) {
        over = maximum(over, load(values + i));
    }
    double greatest = bar;
    for (int lane = 0; lane < lanes; ++lane) {
        greatest = greater(greatest, over[lane]);
    }
    for (; i < size; ++i) {
        greatest = greater(greatest, values[i]);
    }
    return greatest <= bar;
}

// Most steps change a few arcs at both ends only: there the youngest starts stand, and the arcs between stay in place.
// Returns which arcs those are.
struct Untouched {
    Index begin, end;
};

inline Untouched make(Envelope& arcs, Envelope& scratch, const Offer& offer) {
    Index i = arcs.begin, j = arcs.end;
    while (i < j && arcs.top[i] > offer.bar) {
        ++i;
    }
    while (i < j && arcs.top[j - 1] > offer.bar) {
        --j;
    }
    if (!all_below(arcs.top + i, j - i, offer.bar)) {
        // all of them, through `scratch`
        scratch.end = 0;
        cut(arcs, arcs.begin, arcs.end, offer, scratch);
        arcs.begin = arcs.end = (arcs.capacity - scratch.end) / 2;
        append(scratch, arcs);
        return {arcs.begin, arcs.begin};
    }
    scratch.end = 0;
    cut(arcs, arcs.begin, i, offer, scratch);
    arcs.begin = i - scratch.end;
    for (Index k = 0; k < scratch.end; ++k) {
        copy_arc(scratch, k, arcs, arcs.begin + k);
    }
    scratch.end = 0;
    cut(arcs, j, arcs.end, offer, scratch);
    arcs.end = j;
    append(scratch, arcs);
    return {i, j};
}

inline void extend_one(Envelope& arcs, Index i, double sample, double weight) {
    const double old = arcs.weight[i], total = old + weight;
    const double error = (sample - arcs.origin[i]) - arcs.mean[i];
    const double gain = weight / total;
    const double cost = arcs.cost[i] + error * error * (old * gain), mean = arcs.mean[i] + error * gain;
    arcs.weight[i] = total;
    arcs.mean[i] = mean;
    arcs.cost[i] = cost;
    const double centre = arcs.origin[i] + mean, left = arcs.low[i] - centre, right = arcs.high[i] - centre;
    arcs.top[i] = cost + total * greater(left * left, right * right);
}

inline Index round_up(Index i) { return (i + lanes - 1) / lanes * lanes; }

// Adds one run to the open piece; returns the least cost. Only arcs that this step has not touched are taken as vectors:
// a vector load of what has just been stored in parts must wait.
inline double extend(Envelope& arcs, const Untouched& untouched, double sample, double weight) {
    Index from = round_up(untouched.begin), to = untouched.end / lanes * lanes;
    if (to < from) {
        from = to = arcs.begin;
    }
    double best = infinity;
    for (Index i = arcs.begin; i < from; ++i) {
        extend_one(arcs, i, sample, weight);
        best = lesser(arcs.cost[i], best);
    }
    for (Index i = to; i < arcs.end; ++i) {
        extend_one(arcs, i, sample, weight);
        best = lesser(arcs.cost[i], best);
    }
    if (from < to) {
        const Vector y = broadcast(sample), w = broadcast(weight);
        Vector minima = broadcast(best);
        for (Index i = from; i < to; i += lanes) {
            const Vector old = load(arcs.weight + i), origin = load(arcs.origin + i);
            Vector mean = load(arcs.mean + i), cost = load(arcs.cost + i);
            const Vector total = old + w;
            const Vector error = (y - origin) - mean;
            const Vector gain = w / total;
            cost = cost + error * error * (old * gain);
            mean = mean + error * gain;
            store(arcs.weight + i, total);
            store(arcs.mean + i, mean);
            store(arcs.cost + i, cost);
            minima = minimum(minima, cost);
            const Vector centre = origin + mean;
            const Vector left = load(arcs.low + i) - centre, right = load(arcs.high + i) - centre;
            store(arcs.top + i, cost + total * maximum(left * left, right * right));
        }
        best = least(minima);
    }
    return best;
}

inline double leftmost(const Envelope& arcs, double bar) {
    double start = infinity;
    for (Index i = arcs.begin; i < arcs.end; ++i) {
        const double here = arcs.cost[i] <= bar ? arcs.start[i] : infinity;
        start = lesser(here, start);
    }
    return start;
}

} // namespace

extern const PruningPass KSPLINE_PRUNING;
const PruningPass KSPLINE_PRUNING = [](Pruning& p) {
    for (; p.t < p.stop; ++p.t) {
        const double sample = p.sample[p.t * p.stride], weight = p.weight ? p.weight[p.t * p.stride] : 1.0;
        const auto start = static_cast<double>(p.t);
        const double cost = p.before ? p.before[p.t] : p.last;
        Untouched untouched;
        if (p.arcs.begin == p.arcs.end) {
            p.arcs.begin = p.arcs.end = p.arcs.capacity / 2;
            untouched = {p.arcs.begin, p.arcs.begin};
            open_arc(p.arcs, p.arcs.end++, p.low, p.high, sample, cost, start);
        } else {
            const Index size = p.arcs.end - p.arcs.begin;
            if (3 * size + 4 > p.arcs.capacity) {
                return false;
            }
            if (p.arcs.begin < size + 1 || p.arcs.end + size + 1 > p.arcs.capacity) {
                centre(p.arcs, p.scratch);
            }
            untouched = make(p.arcs, p.scratch, {start, cost, cost + cost * p.relative + p.floor, sample});
        }
        const double value = extend(p.arcs, untouched, sample, weight);
        p.best[p.t + 1] = value;
        p.last = value + p.penalty;
        if (p.from) {
            p.from[p.t + 1] = static_cast<int>(leftmost(p.arcs, value + value * p.relative + p.floor));
        }
    }
    return true;
};

} // namespace kspline
