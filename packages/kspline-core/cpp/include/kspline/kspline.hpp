// Discretised k-splines: the best piecewise polynomial of a signal, and the projection onto its pieces.
//
// Cho et al., "Differentiable Spline Approximations" (NeurIPS 2021), section 2.1. This header is the whole public
// interface of the core. Arguments are trusted: the caller has checked shapes, ranges and that values are finite.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "kspline/monitor.hpp"

namespace kspline {

using Index = std::ptrdiff_t;

inline constexpr int max_degree = 3;

struct Problem {
    Index length;                          // samples per signal, n
    Index pieces;                          // k
    int degree;                            // 0 to 3
    Index min_size = 1;                    // samples of positive weight in each piece, at least
    std::string_view instruction_set = {}; // one of `instruction_sets()`; empty: the widest this machine has
};

// Where the results of a batch go, row after row.
struct Fit {
    Index* breakpoints;   // (batch, pieces + 1), from 0 to length
    double* coefficients; // (batch, pieces, degree + 1): powers of (sample index - first index of the piece)
    double* values;       // (batch, length)
    double* cost;         // (batch,): weighted sum of squared residuals
};

// Fits each row of y (batch, length). `weights` has the shape of y, or is null: all ones. A sample of weight zero is
// never read. A monitor that reports ends the run when its report throws.
void fit(const Problem& problem, Index batch, const double* y, const double* weights, unsigned threads, Monitor& monitor,
         const Fit& out);

// Which product with the Jacobian J of the fitted values (Theorem 1): J v, or its transpose. They differ only when
// there are weights.
enum class Product { jacobian, transposed };

// Applies J to `repeats` stacks of shape (batch, length); the result must not overlap v.
void project(Product product, Index repeats, Index batch, Index length, Index pieces, int degree, const double* v,
             const Index* breakpoints, const double* weights, unsigned threads, double* out);

// The instruction sets this machine can run, the widest first.
std::vector<std::string> instruction_sets();

} // namespace kspline
