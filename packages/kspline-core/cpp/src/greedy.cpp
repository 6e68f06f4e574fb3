#include "greedy.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lazy.hpp"
#include "penalty_search.hpp"

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr int trials = 20; // of penalties for the bound

// Pieces of equal size: a partition that always exists.
Cuts equal_pieces(Index pieces, Index n) {
    Cuts cuts;
    for (Index i = 0; i <= pieces; ++i) {
        cuts.push_back(n / pieces * i + std::min(i, n % pieces));
    }
    return cuts;
}

Cuts united(Cuts a, const Cuts& b) {
    a.insert(a.end(), b.begin(), b.end());
    std::sort(a.begin(), a.end());
    a.erase(std::unique(a.begin(), a.end()), a.end());
    return a;
}

// Ends of about 2 `kept` intervals. Starts from steps of samples where there are plenty.
template <int P>
Cuts merged(const Tree<P>& tree, Cuts cuts, Index kept) {
    std::vector<Run<P>> runs, pairs;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        runs.push_back(tree.range(cuts[i], cuts[i + 1]));
    }
    std::vector<double> cost;
    while (static_cast<Index>(runs.size()) > 2 * kept + 1) {
        const std::size_t count = runs.size() / 2;
        pairs.assign(runs.size() / 2, {});
        cost.resize(count);
        for (std::size_t i = 0; i < count; ++i) {
            pairs[i] = runs[2 * i];
            pairs[i].add(runs[2 * i + 1]);
            cost[i] = pairs[i].segment.cost;
        }
        std::vector<double> sorted = cost;
        const auto threshold = sorted.end() - kept;
        std::nth_element(sorted.begin(), threshold, sorted.end());
        auto ties = kept - std::count_if(cost.begin(), cost.end(), [&](double c) { return c > *threshold; });
        std::size_t out = 0;
        const std::size_t total = runs.size();
        for (std::size_t i = 0; i < count; ++i) {
            const bool split = cost[i] > *threshold || (cost[i] == *threshold && ties-- > 0);
            if (split) {
                cuts[out] = cuts[2 * i];
                runs[out++] = runs[2 * i];
                cuts[out] = cuts[2 * i + 1];
                runs[out++] = runs[2 * i + 1];
            } else {
                cuts[out] = cuts[2 * i];
                runs[out++] = pairs[i];
            }
        }
        if (total % 2) {
            cuts[out] = cuts[total - 1];
            runs[out++] = runs[total - 1];
        }
        cuts[out] = cuts[total];
        runs.resize(out);
        cuts.resize(out + 1);
    }
    return cuts;
}

} // namespace

Cuts every(Index step, Index n) {
    Cuts cuts;
    for (Index i = 0; i < n; i += step) {
        cuts.push_back(i);
    }
    cuts.push_back(n);
    return cuts;
}

template <int P>
Approximation best_along(const Elements<P>& samples, const Tree<P>& tree, const Engine<P>& engine, Cuts cuts,
                         Index pieces, Index min_size) {
    const Elements<P> intervals = joined(samples, tree, cuts);
    const Tree<P> interval_tree(intervals);
    const Index levels = std::min(intervals.size(), pieces + std::max<Index>(8, pieces / 4));
    const Table<P> table(intervals, interval_tree, engine, levels, min_size);
    Approximation result;
    for (const Index cut : table.partition(pieces)) {
        result.cuts.push_back(cuts[static_cast<std::size_t>(cut)]);
    }
    result.cost = refine(samples, tree, min_size, result.cuts);
    for (Index k = 1; k <= levels; ++k) {
        if (table.cost(k) < infinity) {
            result.frontier.add(k, table.cost(k));
        }
    }
    result.frontier.add(pieces, result.cost);
    return result;
}

