// Exact penalised fits of any degree, by dynamic programming over the starts that can still be best.
#pragma once

#include <vector>

#include "kspline/monitor.hpp"
#include "samples.hpp"

namespace kspline {

// F(t) = min over s of F(s) + penalty + cost(s, t). A start s is left out from t + min_size on, once F(s) + penalty +
// cost(s, t) exceeds F(t) + penalty: a piece that starts at t is then better (Killick, Fearnhead & Eckley, "Optimal
// detection of changepoints with a linear computational cost", 2012, with the delay that a least size needs). Between
// O(n) steps, where breakpoints are many, and O(n^2), where there are none.
//
// Returns the ends of the pieces, as numbers of samples.
std::vector<Index> solve_penalized(const Problem& problem, const Samples& samples, double penalty, Monitor& monitor);

} // namespace kspline
