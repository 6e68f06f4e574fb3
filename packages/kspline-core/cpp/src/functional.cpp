#include "functional.hpp"

#include <algorithm>
#include <limits>

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double eps = std::numeric_limits<double>::epsilon();
constexpr double relative = 1e-13;           // of a cost: more than its rounding, less than `tied` in dense.cpp allows
constexpr double steps_per_run = 100;        // nanoseconds; 3 to 10 times that for random walks
constexpr std::size_t table_size = 1u << 23; // argmins, 32 MiB

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

void shape(Envelope& arcs, std::vector<double>& memory, Index capacity) {
    const Index stride = capacity + envelope_padding;
    memory.resize(at(Envelope::fields * stride));
    double** const fields[Envelope::fields] = {&arcs.low,    &arcs.high, &arcs.origin, &arcs.mean,
                                               &arcs.weight, &arcs.cost, &arcs.top,    &arcs.start};
    for (int i = 0; i < Envelope::fields; ++i) {
        *fields[i] = memory.data() + i * stride;
    }
    arcs.capacity = capacity;
}

void grow(Envelope& arcs, std::vector<double>& memory) {
    std::vector<double> old(memory);
    const Index stride = arcs.capacity + envelope_padding;
    shape(arcs, memory, 2 * arcs.capacity);
    for (int i = 0; i < Envelope::fields; ++i) {
        std::copy_n(old.data() + i * stride, stride,
                    memory.data() + i * (arcs.capacity + envelope_padding));
    }
}

} // namespace

Ends traced(const std::vector<int>& from, Index stop) {
    Ends ends;
    for (int t = static_cast<int>(stop); t > 0; t = from[at(t)]) {
        ends.push_back(t);
    }
    std::reverse(ends.begin(), ends.end());
    return ends;
}

double FunctionalSolver::steps(const Problem& problem) {
    return steps_per_run * static_cast<double>(problem.length) * static_cast<double>(std::max<Index>(problem.pieces - 2, 1));
}

double FunctionalSolver::slack_floor(const Runs& runs) const {
    return static_cast<double>(runs.samples_in(runs.size())) * (32 * eps) * (32 * eps);
}

void FunctionalSolver::run(Pruning& pruning) {
    constexpr Index chunk = 8192; // runs between two words to the monitor
    if (arcs_.empty()) {
        shape(pruning.arcs, arcs_, 256);
        shape(pruning.scratch, scratch_, 256);
    } else {
        const Index capacity = static_cast<Index>(arcs_.size()) / Envelope::fields - envelope_padding;
        shape(pruning.arcs, arcs_, capacity);
        shape(pruning.scratch, scratch_, capacity);
    }
    const Index stop = pruning.stop;
    while (pruning.t < stop) {
        pruning.stop = std::min(stop, pruning.t + chunk);
        progress_.add(steps_per_run * static_cast<double>(pruning.stop - pruning.t));
        while (!pass_(pruning)) {
            grow(pruning.arcs, arcs_);
            grow(pruning.scratch, scratch_);
        }
    }
}

void FunctionalSolver::first_level(const Runs& runs, Index first, Index stop) {
    before_.resize(at(stop - first + 1));
    best_.resize(at(stop - first + 1));
    Constant piece(runs.mean[at(first)]);
    before_[0] = infinity;
    for (Index i = first; i < stop; ++i) {
        before_[at(i - first + 1)] = piece.add(runs.mean[at(i)], runs.weight_of(i));
    }
}

void FunctionalSolver::level(const Runs& runs, Index first, Index pieces, Index stop, int* from) {
    const auto [low, high] = std::minmax_element(runs.mean.begin() + first, runs.mean.begin() + stop);
    Pruning pruning{};
    pruning.sample = runs.mean.data() + first;
    pruning.weight = runs.weight.empty() ? nullptr : runs.weight.data() + first;
    pruning.stride = 1;
    pruning.before = before_.data();
    pruning.low = *low;
    pruning.high = *high;
    pruning.relative = relative;
    pruning.floor = slack_floor(runs);
    pruning.stop = stop - first;
    pruning.best = best_.data();
    pruning.from = from;
    pruning.t = pieces - 1;
    run(pruning);
    before_.swap(best_);
}

Index FunctionalSolver::last_start(const Runs& runs, Index first, Index pieces, Index stop) {
    Constant piece(runs.mean[at(stop - 1)]);
    double least = infinity;
    const auto tied = [&] { return least * (1 + relative) + slack_floor(runs); };
    Index start = stop;
    while (start > first + pieces - 1 && piece.cost <= tied()) {
        --start;
        const double cost = before_[at(start - first)] + piece.add(runs.mean[at(start)], runs.weight_of(start));
        best_[at(start - first)] = cost;
        least = std::min(least, cost);
    }
    while (best_[at(start - first)] > tied()) {
        ++start;
    }
    return start;
}

