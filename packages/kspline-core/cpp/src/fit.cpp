// Batches: one solver per thread, rows handed out one by one.
#include <type_traits>

#include "dense.hpp"
#include "functional.hpp"
#include "greedy.hpp"
#include "lagrangian.hpp"
#include "projection.hpp"
#include "rows.hpp"

namespace kspline {
namespace {

template <class Solver>
void fit_with(const Problem& problem, const Signals& signals, unsigned threads, Monitor& monitor, const Fit& out) {
    const Index n = problem.length, pieces = problem.pieces, channels = problem.channels;
    const double steps = static_cast<double>(signals.count) * Solver::steps(problem);
    monitor.expect(steps);
    for_each_row(signals.count, steps, threads, monitor, [&] {
        return [&, solver = Solver(problem, monitor), samples = Samples()](Index row) mutable {
            const Signal signal = signals.row(row, channels, n);
            Index* breakpoints = out.breakpoints + row * (pieces + 1);
            samples.assign(signal);
            double bound = 1;
            if constexpr (std::is_void_v<decltype(solver.solve(samples, breakpoints))>) {
                solver.solve(samples, breakpoints);
            } else {
                bound = solver.solve(samples, breakpoints);
            }
            for (Index i = 0; i < pieces; ++i) {
                breakpoints[i] = samples.end_of(breakpoints[i]);
            }
            breakpoints[pieces] = n;
            fit_pieces(signal, pieces, problem.degree, breakpoints,
                       out.coefficients + row * channels * pieces * (problem.degree + 1),
                       out.values + row * channels * n, out.cost + row);
            if (out.lower) {
                out.lower[row] = bound * out.cost[row];
            }
        };
    });
}

} // namespace

void fit(const Problem& problem, const Signals& signals, unsigned threads, Monitor& monitor, const Fit& out) {
    switch (problem.method) {
    case Method::functional: return fit_with<FunctionalSolver>(problem, signals, threads, monitor, out);
    case Method::lagrangian: return fit_with<LagrangianSolver>(problem, signals, threads, monitor, out);
    case Method::greedy: return fit_with<GreedySolver>(problem, signals, threads, monitor, out);
    default: return fit_with<DenseSolver>(problem, signals, threads, monitor, out);
    }
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
