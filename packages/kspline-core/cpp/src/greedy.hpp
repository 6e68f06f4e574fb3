// Approximate k-splines in near-linear time, with a bound of what is missing to the best.
//
// Merging (Acharya, Diakonikolas, Li, Schmidt, "Fast algorithms for segmented regression", ICML 2016): neighbours are
// joined pair by pair, except for those pairs that would cost most, until about 12 k intervals are left. Then dynamic
// programming finds the best partition along their ends, and each cut moves to the best place near it.
#pragma once

#include "frontier.hpp"
#include "partition.hpp"
#include "samples.hpp"

namespace kspline {

struct Approximation {
    Cuts cuts;
    double cost;
    Frontier frontier; // of partitions along the ends of the intervals
};

// 0, step, 2 step, ..., n.
Cuts every(Index step, Index n);

template <int P>
Approximation approximate(const Elements<P>& samples, const Tree<P>& tree, const Engine<P>& engine, Index pieces,
                          Index min_size);

// The best partition along cuts that are given, which must allow one, then refined.
template <int P>
Approximation best_along(const Elements<P>& samples, const Tree<P>& tree, const Engine<P>& engine, Cuts cuts,
                         Index pieces, Index min_size);

class GreedySolver {
public:
    // In nanoseconds, for `Monitor::expect`.
    static double steps(const Problem& problem) { return 200.0 * static_cast<double>(problem.length); }

    GreedySolver(const Problem& problem, Monitor& monitor)
        : problem_(problem), progress_(monitor), kernels_(&find_segment_kernels(problem.instruction_set)) {}

    // Writes pieces + 1 breakpoints, as numbers of samples. Returns a fraction of their cost: no partition costs less.
    double solve(const Samples& samples, Index* breakpoints);

private:
    template <int P>
    double solve_degree(const Samples& samples, Index* breakpoints);

    Problem problem_;
    Progress progress_;
    const SegmentKernels* kernels_;
};

} // namespace kspline