void FunctionalSolver::partition(const Runs& runs, Index first, Index stop, Index pieces, Ends& ends) {
    if (pieces == 1) {
        ends.push_back(static_cast<int>(stop));
        return;
    }
    if (pieces == stop - first) {
        for (Index i = first; i < stop; ++i) {
            ends.push_back(static_cast<int>(i + 1));
        }
        return;
    }
    const std::size_t size = at(stop - first + 1), rows = at(pieces - 2);
    const bool whole = rows * size <= table_size || pieces < 4;
    const Index middle = pieces / 2;
    std::vector<int> middles, carried;
    from_.resize(whole ? rows * size : size);
    first_level(runs, first, stop);
    for (Index k = 2; k < pieces; ++k) {
        int* const from = from_.data() + (whole ? at(k - 2) * size : 0);
        level(runs, first, k, stop - (pieces - k), from);
        if (!whole && k == middle + 1) {
            middles.assign(from_.begin(), from_.end());
        } else if (!whole && k > middle + 1) {
            carried.resize(size);
            for (Index t = k; t <= stop - first - (pieces - k); ++t) {
                carried[at(t)] = middles[at(from_[at(t)])];
            }
            middles.swap(carried);
        }
    }
    Index start = last_start(runs, first, pieces, stop) - first;
    if (whole) {
        const std::size_t place = ends.size();
        ends.resize(place + at(pieces));
        ends[place + at(pieces) - 1] = static_cast<int>(stop);
        for (Index k = pieces - 1; k > 0; --k) {
            ends[place + at(k) - 1] = static_cast<int>(first + start);
            if (k > 1) {
                start = from_[at(k - 2) * size + at(start)];
            }
        }
        return;
    }
    const Index half = first + (middle == pieces - 1 ? start : middles[at(start)]);
    middles = {};
    carried = {};
    partition(runs, first, half, middle, ends);
    partition(runs, half, stop, pieces - middle, ends);
}

void FunctionalSolver::penalized(const Runs& runs, double penalty, bool backwards, std::vector<double>& best,
                                 std::vector<int>* from) {
    const Index n = runs.size();
    const auto [low, high] = std::minmax_element(runs.mean.begin(), runs.mean.end());
    best.resize(at(n + 1));
    best[0] = 0;
    Pruning pruning{};
    const Index first = backwards ? n - 1 : 0;
    pruning.sample = runs.mean.data() + first;
    pruning.weight = runs.weight.empty() ? nullptr : runs.weight.data() + first;
    pruning.stride = backwards ? -1 : 1;
    pruning.penalty = penalty;
    pruning.last = penalty;
    pruning.low = *low;
    pruning.high = *high;
    pruning.relative = relative;
    pruning.floor = slack_floor(runs);
    pruning.stop = n;
    pruning.best = best.data();
    if (from) {
        from->resize(at(n + 1));
        pruning.from = from->data();
    }
    run(pruning);
}

void FunctionalSolver::solve(const Samples& samples, Index* breakpoints) {
    const Runs all(samples);
    Runs few;
    const Runs* runs = &all;
    // what the narrowing costs: a greedy partition and a few passes, against the levels that it makes short
    if (pieces_ > 6 && all.size() * (pieces_ - 5) > 24 * pieces_ * pieces_) {
        few = narrow(all, pieces_, *this);
        runs = &few;
    }
    Ends ends;
    partition(*runs, 0, runs->size(), pieces_, ends);
    breakpoints[0] = 0;
    for (Index k = 0; k < pieces_; ++k) {
        breakpoints[k + 1] = runs->samples_in(ends[at(k)]);
    }
}

void FunctionalSolver::solve_all(const Samples& samples, Index* breakpoints) {
    const Runs runs(samples);
    const Index n = runs.size();
    const std::size_t size = at(n + 1);
    from_.resize(at(std::max<Index>(pieces_ - 2, 0)) * size);
    first_level(runs, 0, n);
    for (Index pieces = 1; pieces <= pieces_; ++pieces, ++breakpoints) {
        *breakpoints = 0;
        breakpoints += pieces;
        *breakpoints = n;
        if (pieces == 1) {
            continue;
        }
        if (pieces > 2) {
            level(runs, 0, pieces - 1, n, from_.data() + at(pieces - 3) * size);
        }
        Index start = last_start(runs, 0, pieces, n);
        for (Index k = pieces - 1; k > 0; --k) {
            breakpoints[k - pieces] = start;
            if (k > 1) {
                start = from_[at(k - 2) * size + at(start)];
            }
        }
    }
}

Ends FunctionalSolver::solve_penalized(const Samples& samples, double penalty) {
    const Runs runs(samples);
    penalized(runs, penalty, false, best_, &from_);
    return traced(from_, runs.size());
}

} // namespace kspline
