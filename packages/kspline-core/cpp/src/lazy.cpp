#include "lazy.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nanoseconds = 500; // of an end, about

} // namespace

template <int P>
Lazy<P>::Lazy(const Elements<P>& elements, const Tree<P>& tree, const Engine<P>& engine)
    : elements_(elements), tree_(tree), engine_(engine), x_(elements.x), y_(elements.y) {
    x_.resize(x_.size() + block_size);
    y_.resize(y_.size() + block_size);
}

template <int P>
void Lazy<P>::start_block(Index first) {
    open_ = Block{};
    open_.first = first;
    if (!spare_.empty()) {
        open_.slot = std::move(spare_.back());
        spare_.pop_back();
    }
    open_.slot.assign(static_cast<std::size_t>(slot_size), 0.0);
    std::fill(open_.slot.end() - block_size, open_.slot.end(), infinity);
    recent_ = {};
    width_ = 0;
}

// Puts the open block, which is full, to the others, and drops those whose starts all cost more than the threshold.
template <int P>
void Lazy<P>::close_block(double threshold) {
    const Index end = open_.first / block_size + 1;
    Growth fresh{infinity, 0, {}, false};
    for (Index g = 0; g < groups; ++g) {
        double least = infinity;
        for (Index j = g * group_size; j < (g + 1) * group_size; ++j) {
            least = std::min(least, cost_from(j) + bases(open_)[j]);
        }
        open_.closed[g] = open_.bound[g] = least;
        fresh.least = std::min(fresh.least, least);
    }
    open_.closed_least = fresh.least;
    open_.since = 0;
    std::fill_n(fresh.spanned, spans, -infinity);
    for (Growth& growth : growth_) {
        growth.settled += cost_from(0);
        growth.hot = false;
    }
    for (const Hot& hot : hot_) {
        Growth& growth = growth_[hot.block];
        growth.least = hot.least;
        growth.settled = cost_from(hot.lane);
        std::fill_n(growth.spanned, spans, -infinity);
    }
    Index length = 1;
    for (Index l = 0; l < spans; ++l) {
        spanning_[l].add(recent_);
        length *= span;
        const double cost = spanning_[l].segment.cost;
        const bool ends = end % length == 0;
        for (Growth& growth : growth_) {
            growth.settled = std::max(growth.settled, growth.spanned[l] + cost);
        }
        if (ends) {
            spanning_[l] = {};
        }
    }
    open_.reached = end;
    blocks_.push_back(std::move(open_));
    growth_.push_back(fresh);
    length = 1;
    for (Index l = 0; l < spans; ++l) {
        length *= span;
        if (end % length == 0) {
            for (Growth& growth : growth_) {
                growth.spanned[l] = growth.settled;
            }
        }
    }
    hot_.clear();
    bundle_bound_.clear();
    std::size_t kept = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const double bound = growth_[i].least + growth_[i].settled;
        if (bound > threshold || bound == infinity) {
            spare_.push_back(std::move(blocks_[i].slot));
            continue;
        }
        if (kept != i) {
            blocks_[kept] = std::move(blocks_[i]);
            growth_[kept] = growth_[i];
        }
        if (kept % bundle_size == 0) {
            bundle_bound_.push_back(infinity);
        }
        bundle_bound_.back() = std::min(bundle_bound_.back(), bound);
        ++kept;
    }
    blocks_.resize(kept);
    growth_.resize(kept);
}

// The start t is born, and all open segments grow by the element t.
template <int P>
void Lazy<P>::grow(Index t, double base) {
    for (Index c = 0; c < segment_size<P>; ++c) { // a padding lane may have run ahead
        open_.slot[static_cast<std::size_t>(c * block_size + width_)] = 0;
    }
    open_.slot[static_cast<std::size_t>(segment_size<P> * block_size + width_)] = base;
    ++width_;
    const Segment<P, double> element = elements_[t];
    const auto at = static_cast<std::size_t>(t);
    engine_.kernel.extend(lanes(open_, 0), width_, element, elements_.single(), x_[at], y_[at]);
    recent_.add(element, elements_.single(), x_[at], y_[at]);
    engine_.progress.add(nanoseconds);
}

