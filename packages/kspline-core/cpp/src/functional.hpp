// Exact piecewise constants by functional pruning.
#pragma once

#include <vector>

#include "envelope.hpp"
#include "kspline/monitor.hpp"
#include "runs.hpp"

namespace kspline {

// The dynamic programme of `DenseSolver` for degree 0, with only the starts looked at that can still be best for some
// level of the open piece: some ten of them for most signals, at worst all.
//
// For long signals most breakpoints are ruled out first (`narrow`). The argmins of all levels are kept in a table while
// that is small; past it only the middle breakpoint of each state is kept and both halves are solved again (Hirschberg,
// 1975), in memory O(n) and twice the time.
//
// A solver keeps its memory from one signal to the next; a thread has one of its own.
class FunctionalSolver {
public:
    FunctionalSolver(const Problem& problem, Monitor& monitor)
        : pieces_(problem.pieces), progress_(monitor), pass_(find_pruning(problem.instruction_set)) {}

    // What one signal costs, in steps of about a nanosecond.
    static double steps(const Problem& problem);

    // Writes pieces + 1 breakpoints, as numbers of samples.
    void solve(const Samples& samples, Index* breakpoints);

    // The same for 1, 2, ..., pieces pieces, one after the other.
    void solve_all(const Samples& samples, Index* breakpoints);

    // Least cost + penalty * (pieces - 1), in the units of `samples`.
    Ends solve_penalized(const Samples& samples, double penalty);

private:
    friend class Narrowing;

    // The least cost of the runs before t in `pieces` pieces, from `before_`, that with one piece less, into `best_`.
    void level(const Runs& runs, Index first, Index pieces, Index stop, int* from);
    void first_level(const Runs& runs, Index first, Index stop);
    // The start of the last of `pieces` pieces over the runs first, ..., stop - 1.
    Index last_start(const Runs& runs, Index first, Index pieces, Index stop);
    // Appends the ends of the best pieces over the runs first, ..., stop - 1.
    void partition(const Runs& runs, Index first, Index stop, Index pieces, Ends& ends);
    // Least cost + penalty * pieces over the first (or, backwards, the last) t runs into best[t].
    void penalized(const Runs& runs, double penalty, bool backwards, std::vector<double>& best, std::vector<int>* from);

    void run(Pruning& pruning);
    double slack_floor(const Runs& runs) const;

    Index pieces_;
    Progress progress_;
    PruningPass pass_;
    std::vector<double> arcs_, scratch_, before_, best_;
    std::vector<int> from_;
};

// The ends of the pieces that lead to `stop`, where from[t] is the start of the piece that ends at t.
Ends traced(const std::vector<int>& from, Index stop);

// Merges runs that no best partition into `pieces` pieces can part; the costs of all that is left stay what they were.
Runs narrow(const Runs& runs, Index pieces, FunctionalSolver& solver);

} // namespace kspline
