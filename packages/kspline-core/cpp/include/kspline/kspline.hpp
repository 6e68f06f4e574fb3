// Discretised k-splines: the best piecewise polynomial of a signal, and the projection onto its pieces.
//
// Cho et al., "Differentiable Spline Approximations" (NeurIPS 2021), section 2.1. This header is the whole public
// interface of the core. Arguments are trusted: the caller has checked shapes, ranges and that values are finite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kspline/monitor.hpp"

namespace kspline {

using Index = std::ptrdiff_t;

inline constexpr int max_degree = 3;

enum class Method {
    dense,      // any problem
    functional, // degree 0, one channel, no marks, least size 1, fewer than 2^31 samples
    lagrangian, // one channel, no marks
    greedy,     // one channel, no marks; not the best partition, but a good one
};

struct Problem {
    Index length;                          // samples per signal, n
    Index pieces;                          // k
    int degree;                            // 0 to 3
    Index min_size = 1;                    // samples of positive weight in each piece, at least
    std::string_view instruction_set = {}; // one of `instruction_sets()`; empty: the widest this machine has
    Index channels = 1;                    // of one signal: they share the breakpoints
    Method method = Method::dense;
};

// What is asked of a position b: whether a piece starts with the sample b.
enum class Mark : std::uint8_t { free, fixed, forbidden };

// One signal. The weight of a sample is zero where it is missing: it is never read. A sample counts, for `min_size`, if
// it is there in any channel.
struct Signal {
    Index length, channels;
    const double* y;       // (channels, length)
    const double* weights; // (channels, length); null: all ones
    const double* x;       // (length,), increasing; null: 0, 1, ..., length - 1
    const Mark* marks;     // (length,), of which the first is free; null: all free
};

// A batch of signals of one shape.
struct Signals {
    Index count;
    const double* y;                 // (count, channels, length)
    const double* weights = nullptr; // the same shape
    const double* x = nullptr;       // (length,), or (count, length) if x_stride is not zero
    Index x_stride = 0;
    const Mark* marks = nullptr; // (length,), or (count, length) if marks_stride is not zero
    Index marks_stride = 0;

    Signal row(Index i, Index channels, Index length) const {
        const Index samples = i * channels * length;
        return {length,
                channels,
                y ? y + samples : nullptr,
                weights ? weights + samples : nullptr,
                x ? x + i * x_stride : nullptr,
                marks ? marks + i * marks_stride : nullptr};
    }
};

// Where the results of a batch go, row after row.
struct Fit {
    Index* breakpoints;   // (batch, pieces + 1), from 0 to length
    double* coefficients; // (batch, channels, pieces, degree + 1): powers of (x - x of the piece's first sample)
    double* values;       // (batch, channels, length)
    double* cost;         // (batch,): weighted sum of squared residuals over all channels
    double* lower = nullptr; // (batch,), or null: no partition costs less; the cost itself, unless the method is greedy
};

// Fits each signal. A monitor that reports ends the run when its report throws.
void fit(const Problem& problem, const Signals& signals, unsigned threads, Monitor& monitor, const Fit& out);

// How many pieces a signal can be cut into under its marks, each with `min_size` samples of positive weight.
struct Room {
    Index least, most; // most = 0: not at all, because between the demanded breakpoints `left` and `right` there is
    Index left, right; // too little
};
Room room(const Signal& signal, Index min_size);

// Partitions of a batch of signals, and all else that their Jacobians depend on; members as in Signals.
struct Partitions {
    Index count, channels, length, pieces;
    int degree;
    const Index* breakpoints; // (count, pieces + 1)
    const double* weights = nullptr;
    const double* x = nullptr;
    Index x_stride = 0;
};

// Which product with the Jacobian J of the fitted values (Theorem 1): J v, or its transpose. They differ only when
// there are weights.
enum class Product { jacobian, transposed };

// Applies J to `repeats` stacks of shape (count, channels, length); the result must not overlap v.
void project(Product product, const Partitions& partitions, Index repeats, const double* v, unsigned threads,
             double* out);

// The instruction sets this machine can run, the widest first.
std::vector<std::string> instruction_sets();

} // namespace kspline
