// Dynamic programming that looks at few starts: lazy evaluation of blocks.
//
// Let v_s(t) = base[s] + cost(s, t), whatever base is. Leaving out samples never raises a least-squares cost, so v_s(t)
// never decreases in t: a minimum over some starts found at an earlier end bounds their values now from below, and as
// long as that bound is not below the best value of this end they need not be looked at. Starts stand in blocks of 64
// with groups of 8; blocks, groups and bundles of 32 blocks each carry such a bound. Computed costs too are sums of
// squares that only grow, each within a few eps of its value, so a start is passed over wrongly only if it would win by
// a few eps: the minimum is right to a relative 1e-12.
//
// A start s is dropped for good when v_s(t) >= v_t(t) = base[t], because cost(s, u) >= cost(s, t) + cost(t, u).
#pragma once

#include <vector>

#include "tree.hpp"

namespace kspline {

template <int P>
class Lazy {
public:
    Lazy(const Elements<P>& elements, const Tree<P>& tree, const Engine<P>& engine);

    // F[0] = 0, F[t] = min over s < t of F[s] + cost(s, t) + penalty, and the argmins in `back`.
    void penalised(double penalty, std::vector<double>& F, std::vector<Index>& back) { pass(Rule::penalised, penalty, 1, F, &back); }

    // The same where each cut may leave out the element before it. With elements of several samples: a lower bound of
    // the penalised cost for cuts anywhere between samples, because a piece costs at least as much as those elements
    // that it holds entirely.
    void cut_inside(double penalty, std::vector<double>& F, std::vector<Index>& back) { pass(Rule::cut_inside, penalty, 1, F, &back); }

    // F[t] = min over s of previous[s] + cost(s, t), with at least `min_size` samples in the segment.
    void level(const std::vector<double>& previous, Index min_size, std::vector<double>& F) {
        previous_ = previous.data();
        pass(Rule::level, 0, min_size, F, nullptr);
    }

private:
    static constexpr Index block_size = Tree<P>::block_size;
    static constexpr Index groups = block_size / group_size;
    static constexpr Index bundle_size = 32;
    static constexpr Index slot_size = (segment_size<P> + 1) * block_size; // the last row: base

    enum class Rule { penalised, cut_inside, level };

    struct Block {
        Index first;          // start of lane 0
        Run<P> tail;          // the elements from the end of the block to `reached`
        Index reached;        // in blocks
        double bound[groups]; // of the groups
        std::vector<double> slot;
    };
    struct Best {
        double value;
        Index start;
    };

    void pass(Rule rule, double penalty, Index min_size, std::vector<double>& F, std::vector<Index>* back);
    double look(Block& block, Index open_block, Index last_start, Best& best);
    void forget(double threshold);
    Open lanes(Block& block, Index from) const {
        return {block.slot.data() + from, block_size, x_.data() + block.first + from, y_.data() + block.first + from};
    }

    const Elements<P>& elements_;
    const Tree<P>& tree_;
    Engine<P> engine_;
    std::vector<double> x_, y_; // padded
    Run<P> recent_;             // from the last whole block to the end at hand
    std::vector<Block> blocks_;
    std::vector<double> bound_, bundle_bound_;
    std::vector<std::vector<double>> spare_;
    const double* previous_ = nullptr;
};

} // namespace kspline
