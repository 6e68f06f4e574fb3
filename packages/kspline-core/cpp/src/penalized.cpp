#include "penalized.hpp"

#include <algorithm>
#include <limits>

#include "kspline/recursion.hpp"

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double step = 10; // nanoseconds to extend one piece by one sample

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

template <int P>
struct Open {
    double state[weighted_state_size<P>] = {};
    double own = 0;    // cost of the piece
    double before;     // of what comes before it, with the penalty
    Index start;
    Index until;       // the last end for which it must be looked at
};

template <int P>
std::vector<Index> solve(const Problem& problem, const Samples& samples, double penalty, Monitor& monitor) {
    const Index n = samples.size(), size = problem.min_size;
    const double floor = static_cast<double>(n) * (32 * eps) * (32 * eps);
    const auto tied = [&](double cost) { return cost * (1 + 1e-13) + floor; };
    Progress progress(monitor);
    std::vector<double> best(at(n + 1), infinity);
    std::vector<Index> from(at(n + 1), 0);
    std::vector<Open<P>> open;
    best[0] = 0;
    for (Index t = 1; t <= n; ++t) {
        if (best[at(t - 1)] < infinity) {
            open.push_back({{}, 0, t == 1 ? 0.0 : best[at(t - 1)] + penalty, t - 1, n});
        }
        double least = infinity;
        for (Open<P>& piece : open) {
            const double sample = samples.y[at(t - 1)] - samples.y[at(piece.start)];
            const double u = samples.x.empty() ? static_cast<double>(t - 1 - piece.start)
                                               : samples.x[at(t - 1)] - samples.x[at(piece.start)];
            weighted_step<P>(piece.state, piece.own, sample, u, samples.weights.empty() ? 1.0 : samples.weights[at(t - 1)]);
            if (t - piece.start >= size) {
                least = std::min(least, piece.before + piece.own);
            }
        }
        progress.add(step * static_cast<double>(open.size()));
        best[at(t)] = least;
        if (least == infinity) {
            continue;
        }
        // pieces stand in the order of their starts: the first one that ties is the leftmost
        from[at(t)] = std::find_if(open.begin(), open.end(), [&](const Open<P>& piece) {
                          return t - piece.start >= size && piece.before + piece.own <= tied(least);
                      })->start;
        for (Open<P>& piece : open) {
            if (piece.until == n && piece.before + piece.own > tied(least + penalty)) {
                piece.until = t + size - 1;
            }
        }
        std::erase_if(open, [&](const Open<P>& piece) { return piece.until <= t; });
    }
    std::vector<Index> ends;
    for (Index t = n; t > 0; t = from[at(t)]) {
        ends.push_back(t);
    }
    std::reverse(ends.begin(), ends.end());
    return ends;
}

} // namespace

std::vector<Index> solve_penalized(const Problem& problem, const Samples& samples, double penalty, Monitor& monitor) {
    switch (problem.degree) {
    case 0: return solve<1>(problem, samples, penalty, monitor);
    case 1: return solve<2>(problem, samples, penalty, monitor);
    case 2: return solve<3>(problem, samples, penalty, monitor);
    default: return solve<4>(problem, samples, penalty, monitor);
    }
}

} // namespace kspline
