// Exact k-splines by dense dynamic programming.
#pragma once

#include <vector>

#include "kspline/monitor.hpp"
#include "samples.hpp"
#include "sweep.hpp"

namespace kspline {

// Least cost of the first t samples in k pieces: F_k(t) = min over s of F_{k-1}(s) + cost(s, t). The levels k < K are
// computed for all t in O(n^2 (K - 2)) steps and kept, in O(n K) doubles; the argmin is found again while walking back
// from t = n, so that no table of argmins is kept and the last level costs O(n).
//
// A solver keeps its memory from one signal to the next; a thread has one of its own.
class DenseSolver {
public:
    DenseSolver(const Problem& problem, Monitor& monitor)
        : problem_(problem), progress_(monitor), kernel_(&find_kernel(problem.instruction_set)) {}

    // What one signal costs at most, in steps of about a nanosecond: what `progress_` is told of.
    static double steps(const Problem& problem);

    // Writes pieces + 1 breakpoints, as numbers of samples.
    void solve(const Samples& samples, Index* breakpoints);

    // The same for 1, 2, ..., pieces pieces, one after the other.
    void solve_all(const Samples& samples, Index* breakpoints);

private:
    // For `fewest`, fewest + 1, ..., pieces pieces: the levels are the same.
    void solve_from(Index fewest, const Samples& samples, Index* breakpoints);
    template <int P>
    void solve_degree(Index fewest, const Samples& samples, Index* breakpoints);
    template <int P>
    void prepare(const Samples& samples);
    template <int P>
    void first_level();
    template <int P>
    void further_levels();
    Index lowest(Index t) const;
    template <int P>
    Index last_breakpoint(Index pieces, Index end);

    Problem problem_;
    Progress progress_;
    const Kernel* kernel_;
    const Samples* samples_ = nullptr; // the signal being fitted
    Sweep w_{};
    Index gains_of_ = 0;                        // n for which `gains_` were made
    std::vector<double> gains_[max_degree + 2]; // the last one is `keep`
    std::vector<double> memory_;                // of the arrays of `w_`
    double* best_ = nullptr;
    std::vector<double> growing_, candidates_;
};

} // namespace kspline