template <int P>
Approximation approximate(const Elements<P>& samples, const Tree<P>& tree, const Engine<P>& engine, Index pieces,
                          Index min_size) {
    const Index n = samples.size(), kept = std::max<Index>(6 * pieces, 32);
    const Index step = n >= 128 * kept ? 8 : 1;
    return best_along(samples, tree, engine, united(merged(tree, every(step, n), kept), equal_pieces(pieces, n)), pieces,
                      min_size);
}

namespace {

// A lower bound of the cost of `pieces` pieces: the Lagrangian dual max over penalties of F - penalty pieces, where
// pieces may be cut anywhere, but samples in a step that is cut cost nothing: less than one in 100 of them, or none.
// Rounding of the sums is subtracted. `upper` is what some partition costs, `slope` what a piece more saves.
template <int P>
double lower_bound(const Elements<P>& samples, const Tree<P>& tree, const Engine<P>& engine, Index pieces, double slope,
                   double upper) {
    Index step = 1;
    while (step * std::max<Index>(8192, 128 * pieces) <= samples.size()) {
        step *= 2;
    }
    const Elements<P> steps = step > 1 ? joined(samples, tree, every(step, samples.size())) : samples;
    const Tree<P> step_tree(steps);
    Lazy<P> lazy(steps, step_tree, engine);
    std::vector<double> F;
    std::vector<Index> back;
    double bound = 0;
    // a cut saves what the step costs, too
    PenaltySearch search(pieces, slope + (step > 1 ? upper / static_cast<double>(steps.size()) : 0.0));
    for (int trial = 0; trial < trials && search.penalty() > 0 && !search.settled(); ++trial) {
        if (step > 1) {
            lazy.cut_inside(search.penalty(), F, back);
        } else {
            lazy.penalised(search.penalty(), F, back);
        }
        Index count = 0;
        for (Index t = steps.size(); t > 0; t = back[static_cast<std::size_t>(t)]) {
            ++count;
        }
        const double priced = search.penalty() * static_cast<double>(pieces);
        bound = std::max(bound, F.back() - priced - rounding_margin * (F.back() + priced));
        if (8 * std::abs(count - pieces) <= pieces) { // near the top of a concave function
            break;
        }
        search.record(count);
    }
    return bound;
}

} // namespace

template <int P>
double GreedySolver::solve_degree(const Samples& samples, Index* breakpoints) {
    const Engine<P> engine{segment_kernel<P>(*kernels_), progress_};
    const Elements<P> elements = single_elements<P>(samples);
    const Tree<P> tree(elements);
    const Approximation found = approximate(elements, tree, engine, problem_.pieces, problem_.min_size);
    std::copy(found.cuts.begin(), found.cuts.end(), breakpoints);
    if (problem_.pieces == 1) {
        return 1;
    }
    const double slope = found.frontier.slope(problem_.pieces);
    const double bound = lower_bound(elements, tree, engine, problem_.pieces, slope, found.cost);
    return found.cost > 0 ? std::min(1.0, bound / found.cost) : 1;
}

double GreedySolver::solve(const Samples& samples, Index* breakpoints) {
    switch (problem_.degree) {
    case 0: return solve_degree<1>(samples, breakpoints);
    case 1: return solve_degree<2>(samples, breakpoints);
    case 2: return solve_degree<3>(samples, breakpoints);
    default: return solve_degree<4>(samples, breakpoints);
    }
}

#define KSPLINE_INSTANTIATE(P)                                                                                         \
    template Approximation best_along<P>(const Elements<P>&, const Tree<P>&, const Engine<P>&, Cuts, Index,     \
                                         Index);                                                                       \
    template Approximation approximate<P>(const Elements<P>&, const Tree<P>&, const Engine<P>&, Index, Index);
KSPLINE_INSTANTIATE(1)
KSPLINE_INSTANTIATE(2)
KSPLINE_INSTANTIATE(3)
KSPLINE_INSTANTIATE(4)
#undef KSPLINE_INSTANTIATE

} // namespace kspline
