// Dynamic programming that looks at few starts: lazy evaluation of blocks.
//
// Let v_s(t) = base[s] + cost(s, t), whatever base is. Leaving out samples never raises a least-squares cost, and two
// pieces never cost more than one, so v_s(u) >= v_s(t) + cost(t, u): a minimum over some starts found at an earlier end,
// and the cost of any of the samples since then, bound their values now from below. As long as that bound is not below
// the best value of this end they need not be looked at. Starts stand in blocks of 64 with groups of 8; blocks, groups
// and bundles of 32 blocks each carry such a bound. Computed costs too are sums of squares that only grow, each within a
// few eps of its value, and a bound is a sum of at most n / 64 costs: the minimum is right to a relative 1e-12.
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
    static constexpr std::size_t bundle_size = 32;
    static constexpr Index slot_size = (segment_size<P> + 1) * block_size; // the last row: base
    static constexpr Index spans = 2;  // of 8 and 64 blocks
    static constexpr Index span = 8;

    enum class Rule { penalised, cut_inside, level };

    struct Block {
        Index first = 0;       // start of lane 0
        Run<P> tail;           // the elements from the end of the block to `reached`
        Index reached = 0;     // in blocks
        double closed[groups]; // least values of the groups at the end of the block
        double bound[groups];  // and, from below, when they were last looked at
        double closed_least;
        double since;          // what the samples cost at least between that look and the last one at the whole block
        std::vector<double> slot;
    };
    // Bound of a block: the least of its groups at the last look, and what the samples since then cost at least.
    struct Growth {
        double least;
        double settled;        // those before the open block, in several pieces
        double spanned[spans]; // those before the open span; -infinity if the last look was in that
        bool hot;              // looked at since the open block began
    };
    struct Hot {
        double least;
        Index lane; // of the open block, from where on its samples count
        std::size_t block;
    };
    struct Best {
        double value;
        Index start;
    };

    void pass(Rule rule, double penalty, Index min_size, std::vector<double>& F, std::vector<Index>* back);
    void start_block(Index first);
    void close_block(double threshold);
    void grow(Index t, double base);
    double look(std::size_t i, double since, Index last_start, Best& best);
    Open lanes(Block& block, Index from) const {
        return {block.slot.data() + from, block_size, x_.data() + block.first + from, y_.data() + block.first + from};
    }
    const double* bases(const Block& block) const { return block.slot.data() + segment_size<P> * block_size; }
    // Of the samples in the open block, from the lane on.
    double cost_from(Index lane) const { return lane < block_size ? (bases(open_) - block_size)[lane] : 0.0; }

    const Elements<P>& elements_;
    const Tree<P>& tree_;
    Engine<P> engine_;
    std::vector<double> x_, y_;  // padded
    Block open_;
    Index width_ = 0;            // elements in the open block
    Run<P> recent_;              // those
    Run<P> spanning_[spans];     // from the start of the open span to the open block
    std::vector<Block> blocks_;
    std::vector<Growth> growth_; // of them
    std::vector<Hot> hot_;       // the most useful one first
    std::vector<double> bundle_bound_; // of the others
    std::vector<std::vector<double>> spare_;
    const double* previous_ = nullptr;
};

} // namespace kspline
