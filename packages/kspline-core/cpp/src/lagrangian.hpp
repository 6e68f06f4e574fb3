// Exact k-splines of long signals: few breakpoints survive, and dynamic programming decides among them.
//
// For any penalty, every partition into K pieces costs at least F(n) - penalty K, where F(t) is the least penalised cost
// of the first t samples (`Lazy::penalised`); and one with a breakpoint at q costs at least F(q) + B(q) - penalty K, B(q)
// being that of the samples from q on. An approximation gives an upper bound; each q whose lower bound lies above it, by
// more than `rounding_margin` of the numbers involved, is in no best partition and goes. The samples between those
// that are left are joined, and this repeats on the shorter signal with a better penalty, until few are left or none
// go. The last word has the exact programme over the survivors, `Table`, with the tie rule of the dense one: a tied
// breakpoint survives because the margin is wider than a tie. A minimum size is ignored by the bounds, which remain
// bounds, and obeyed by the approximation and by the table.
//
// Two penalised passes over the samples, then work on survivors: about O(n) for signals with a clear gap between good
// and bad breakpoints; at worst O(n^2 K / 64), if all survive and every block must be looked at. Memory: O(n), and
// O(survivors K) for the table.
#pragma once

#include "partition.hpp"
#include "samples.hpp"

namespace kspline {

class LagrangianSolver {
public:
    // In nanoseconds, for `Monitor::expect`: what signals in between noise and a random walk take.
    static double steps(const Problem& problem) { return 5000.0 * static_cast<double>(problem.length); }

    LagrangianSolver(const Problem& problem, Monitor& monitor)
        : problem_(problem), progress_(monitor), kernels_(&find_segment_kernels(problem.instruction_set)) {}

    // Writes pieces + 1 breakpoints, as numbers of samples.
    void solve(const Samples& samples, Index* breakpoints);

private:
    template <int P>
    Cuts solve_degree(const Samples& samples);

    Problem problem_;
    Progress progress_;
    const SegmentKernels* kernels_;
};

} // namespace kspline
