#include "kspline/path.hpp"

#include <algorithm>
#include <cmath>

#include "dense.hpp"
#include "functional.hpp"
#include "penalized.hpp"
#include "projection.hpp"

namespace kspline {
namespace {

template <class Solver>
void solve_path(const Problem& problem, const Samples& samples, Monitor& monitor, Index* breakpoints) {
    monitor.expect(Solver::steps(problem));
    Solver(problem, monitor).solve_all(samples, breakpoints);
}

} // namespace

void fit_path(const Problem& problem, const Signal& signal, Monitor& monitor, Index* breakpoints, double* cost) {
    Samples samples;
    samples.assign(signal);
    if (problem.method == Method::functional) {
        solve_path<FunctionalSolver>(problem, samples, monitor, breakpoints);
    } else {
        solve_path<DenseSolver>(problem, samples, monitor, breakpoints);
    }
    std::vector<double> coefficients(static_cast<std::size_t>(problem.pieces * (problem.degree + 1)));
    std::vector<double> values(static_cast<std::size_t>(problem.length));
    for (Index pieces = 1; pieces <= problem.pieces; ++pieces, ++cost) {
        for (Index i = 0; i < pieces; ++i) {
            breakpoints[i] = samples.end_of(breakpoints[i]);
        }
        breakpoints[pieces] = problem.length;
        fit_pieces(signal, pieces, problem.degree, breakpoints, coefficients.data(), values.data(), cost);
        breakpoints += pieces + 1;
    }
}

std::vector<Index> fit_penalized(const Problem& problem, double penalty, const Signal& signal, Monitor& monitor) {
    Samples samples;
    samples.assign(signal);
    // a penalty past any cost asks for one piece; the cost of scaled samples is below 4 for each of them
    const double scaled = std::min(std::ldexp(penalty, samples.cost_exponent), 1e300);
    std::vector<Index> breakpoints{0};
    if (problem.method == Method::functional) {
        monitor.expect(FunctionalSolver::steps({problem.length, 3, 0}));
        for (const int end : FunctionalSolver(problem, monitor).solve_penalized(samples, scaled)) {
            breakpoints.push_back(samples.end_of(end));
        }
    } else {
        const auto n = static_cast<double>(problem.length);
        monitor.expect(5 * n * n);
        for (const Index end : solve_penalized(problem, samples, scaled, monitor)) {
            breakpoints.push_back(samples.end_of(end));
        }
    }
    breakpoints.back() = problem.length;
    return breakpoints;
}

void fit_given(const Problem& problem, const Signal& signal, const Fit& out) {
    fit_pieces(signal, problem.pieces, problem.degree, out.breakpoints, out.coefficients, out.values, out.cost);
}

} // namespace kspline
