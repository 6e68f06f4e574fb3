// Runs of elements joined in steps of 64 2^l: any range is joined from O(log n) of them and at most 126 elements.
#pragma once

#include <vector>

#include "segments.hpp"

namespace kspline {

template <int P>
class Tree {
public:
    static constexpr Index block_size = 64;

    explicit Tree(const Elements<P>& elements);

    // Joins the blocks first, ..., last - 1 to the run, the largest aligned steps first.
    void extend(Run<P>& run, Index first, Index last) const;
    // The elements first, ..., last - 1.
    Run<P> range(Index first, Index last) const;

private:
    const Elements<P>& elements_;
    std::vector<std::vector<Run<P>>> levels_; // levels_[l][i]: the blocks i 2^l, ..., (i + 1) 2^l - 1
};

template <int P>
Tree<P>::Tree(const Elements<P>& elements) : elements_(elements) {
    levels_.emplace_back(static_cast<std::size_t>(elements.size() / block_size));
    for (std::size_t b = 0; b < levels_[0].size(); ++b) {
        const Index first = static_cast<Index>(b) * block_size;
        for (Index i = first; i < first + block_size; ++i) {
            levels_[0][b].add(elements, i);
        }
    }
    while (levels_.back().size() > 1) {
        const std::vector<Run<P>>& below = levels_.back();
        std::vector<Run<P>> level(below.size() / 2);
        for (std::size_t i = 0; i < level.size(); ++i) {
            level[i] = below[2 * i];
            level[i].add(below[2 * i + 1]);
        }
        levels_.push_back(std::move(level));
    }
}

template <int P>
void Tree<P>::extend(Run<P>& run, Index first, Index last) const {
    while (first < last) {
        std::size_t l = 0;
        while ((first >> l) % 2 == 0 && first + (Index{2} << l) <= last) {
            ++l;
        }
        run.add(levels_[l][static_cast<std::size_t>(first >> l)]);
        first += Index{1} << l;
    }
}

template <int P>
Run<P> Tree<P>::range(Index first, Index last) const {
    Run<P> run;
    const Index block = (first + block_size - 1) / block_size, stop = last / block_size;
    const Index head = block < stop ? block * block_size : last;
    for (; first < head; ++first) {
        run.add(elements_, first);
    }
    if (first < last) {
        extend(run, block, stop);
        for (first = stop * block_size; first < last; ++first) {
            run.add(elements_, first);
        }
    }
    return run;
}

} // namespace kspline
