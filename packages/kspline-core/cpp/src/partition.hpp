// Partitions of elements: the best ones of few elements, and a better one near a given one.
#pragma once

#include <vector>

#include "tree.hpp"

namespace kspline {

struct Samples;

using Cuts = std::vector<Index>; // from 0 to the number of elements, increasing

// Sums of costs are right to this fraction: each is a sum of squares, joined in some n / 64 steps at most, each of which
// rounds by a few eps; with room for samples that are large against their deviations from the pieces.
inline constexpr double rounding_margin = 1e-9;

// Costs up to this one count as equal to the least, as in the dense programme.
double tied(double least, Index samples);

template <int P>
Elements<P> single_elements(const Samples& samples);

// Joins the elements between the cuts.
template <int P>
Elements<P> joined(const Elements<P>& elements, const Tree<P>& tree, const Cuts& cuts);

// The same elements, last to first, x negated: the same costs.
template <int P>
Elements<P> reversed(const Elements<P>& elements);

template <int P>
double cost_of(const Tree<P>& tree, const Cuts& cuts);

// Whether each piece has at least min_size samples.
template <int P>
bool admitted(const Elements<P>& elements, const Cuts& cuts, Index min_size);

// Moves one cut after the other to the best place within reach of it, until none moves. Returns the cost.
template <int P>
double refine(const Elements<P>& elements, const Tree<P>& tree, Index min_size, Cuts& cuts);

// best[k][t]: least cost of the first t of m elements in k + 1 pieces, for all t and k < levels. O(m^2 levels) up to
// a few thousand elements, beyond by `Lazy`; m levels doubles.
template <int P>
class Table {
public:
    Table(const Elements<P>& elements, const Tree<P>& tree, const Engine<P>& engine, Index levels,
          Index min_size);

    // Of all elements in `pieces` <= levels pieces; infinite where the minimum size leaves no such partition.
    double cost(Index pieces) const { return best_[static_cast<std::size_t>(pieces * stride_ - 1 - padding)]; }
    // The best partition into `pieces` <= levels + 1 pieces, which must exist; leftmost among ties.
    Cuts partition(Index pieces) const;

private:
    static constexpr Index padding = group_size;

    void fill_densely(const Engine<P>& engine);
    void fill_lazily(const Tree<P>& tree, const Engine<P>& engine);
    Index last_start(const double* best, Index end) const;

    const Elements<P>& elements_;
    Index levels_, min_size_, stride_;
    std::vector<double> best_;
};

} // namespace kspline
