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

// Where an arc lies above the bar. Which ends do is known before the root is: no branch waits for it.
struct Above {
    bool all, left, right;
    double centre, room;

    Above(const Envelope& arcs, Index i, double bar) {
        const double weight = arcs.weight[i];
        room = bar - arcs.cost[i];
        centre = arcs.origin[i] + arcs.mean[i];
        const double to_low = arcs.low[i] - centre, to_high = arcs.high[i] - centre;
        left = weight * to_low * to_low > room;
        right = weight * to_high * to_high > room;
        all = !(room > 0) || (left && to_low >= 0) || (right && to_high <= 0);
    }
};

// Appends to `out` what is left of the arcs, and the offer between them.
inline void cut(const Envelope& arcs, const Offer& offer, Envelope& out) {
    const auto replace = [&](double low, double high) {
        if (out.end > 0 && out.start[out.end - 1] == offer.start) {
            out.high[out.end - 1] = high;
        } else {
            open_arc(out, out.end++, low, high, offer.sample, offer.cost, offer.start);
        }
    };
    for (Index i = arcs.begin; i < arcs.end; ++i) {
        const Above above(arcs, i, offer.bar);
        if (above.all) {
            replace(arcs.low[i], arcs.high[i]);
            continue;
        }
        const double reach = __builtin_sqrt(above.room / arcs.weight[i]);
        const double low = above.left ? above.centre - reach : arcs.low[i];
        const double high = above.right ? above.centre + reach : arcs.high[i];
        if (above.left) {
            replace(arcs.low[i], low);
        }
        copy_arc(arcs, i, out, out.end);
        out.low[out.end] = low;
        out.high[out.end++] = high;
        if (above.right) {
            replace(high, arcs.high[i]);
        }
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

// The usual case, in place: the arcs begin, ..., stop - 1 lie above the bar, but for the right part of the last one.
// Returns false, and has changed nothing, where it is another.
inline bool cut_left(Envelope& arcs, Index stop, const Offer& offer) {
    if (stop == arcs.begin) {
        return true;
    }
    const double low = arcs.low[arcs.begin];
    double high = arcs.high[stop - 1];
    Index first = stop;
    for (Index i = arcs.begin; i < stop; ++i) {
        const Above above(arcs, i, offer.bar);
        if (above.all) {
            continue;
        }
        if (above.right || i + 1 < stop) {
            return false;
        }
        high = above.centre - __builtin_sqrt(above.room / arcs.weight[i]);
        arcs.low[i] = high;
        first = i;
    }
    arcs.begin = first - 1;
    open_arc(arcs, arcs.begin, low, high, offer.sample, offer.cost, offer.start);
    return true;
}

// Its mirror image.
inline bool cut_right(Envelope& arcs, Index begin, const Offer& offer) {
    if (begin == arcs.end) {
        return true;
    }
    const double high = arcs.high[arcs.end - 1];
    double low = arcs.low[begin];
    Index last = begin - 1;
    for (Index i = arcs.end - 1; i >= begin; --i) {
        const Above above(arcs, i, offer.bar);
        if (above.all) {
            continue;
        }
        if (above.left || i > begin) {
            return false;
        }
        low = above.centre + __builtin_sqrt(above.room / arcs.weight[i]);
        arcs.high[i] = low;
        last = i;
    }
    arcs.end = last + 2;
    open_arc(arcs, last + 1, low, high, offer.sample, offer.cost, offer.start);
    return true;
}

// The arcs that `make` has left as they were, or has only cut: the others are new.
struct Old {
    Index begin, end;
};

// Most steps change a few arcs at both ends only: there the youngest starts stand, and the arcs between stay in place.
inline Old make(Envelope& arcs, Envelope& scratch, const Offer& offer) {
    Index i = arcs.begin, j = arcs.end;
    while (i < j && arcs.top[i] > offer.bar) {
        ++i;
    }
    while (i < j && arcs.top[j - 1] > offer.bar) {
        --j;
    }
    if (all_below(arcs.top + i, j - i, offer.bar) && cut_left(arcs, i, offer) && cut_right(arcs, j, offer)) {
        return {i > arcs.begin + 1 ? i - 1 : i, j < arcs.end - 1 ? j + 1 : j};
    }
    // all of them, through `scratch`; what one end has already been given stays
    scratch.end = 0;
    cut(arcs, offer, scratch);
    arcs.begin = arcs.end = (arcs.capacity - scratch.end) / 2;
    for (Index k = 0; k < scratch.end; ++k) {
        copy_arc(scratch, k, arcs, arcs.end++);
    }
    return {arcs.begin, arcs.begin};
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

// Adds one run to the open piece; returns the least cost. New arcs are not taken as vectors: a vector load of what has
// just been stored in parts must wait. The cut ones wait for one end alone, which `best` does not hang on.
inline double extend(Envelope& arcs, const Old& old, double sample, double weight) {
    const Index from = old.begin, to = from + (old.end - from) / lanes * lanes;
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
            const Vector before = load(arcs.weight + i), origin = load(arcs.origin + i);
            Vector mean = load(arcs.mean + i), cost = load(arcs.cost + i);
            const Vector total = before + w;
            const Vector error = (y - origin) - mean;
            const Vector gain = w / total;
            cost = cost + error * error * (before * gain);
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
    Vector starts = broadcast(infinity);
    Index i = arcs.begin;
    for (; i + lanes <= arcs.end; i += lanes) {
        starts = minimum(load(arcs.cost + i) <= broadcast(bar) ? load(arcs.start + i) : broadcast(infinity), starts);
    }
    double start = least(starts);
    for (; i < arcs.end; ++i) {
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
        Old old;
        if (p.arcs.begin == p.arcs.end) {
            p.arcs.begin = p.arcs.end = p.arcs.capacity / 2;
            old = {p.arcs.begin, p.arcs.begin};
            open_arc(p.arcs, p.arcs.end++, p.low, p.high, sample, cost, start);
        } else {
            const Index size = p.arcs.end - p.arcs.begin;
            if (3 * size + 4 > p.arcs.capacity) {
                return false;
            }
            if (p.arcs.begin < size + 1 || p.arcs.end + size + 1 > p.arcs.capacity) {
                centre(p.arcs, p.scratch);
            }
            old = make(p.arcs, p.scratch, {start, cost, cost + cost * p.relative + p.floor, sample});
        }
        const double value = extend(p.arcs, old, sample, weight);
        p.best[p.t + 1] = value;
        p.last = value + p.penalty;
        if (p.from) {
            p.from[p.t + 1] = static_cast<int>(leftmost(p.arcs, value + value * p.relative + p.floor));
        }
    }
    return true;
};

} // namespace kspline