// Evaluates those groups of a closed block that may hold a better start, no later than `last_start`. Returns a new bound of
// the block. The samples after the last look cost at least `since`.
template <int P>
double Lazy<P>::look(std::size_t i, double since, Index last_start, Best& best) {
    Block& block = blocks_[i];
    const Index open_block = open_.first / block_size;
    if (block.reached < open_block) {
        tree_.extend(block.tail, block.reached, open_block);
        block.reached = open_block;
    }
    const double tail_cost = block.tail.empty ? recent_.segment.cost
                                              : joint_cost<P>(block.tail.segment, recent_.segment, recent_.x - block.tail.x,
                                                              recent_.y - block.tail.y);
    block.since += since;
    double least = block.closed_least + tail_cost;
    if (least >= best.value) {
        return least;
    }
    Run<P> rest = block.tail;
    rest.add(recent_);
    least = infinity;
    for (Index g = 0; g < groups; ++g) {
        double& bound = block.bound[g];
        bound = std::max(bound + block.since, block.closed[g] + tail_cost);
        const Index first = block.first + g * group_size;
        if (bound < best.value && first <= last_start) {
            double value[group_size];
            engine_.kernel.evaluate(lanes(block, g * group_size), bases(block) + g * group_size, rest.segment, rest.x,
                                    rest.y, value);
            bound = *std::min_element(value, value + group_size);
            for (Index j = 0; j < group_size && bound < best.value; ++j) {
                if (value[j] < best.value && first + j <= last_start) {
                    best = {value[j], first + j};
                }
            }
        }
        least = std::min(least, bound);
    }
    block.since = 0;
    return least;
}

template <int P>
void Lazy<P>::pass(Rule rule, double penalty, Index min_size, std::vector<double>& F, std::vector<Index>* back) {
    const Index n = elements_.size();
    const std::vector<Index>& end = elements_.end;
    F.assign(static_cast<std::size_t>(n + 1), infinity);
    if (back) {
        back->assign(static_cast<std::size_t>(n + 1), 0);
    }
    if (rule != Rule::level) {
        F[0] = 0;
    }
    blocks_.clear();
    growth_.clear();
    hot_.clear();
    bundle_bound_.clear();
    std::fill_n(spanning_, spans, Run<P>{});
    double base = rule == Rule::level ? previous_[0] : penalty; // of the start t
    Index last_start = -1;
    start_block(0);
    for (Index t = 0; t < n;) {
        if (width_ == block_size) {
            close_block(min_size == 1 ? base * (1 + 1e-12) : infinity); // with a minimum size, t may not yet take over
            start_block(t);
        }
        grow(t, base);
        ++t;
        while (last_start + 1 < t && end[static_cast<std::size_t>(t)] - end[static_cast<std::size_t>(last_start + 1)] >= min_size) {
            ++last_start;
        }

        Best best{infinity, 0};
        const Index admitted = std::min(width_ - 1, last_start - open_.first) + 1;
        const double* base_of = bases(open_);
        const double* costs = base_of - block_size;
        if (admitted > 0) {
            engine_.kernel.lowest(base_of, block_size, 1, costs, admitted, &best.value);
            if (back && best.value < infinity) {
                Index j = 0;
                while (base_of[j] + costs[j] != best.value) {
                    ++j;
                }
                best.start = open_.first + j;
            }
        }
        for (std::size_t h = 0; h < hot_.size(); ++h) {
            Hot& hot = hot_[h];
            const double since = cost_from(hot.lane), before = best.value;
            if (hot.least + since < before) {
                hot.least = look(hot.block, since, last_start, best);
                hot.lane = width_;
                if (best.value < before) { // and it will be at the next end, perhaps
                    std::swap(hot, hot_[0]);
                }
            }
        }
        for (std::size_t bundle = 0; bundle < bundle_bound_.size(); ++bundle) {
            if (bundle_bound_[bundle] + costs[0] < best.value) {
                double least = infinity;
                const std::size_t stop = std::min(blocks_.size(), (bundle + 1) * bundle_size);
                for (std::size_t i = bundle * bundle_size; i < stop; ++i) {
                    Growth& growth = growth_[i];
                    if (growth.hot) {
                        continue;
                    }
                    const double bound = growth.least + growth.settled, before = best.value;
                    if (bound + costs[0] < before) {
                        growth.hot = true;
                        hot_.push_back({look(i, growth.settled + costs[0], last_start, best), width_, i});
                        if (best.value < before) {
                            std::swap(hot_.back(), hot_[0]);
                        }
                    } else {
                        least = std::min(least, bound);
                    }
                }
                bundle_bound_[bundle] = least;
            }
        }
        const auto at = static_cast<std::size_t>(t);
        double& here = F[at];
        here = best.value;
        switch (rule) {
        case Rule::penalised: base = here + penalty; break;
        case Rule::cut_inside:
            base = F[at - 1] + penalty; // the piece from t on follows one that ended before the element t - 1
            if (base < here) {          // an empty piece
                here = base;
                best.start = t - 1;
            }
            break;
        case Rule::level: base = previous_[t]; break;
        }
        if (back) {
            (*back)[at] = best.start;
        }
    }
    for (Block& block : blocks_) {
        spare_.push_back(std::move(block.slot));
    }
    blocks_.clear();
    spare_.push_back(std::move(open_.slot));
}

template class Lazy<1>;
template class Lazy<2>;
template class Lazy<3>;
template class Lazy<4>;

} // namespace kspline
