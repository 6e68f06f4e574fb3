#include "dense.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

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

double* aligned(std::vector<double>& memory) { // to a cache line; `memory` holds 8 doubles more than are used
    const auto address = reinterpret_cast<std::uintptr_t>(memory.data());
    return memory.data() + (64 - address % 64) % 64 / sizeof(double);
}

// A segment that grows sample by sample, to the right or to the left of the first one.
template <int P>
struct Growing {
    double state[weighted_state_size<P>] = {};
    double cost = 0.0;

    Growing(const Sweep& sweep, Index first) : w(sweep), origin(first) {}

    double add(Index i) {
        const double sample = w.y[i] - w.y[origin];
        if (w.x) {
            weighted_step<P>(state, cost, sample, w.x[i] - w.x[origin], w.weights[i]);
            return cost;
        }
        ++size;
        double theta[P], gain[P];
        for (int j = 0; j < P; ++j) {
            theta[j] = state[j];
            gain[j] = w.gain[j][w.n - size];
        }
        uniform_step<P>(theta, cost, sample, gain, w.keep[w.n - size]);
        std::copy(theta, theta + P, state);
        return cost;
    }

private:
    const Sweep& w;
    Index origin;
    Index size = 0;
};

std::vector<double> padded(const std::vector<double>& values) {
    std::vector<double> copy(values.size() + padding);
    std::copy(values.begin(), values.end(), copy.begin());
    return copy;
}

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
    const Index n = samples.size();
    const Index levels = problem_.pieces - 1;
    const bool uniform = samples.x.empty();
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
    y_ = padded(samples.y);
    x_ = padded(samples.x);
    weights_ = padded(samples.weights);

    w_ = Sweep{};
    w_.y = y_.data();
    w_.x = uniform ? nullptr : x_.data();
    w_.weights = uniform ? nullptr : weights_.data();
    for (int j = 0; j < P; ++j) {
        w_.gain[j] = gains_[j].data() + tile_size;
    }
    w_.keep = gains_[max_degree + 1].data() + tile_size;
    w_.n = n;
    w_.stride = n + padding;
    w_.levels = levels - 1;
    w_.min_size = problem_.min_size;

    best_.assign(static_cast<std::size_t>(levels * w_.stride), infinity);
    w_.best = best_.data();
}

// best[0][t]: one piece.
template <int P>
void DenseSolver::first_level() {
    Growing<P> segment(w_, 0);
    for (Index t = 1; t < w_.n; ++t) {
        const double cost = segment.add(t - 1);
        best_[static_cast<std::size_t>(t)] = t < w_.min_size ? infinity : cost;
    }
}

// best[k][t] for 0 < k < pieces - 1, a tile of ends at a time: a kernel takes the starts before the tile, the few
// segments that start inside it follow here, one end after the other.
template <int P>
void DenseSolver::further_levels() {
    const Index n = w_.n;
    const int states = w_.x ? weighted_state_size<P> : P;
    for (int j = 0; j < states; ++j) {
        state_[j].assign(static_cast<std::size_t>(n + padding), 0.0);
        w_.state[j] = state_[j].data();
    }
    cost_.assign(static_cast<std::size_t>(n + padding), 0.0);
    w_.cost = cost_.data();
    scratch_.resize(static_cast<std::size_t>(tile_size * block_size + w_.levels * tile_size * max_lanes + 8));
    w_.costs = aligned(scratch_);
    w_.lanes = w_.costs + tile_size * block_size;
    minima_.resize(static_cast<std::size_t>(w_.levels * tile_size));
    w_.minima = minima_.data();

    const SweepTile sweep = w_.x ? kernel_->weighted[P - 1] : kernel_->uniform[P - 1];
    for (Index t0 = 0; t0 + w_.min_size < n; t0 += tile_size) {
        sweep(w_, t0);
        progress_.add(tile_steps * static_cast<double>(t0) * static_cast<double>(w_.levels + extension));
        double inside[tile_size][tile_size]; // [start - t0][end - t0 - 1]
        for (Index s = 0; s < tile_size; ++s) {
            Growing<P> segment(w_, t0 + s);
            for (Index i = s; i < tile_size; ++i) {
                inside[s][i] = segment.add(t0 + i);
            }
            for (int j = 0; j < states; ++j) {
                w_.state[j][t0 + s] = segment.state[j];
            }
            w_.cost[t0 + s] = segment.cost;
        }
        for (Index i = 0; i < tile_size && t0 + i + 1 < n; ++i) {
            const Index end = t0 + i + 1;
            for (Index level = 0; level < w_.levels; ++level) {
                double* best = best_.data() + level * w_.stride;
                double least = w_.minima[level * tile_size + i];
                for (Index start = t0; start <= end - w_.min_size; ++start) {
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
    const double* best = best_.data() + (pieces - 2) * w_.stride;
    candidates_.resize(static_cast<std::size_t>(w_.n));
    Growing<P> segment(w_, end - 1);
    double least = infinity;
    Index start = end;
    const Index lowest = (pieces - 1) * w_.min_size;
    while (start > lowest && segment.cost <= tied(least, w_.n)) {
        --start;
        const double cost = segment.add(start);
        const bool admitted = start <= end - w_.min_size;
        candidates_[static_cast<std::size_t>(start)] = admitted ? best[start] + cost : infinity;
        least = std::min(least, candidates_[static_cast<std::size_t>(start)]);
    }
    while (candidates_[static_cast<std::size_t>(start)] > tied(least, w_.n)) {
        ++start;
    }
    return start;
}

template <int P>
void DenseSolver::solve_degree(const Samples& samples, Index* breakpoints) {
    breakpoints[0] = 0;
    breakpoints[problem_.pieces] = samples.size();
    if (problem_.pieces == 1) {
        return;
    }
    prepare<P>(samples);
    first_level<P>();
    if (problem_.pieces > 2) {
        further_levels<P>();
    }
    for (Index k = problem_.pieces; k > 1; --k) {
        breakpoints[k - 1] = last_breakpoint<P>(k, breakpoints[k]);
    }
}

double DenseSolver::steps(const Problem& problem) {
    const double n = static_cast<double>(problem.length);
    return problem.pieces < 3 ? n : tile_steps / tile_size * n * n / 2 * static_cast<double>(problem.pieces - 2 + extension);
}

void DenseSolver::solve(const Samples& samples, Index* breakpoints) {
    switch (problem_.degree) {
    case 0: return solve_degree<1>(samples, breakpoints);
    case 1: return solve_degree<2>(samples, breakpoints);
    case 2: return solve_degree<3>(samples, breakpoints);
    default: return solve_degree<4>(samples, breakpoints);
    }
}

} // namespace kspline
