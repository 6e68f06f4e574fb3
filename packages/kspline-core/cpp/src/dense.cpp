#include "dense.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <utility>

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double eps = std::numeric_limits<double>::epsilon();

// Costs up to this one count as equal to the least: the leftmost breakpoint wins. The relative part covers the rounding
// of the sums, the absolute part that of an exact fit (samples are scaled to a half-range of 1 to 2).
double tied(double least, Index n) { return least * (1 + 1e-12) + static_cast<double>(n) * (32 * eps) * (32 * eps); }

// Cells take about a tenth of a nanosecond, the recursion of a segment as long as this many levels.
constexpr double tile_steps = tile_size / 10.0;
constexpr Index extension = 8;

constexpr Index padding = tile_size + max_lanes;

Index to_line(Index count) { return (count + max_lanes - 1) / max_lanes * max_lanes; }

// Hands out arrays that start on a cache line, all of them zero.
class Arena {
public:
    Arena(std::vector<double>& memory, Index size) {
        memory.assign(static_cast<std::size_t>(size + max_lanes), 0.0);
        const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
        next_ = memory.data() + (64 - address % 64) % 64 / sizeof(double);
    }

    double* take(Index count) { return std::exchange(next_, next_ + to_line(count)); }

    double* copy(const std::vector<double>& values, Index rows, Index stride) {
        const Index n = static_cast<Index>(values.size()) / rows;
        double* array = take(rows * stride);
        for (Index row = 0; row < rows; ++row) {
            std::copy_n(values.data() + row * n, n, array + row * stride);
        }
        return array;
    }

private:
    double* next_;
};

// A segment that grows sample by sample, to the right or to the left of the first one. Number j of the state of channel c
// is state[(c * states + j) * stride].
template <int P>
struct Growing {
    double cost = 0.0;

    Growing(const Sweep& sweep, Index first, double* memory, Index distance)
        : w(sweep), origin(first), state(memory), stride(distance) {}

    double add(Index i) {
        ++size;
        for (Index c = 0; c < w.channels; ++c) {
            const double* y = w.y + c * w.stride;
            if (w.x) {
                step<weighted_state_size<P>>(c, [&](auto& factors) {
                    weighted_step<P>(factors, cost, y[i] - y[origin], w.x[i] - w.x[origin], w.weights[c * w.stride + i]);
                });
            } else {
                double gain[P];
                for (int j = 0; j < P; ++j) {
                    gain[j] = w.gain[j][w.n - size];
                }
                step<P>(c, [&](auto& theta) {
                    uniform_step<P>(theta, cost, y[i] - y[origin], gain, w.keep[w.n - size]);
                });
            }
        }
        return cost;
    }

private:
    template <int states, class Step>
    void step(Index c, Step apply) {
        double local[states];
        for (int j = 0; j < states; ++j) {
            local[j] = state[(c * states + j) * stride];
        }
        apply(local);
        for (int j = 0; j < states; ++j) {
            state[(c * states + j) * stride] = local[j];
        }
    }

    const Sweep& w;
    Index origin;
    double* state;
    Index stride;
    Index size = 0;
};

// Polynomial gains of `uniform_step` for N samples: Morrison, "Introduction to Sequential Smoothing and Prediction"
// (1969), chapter 9, the expanding-memory filters; here as Taylor coefficients, with keep = 1 - gain[0] in factored
// form.
template <int P>
void gains(double N, double (&g)[P + 1]) {
    if constexpr (P == 1) {
        g[0] = 1 / N;
        g[1] = (N - 1) / N;
    } else if constexpr (P == 2) {
        const double D = N * (N + 1);
        g[0] = 2 * (2 * N - 1) / D;
        g[1] = 6 / D;
        g[2] = (N - 1) * (N - 2) / D;
    } else if constexpr (P == 3) {
        const double D = N * (N + 1) * (N + 2);
        g[0] = 3 * (3 * N * N - 3 * N + 2) / D;
        g[1] = 18 * (2 * N - 1) / D;
        g[2] = 30 / D;
        g[3] = (N - 1) * (N - 2) * (N - 3) / D;
    } else {
        const double D = N * (N + 1) * (N + 2) * (N + 3);
        g[0] = 8 * (2 * N - 1) * (N * N - N + 3) / D;
        g[1] = 20 * (6 * N * N - 6 * N + 5) / D;
        g[2] = 120 * (2 * N - 1) / D;
        g[3] = 140 / D;
        g[4] = (N - 1) * (N - 2) * (N - 3) * (N - 4) / D;
    }
}

} // namespace

