// Batches: one solver per thread, rows handed out one by one.
#include "dense.hpp"
#include "projection.hpp"
#include "rows.hpp"

namespace kspline {

void fit(const Problem& problem, const Signals& signals, unsigned threads, Monitor& monitor, const Fit& out) {
    const Index n = problem.length, pieces = problem.pieces, channels = problem.channels;
    const double steps = static_cast<double>(signals.count) * DenseSolver::steps(problem);
    monitor.expect(steps);
    for_each_row(signals.count, steps, threads, monitor, [&] {
        return [&, solver = DenseSolver(problem, monitor), samples = Samples()](Index row) mutable {
            const Signal signal = signals.row(row, channels, n);
            Index* breakpoints = out.breakpoints + row * (pieces + 1);
            samples.assign(signal);
            solver.solve(samples, breakpoints);
            for (Index i = 0; i < pieces; ++i) {
                breakpoints[i] = samples.end_of(breakpoints[i]);
            }
            breakpoints[pieces] = n;
            fit_pieces(signal, pieces, problem.degree, breakpoints,
                       out.coefficients + row * channels * pieces * (problem.degree + 1),
                       out.values + row * channels * n, out.cost + row);
        };
    });
}

void project(Product product, const Partitions& partitions, Index repeats, const double* v, unsigned threads,
             double* out) {
    const Partitions& p = partitions;
    const Signals signals{p.count, nullptr, p.weights, p.x, p.x_stride};
    const Index samples = p.channels * p.length;
    Monitor nobody; // the work is linear
    const double steps = static_cast<double>(repeats * p.count) * static_cast<double>(samples * (p.degree + 1));
    for_each_row(repeats * p.count, steps, threads, nobody, [&] {
        return [&](Index row) {
            const Index i = row % p.count;
            project_pieces(product, signals.row(i, p.channels, p.length), p.pieces, p.degree,
                           p.breakpoints + i * (p.pieces + 1), v + row * samples, out + row * samples);
        };
    });
}

} // namespace kspline
