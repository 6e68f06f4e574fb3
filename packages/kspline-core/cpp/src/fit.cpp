// Batches: one solver per thread, rows handed out one by one.
#include <algorithm>
#include <cmath>

#include "dense.hpp"
#include "projection.hpp"
#include "rows.hpp"

namespace kspline {
namespace {

// Exponent e with 2^e <= x < 2^(e + 1), for x > 0.
int exponent(double x) { return std::ilogb(x); }

} // namespace

void Samples::assign(const double* signal, const double* signal_weights, Index length) {
    y.clear();
    x.clear();
    weights.clear();
    if (!signal_weights) {
        y.assign(signal, signal + length);
    } else {
        const double heaviest = *std::max_element(signal_weights, signal_weights + length);
        const int shift = -exponent(heaviest);
        for (Index i = 0; i < length; ++i) {
            if (signal_weights[i] > 0) {
                y.push_back(signal[i]);
                x.push_back(static_cast<double>(i));
                weights.push_back(std::scalbn(signal_weights[i], shift));
            }
        }
    }
    const auto [low, high] = std::minmax_element(y.begin(), y.end());
    const double half_range = *high / 2 - *low / 2; // halves: the range itself may overflow
    if (half_range > 0) {
        const int shift = -exponent(half_range);
        for (double& value : y) {
            value = std::scalbn(value, shift);
        }
    }
}

void fit(const Problem& problem, Index batch, const double* y, const double* weights, unsigned threads, Monitor& monitor,
         const Fit& out) {
    const Index n = problem.length, pieces = problem.pieces;
    const double steps = static_cast<double>(batch) * DenseSolver::steps(problem);
    monitor.expect(steps);
    for_each_row(batch, steps, threads, monitor, [&] {
        return [&, solver = DenseSolver(problem, monitor), samples = Samples()](Index row) mutable {
            const double* signal = y + row * n;
            const double* signal_weights = weights ? weights + row * n : nullptr;
            Index* breakpoints = out.breakpoints + row * (pieces + 1);
            samples.assign(signal, signal_weights, n);
            solver.solve(samples, breakpoints);
            for (Index i = 0; i < pieces; ++i) {
                breakpoints[i] = samples.end_of(breakpoints[i]);
            }
            breakpoints[pieces] = n;
            fit_pieces(pieces, problem.degree, signal, signal_weights, breakpoints,
                       out.coefficients + row * pieces * (problem.degree + 1), out.values + row * n, out.cost + row);
        };
    });
}

void project(Product product, Index repeats, Index batch, Index length, Index pieces, int degree, const double* v,
             const Index* breakpoints, const double* weights, unsigned threads, double* out) {
    Monitor nobody; // the work is linear
    const double steps = static_cast<double>(repeats * batch) * static_cast<double>(length * (degree + 1));
    for_each_row(repeats * batch, steps, threads, nobody, [&] {
        return [&](Index row) {
            const Index signal = row % batch;
            project_pieces(product, pieces, degree, v + row * length, breakpoints + signal * (pieces + 1),
                           weights ? weights + signal * length : nullptr, out + row * length);
        };
    });
}

} // namespace kspline