template <int P>
void DenseSolver::prepare(const Samples& samples) {
    const Index n = samples.size(), levels = problem_.pieces - 1, channels = samples.channels;
    const bool uniform = samples.x.empty();
    const int states = uniform ? P : weighted_state_size<P>;
    if (uniform && gains_of_ != n) {
        for (auto& table : gains_) {
            table.assign(static_cast<std::size_t>(n + padding + tile_size), 0.0);
        }
        for (Index N = 1; N <= n; ++N) {
            double g[P + 1];
            gains<P>(static_cast<double>(N), g);
            for (int j = 0; j <= P; ++j) {
                gains_[j < P ? j : max_degree + 1][static_cast<std::size_t>(tile_size + n - N)] = g[j];
            }
        }
        gains_of_ = n;
    }
    samples_ = &samples;
    w_ = Sweep{};
    w_.n = n;
    w_.channels = channels;
    w_.stride = to_line(n + padding);
    w_.levels = std::max<Index>(levels - 1, 0);
    w_.min_size = problem_.min_size;
    for (int j = 0; j < P; ++j) {
        w_.gain[j] = gains_[j].data() + tile_size;
    }
    w_.keep = gains_[max_degree + 1].data() + tile_size;

    const Index rows = channels * (2 + states) + 2 + levels;
    const Index scratch = tile_size * block_size + w_.levels * tile_size * (max_lanes + 1) + 3 * max_lanes;
    Arena arena(memory_, rows * w_.stride + scratch);
    w_.y = arena.copy(samples.y, channels, w_.stride);
    if (!uniform) {
        w_.x = arena.copy(samples.x, 1, w_.stride);
        w_.weights = arena.copy(samples.weights, channels, w_.stride);
    }
    w_.state = arena.take(channels * states * w_.stride);
    w_.cost = arena.take(w_.stride);
    w_.costs = arena.take(tile_size * block_size);
    w_.lanes = arena.take(w_.levels * tile_size * max_lanes);
    w_.minima = arena.take(w_.levels * tile_size);
    best_ = arena.take(levels * w_.stride);
    std::fill(best_, best_ + levels * w_.stride, infinity);
    w_.best = best_;
    growing_.resize(static_cast<std::size_t>(channels * states));
}

// The lowest start of a segment that ends at t and does not reach over a breakpoint that is demanded.
Index DenseSolver::lowest(Index t) const {
    return samples_->lowest.empty() ? 0 : samples_->lowest[static_cast<std::size_t>(t)];
}

// best[0][t]: one piece.
template <int P>
void DenseSolver::first_level() {
    std::fill(growing_.begin(), growing_.end(), 0.0);
    Growing<P> segment(w_, 0, growing_.data(), 1);
    for (Index t = 1; t < w_.n && lowest(t) == 0; ++t) {
        const double cost = segment.add(t - 1);
        best_[t] = t < w_.min_size || samples_->barred(t) ? infinity : cost;
    }
}

