// The samples of one signal, as the solvers want them.
#pragma once

#include <vector>

#include "kspline/kspline.hpp"

namespace kspline {

// Scaled by powers of two, which rounds nothing: no square over- or underflows, whatever the unit of the signal.
// Samples of weight zero are left out; x remembers where the others stood.
struct Samples {
    std::vector<double> y;
    std::vector<double> x;       // empty: equally spaced, weight one
    std::vector<double> weights; // empty with x

    void assign(const double* signal, const double* signal_weights, Index length);

    Index size() const { return static_cast<Index>(y.size()); }
    // Where in the signal a piece ends that holds the first i samples: right after the last of them.
    Index end_of(Index i) const { return x.empty() || i == 0 ? i : static_cast<Index>(x[static_cast<std::size_t>(i - 1)]) + 1; }
};

} // namespace kspline
