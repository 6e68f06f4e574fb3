// The samples of one signal, as the solvers want them.
#pragma once

#include <vector>

#include "kspline/kspline.hpp"

namespace kspline {

// Scaled by powers of two, which rounds nothing: no square over- or underflows, whatever the unit of the signal. Samples
// that are missing in every channel are left out.
struct Samples {
    std::vector<double> y;       // (channels, size)
    std::vector<double> x;       // (size,); empty: equally spaced, weight one
    std::vector<double> weights; // (channels, size); empty with x
    Index channels = 1;
    int cost_exponent = 0; // costs of these samples are 2^exponent times those of the signal
    // lowest[t]: the greatest breakpoint below t that is demanded, so that no segment that ends at t starts before it;
    // empty: none is demanded
    std::vector<Index> lowest;

    void assign(const Signal& signal);

    Index size() const { return size_; }
    // Where in the signal a piece ends that holds the first i samples: as far left as it may, right after the last of
    // them if nothing speaks against it.
    Index end_of(Index i) const { return ends_.empty() ? i : ends_[static_cast<std::size_t>(i)]; }
    // Whether no breakpoint may stand after the first i samples.
    bool barred(Index i) const { return end_of(i) < 0; }

private:
    void find_ends(const Signal& signal);

    Index size_ = 0;
    std::vector<Index> places_; // in the signal
    std::vector<Index> ends_;   // empty: end_of(i) = i
};

} // namespace kspline