// best[k][t] for 0 < k < pieces - 1, a tile of ends at a time: a kernel takes the starts before the tile, the few
// segments that start inside it follow here, one end after the other.
template <int P>
void DenseSolver::further_levels() {
    const Index n = w_.n;
    const SweepTile sweep = w_.x ? kernel_->weighted[P - 1] : kernel_->uniform[P - 1];
    for (Index t0 = 0; t0 + w_.min_size < n; t0 += tile_size) {
        const Index ends = std::min(tile_size, n - 1 - t0);
        for (Index i = 0; i < tile_size; ++i) {
            w_.lowest[i] = lowest(t0 + 1 + std::min(i, ends - 1));
        }
        sweep(w_, t0);
        progress_.add(tile_steps * static_cast<double>(t0 - w_.lowest[0]) * static_cast<double>(w_.levels + extension));
        double inside[tile_size][tile_size]; // [start - t0][end - t0 - 1]
        for (Index s = 0; s < tile_size; ++s) {
            Growing<P> segment(w_, t0 + s, w_.state + t0 + s, w_.stride);
            for (Index i = s; i < tile_size; ++i) {
                inside[s][i] = segment.add(t0 + i);
            }
            w_.cost[t0 + s] = segment.cost;
        }
        for (Index i = 0; i < ends; ++i) {
            const Index end = t0 + i + 1;
            if (samples_->barred(end)) {
                continue;
            }
            const Index first = std::max(t0, w_.lowest[i]), last = end - w_.min_size;
            for (Index level = 0; level < w_.levels; ++level) {
                double* best = best_ + level * w_.stride;
                double least = w_.minima[level * tile_size + i];
                for (Index start = first; start <= last; ++start) {
                    least = std::min(least, best[start] + inside[start - t0][i]);
                }
                best[w_.stride + end] = least;
            }
        }
    }
}

// The start of the last of `pieces` pieces over the first `end` samples. The segment grows to the left until it alone
// costs more than the best candidate.
template <int P>
Index DenseSolver::last_breakpoint(Index pieces, Index end) {
    const double* best = best_ + (pieces - 2) * w_.stride;
    candidates_.resize(static_cast<std::size_t>(w_.n));
    std::fill(growing_.begin(), growing_.end(), 0.0);
    Growing<P> segment(w_, end - 1, growing_.data(), 1);
    double least = infinity;
    Index start = end;
    const Index leftmost = std::max((pieces - 1) * w_.min_size, lowest(end)), samples = w_.n * w_.channels;
    while (start > leftmost && segment.cost <= tied(least, samples)) {
        --start;
        const double cost = segment.add(start);
        const bool admitted = start <= end - w_.min_size;
        candidates_[static_cast<std::size_t>(start)] = admitted ? best[start] + cost : infinity;
        least = std::min(least, candidates_[static_cast<std::size_t>(start)]);
    }
    while (candidates_[static_cast<std::size_t>(start)] > tied(least, samples)) {
        ++start;
    }
    return start;
}

template <int P>
void DenseSolver::solve_degree(Index fewest, const Samples& samples, Index* breakpoints) {
    if (problem_.pieces > 1) {
        prepare<P>(samples);
        first_level<P>();
    }
    if (problem_.pieces > 2) {
        further_levels<P>();
    }
    for (Index pieces = fewest; pieces <= problem_.pieces; ++pieces) {
        breakpoints[0] = 0;
        breakpoints[pieces] = samples.size();
        for (Index k = pieces; k > 1; --k) {
            breakpoints[k - 1] = last_breakpoint<P>(k, breakpoints[k]);
        }
        breakpoints += pieces + 1;
    }
}

double DenseSolver::steps(const Problem& problem) {
    const double n = static_cast<double>(problem.length);
    return problem.pieces < 3 ? n : tile_steps / tile_size * n * n / 2 * static_cast<double>(problem.pieces - 2 + extension);
}

void DenseSolver::solve(const Samples& samples, Index* breakpoints) { solve_from(problem_.pieces, samples, breakpoints); }

void DenseSolver::solve_all(const Samples& samples, Index* breakpoints) { solve_from(1, samples, breakpoints); }

void DenseSolver::solve_from(Index fewest, const Samples& samples, Index* breakpoints) {
    switch (problem_.degree) {
    case 0: return solve_degree<1>(fewest, samples, breakpoints);
    case 1: return solve_degree<2>(fewest, samples, breakpoints);
    case 2: return solve_degree<3>(fewest, samples, breakpoints);
    default: return solve_degree<4>(fewest, samples, breakpoints);
    }
}

} // namespace kspline
