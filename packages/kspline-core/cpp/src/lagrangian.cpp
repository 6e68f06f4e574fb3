#include "lagrangian.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "greedy.hpp"
#include "lazy.hpp"
#include "penalty_search.hpp"

namespace kspline {
namespace {

constexpr Index few = 1024;  // survivors: the table takes them all
constexpr int rounds = 12;   // of fixing
constexpr int searches = 3;  // passes in a row that may only improve the penalty
constexpr double near = 0.9; // gap, in penalties, at which fixing pays: what a useless cut loses is about one
constexpr int trials = 24;   // of a penalty for the coarse signal
// Finer steps find as many pieces worth while at another penalty, which changes with each refinement by a power less; as
// measured.
constexpr double further = 0.6;

// The signal as far as it is still undecided.
template <int P>
struct Stage {
    Elements<P> elements;
    Tree<P> tree;

    explicit Stage(Elements<P> given) : elements(std::move(given)), tree(elements) {}
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    Cuts in_samples(const Cuts& cuts) const {
        Cuts result;
        for (const Index cut : cuts) {
            result.push_back(elements.end[static_cast<std::size_t>(cut)]);
        }
        return result;
    }
    Cuts in_elements(const Cuts& samples) const {
        Cuts result;
        for (const Index cut : samples) {
            result.push_back(std::lower_bound(elements.end.begin(), elements.end.end(), cut) - elements.end.begin());
        }
        return result;
    }
};

// Cuts in elements, of least penalised cost; F as in `Lazy`.
template <int P>
Cuts penalised(const Stage<P>& stage, const Engine<P>& engine, double penalty, std::vector<double>& F) {
    std::vector<Index> back;
    Lazy<P>(stage.elements, stage.tree, engine).penalised(penalty, F, back);
    Cuts cuts{static_cast<Index>(back.size()) - 1};
    while (cuts.back() > 0) {
        cuts.push_back(back[static_cast<std::size_t>(cuts.back())]);
    }
    std::reverse(cuts.begin(), cuts.end());
    return cuts;
}

// Replaces `upper` if the best partition along its cuts and `cuts`, both in samples of `stage`, refined, is better.
template <int P>
void improve(const Stage<P>& stage, const Engine<P>& engine, const Cuts& cuts, Index pieces, Index min_size,
             Approximation& upper) {
    Cuts both = upper.cuts;
    both.insert(both.end(), cuts.begin(), cuts.end());
    std::sort(both.begin(), both.end());
    both.erase(std::unique(both.begin(), both.end()), both.end());
    const Approximation better = best_along(stage.elements, stage.tree, engine, stage.in_elements(both), pieces, min_size);
    if (better.cost < upper.cost) {
        upper.cost = better.cost;
        upper.cuts = stage.in_samples(better.cuts);
    }
    upper.frontier.add(better.frontier);
}

// Looks for the penalty under which about `pieces` pieces are best when only every `step`-th sample may start one.
template <int P>
void tune(const Stage<P>& fine, const Engine<P>& engine, Index step, Index pieces, Index min_size,
          PenaltySearch& search, Approximation& upper) {
    const Stage<P> coarse(joined(fine.elements, fine.tree, every(step, fine.elements.size())));
    std::vector<double> F;
    Cuts cuts;
    for (int trial = 0; trial < trials && !search.settled(); ++trial) {
        const double penalty = search.penalty();
        cuts = penalised(coarse, engine, penalty, F);
        const auto count = static_cast<Index>(cuts.size()) - 1;
        upper.frontier.add(count, F.back() - penalty * static_cast<double>(count));
        if (8 * std::abs(count - pieces) <= pieces) {
            break;
        }
        search.record(count);
    }
    if (static_cast<Index>(cuts.size()) <= 8 * pieces) {
        improve(fine, engine, coarse.in_samples(cuts), pieces, min_size, upper);
    }
    search.set(search.penalty());
}

// Breakpoints that cost little more, one in each of 8 pieces stretches, of which the better half.
inline Cuts tempting(const std::vector<double>& bounds, Index pieces) {
    const Index m = static_cast<Index>(bounds.size()) - 1, stretches = std::min(8 * pieces, m - 1);
    Cuts cuts;
    for (Index i = 0; i < stretches; ++i) {
        const auto first = bounds.begin() + 1 + (m - 1) * i / stretches, last = bounds.begin() + 1 + (m - 1) * (i + 1) / stretches;
        cuts.push_back(std::min_element(first, last) - bounds.begin());
    }
    const auto middle = cuts.begin() + (stretches + 1) / 2;
    std::nth_element(cuts.begin(), middle, cuts.end(), [&](Index a, Index b) {
        return bounds[static_cast<std::size_t>(a)] < bounds[static_cast<std::size_t>(b)];
    });
    cuts.erase(middle, cuts.end());
    return cuts;
}

} // namespace

template <int P>
Cuts LagrangianSolver::solve_degree(const Samples& samples) {
    const Index pieces = problem_.pieces, n = samples.size(), min_size = problem_.min_size;
    const Engine<P> engine{segment_kernel<P>(*kernels_), progress_};
    auto stage = std::make_unique<Stage<P>>(single_elements<P>(samples));
    Approximation upper = approximate(stage->elements, stage->tree, engine, pieces, min_size); // cuts in samples
    upper.frontier.add(n, 0);
    PenaltySearch search(pieces, upper.frontier.slope(pieces));
    double growth = 1.25;
    for (const Index step : {64, 8}) {
        if (n / step > few && search.penalty() > 0) {
            const double before = search.penalty();
            tune(*stage, engine, step, pieces, min_size, search, upper);
            if (step == 8 && n / 64 > few) {
                growth = std::clamp(std::pow(growth * search.penalty() / before, further), 0.8, 1.6);
            }
            search.set(growth * search.penalty());
        }
    }
    std::vector<double> F, bounds;
    std::vector<Index> unused;
    int searched = 0;
    for (int round = 0; round < rounds && stage->elements.size() > few; ++round) {
        const Elements<P>& elements = stage->elements;
        const Index m = elements.size();
        const double penalty = search.penalty(), priced = penalty * static_cast<double>(pieces);
        const Cuts found = penalised(*stage, engine, penalty, F);
        const auto count = static_cast<Index>(found.size()) - 1;
        const double lower = F.back() - priced;
        if (count == pieces && admitted(elements, found, min_size)) {
            return stage->in_samples(found); // optimal: its cost is the bound
        }
        search.record(count);
        if (count <= 8 * pieces) {
            improve(*stage, engine, stage->in_samples(found), pieces, min_size, upper);
        }
        if (upper.cost <= tied(lower, n)) {
            break;
        }
        if (upper.cost - lower > near * penalty && !search.settled() && ++searched < searches) {
            continue;
        }
        searched = 0;
        const Elements<P> mirror = reversed(elements);
        const Tree<P> mirror_tree(mirror);
        Lazy<P>(mirror, mirror_tree, engine).penalised(penalty, bounds, unused);
        std::reverse(bounds.begin(), bounds.end());
        for (std::size_t q = 0; q < bounds.size(); ++q) {
            bounds[q] += F[q];
        }
        improve(*stage, engine, stage->in_samples(tempting(bounds, pieces)), pieces, min_size, upper);
        const double limit = tied(upper.cost, n) + priced + rounding_margin * (F.back() + priced);
        const Cuts kept = stage->in_elements(upper.cuts);
        Cuts survivors{0};
        std::size_t next_kept = 1;
        for (Index q = 1; q <= m; ++q) {
            const bool keep = q == kept[next_kept];
            next_kept += keep;
            if (keep || bounds[static_cast<std::size_t>(q)] <= limit) {
                survivors.push_back(q);
            }
        }
        auto rest = std::make_unique<Stage<P>>(joined(elements, stage->tree, survivors));
        const Index left = rest->elements.size();
        stage = std::move(rest);
        const double next = upper.frontier.slope(pieces);
        if (left > m - m / 8 && (search.settled() || std::abs(next - penalty) <= 1e-3 * penalty)) {
            break;
        }
        if (left < m && next > 0) {
            search.set(next);
        }
    }
    const Table<P> table(stage->elements, stage->tree, engine, pieces - 1, min_size);
    return stage->in_samples(table.partition(pieces));
}

void LagrangianSolver::solve(const Samples& samples, Index* breakpoints) {
    if (problem_.pieces == 1) {
        breakpoints[0] = 0;
        breakpoints[1] = samples.size();
        return;
    }
    const Cuts cuts = [&] {
        switch (problem_.degree) {
        case 0: return solve_degree<1>(samples);
        case 1: return solve_degree<2>(samples);
        case 2: return solve_degree<3>(samples);
        default: return solve_degree<4>(samples);
        }
    }();
    std::copy(cuts.begin(), cuts.end(), breakpoints);
}

} // namespace kspline
