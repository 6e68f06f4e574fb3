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

// Evaluates those groups of a closed block that may hold a better start, no later than `last_start`; returns the new
// bound of the block.
template <int P>
double Lazy<P>::look(Block& block, Index open_block, Index last_start, Best& best) {
    tree_.extend(block.tail, block.reached, open_block);
    block.reached = open_block;
    Run<P> rest = block.tail;
    rest.add(recent_);
    double least = infinity;
    for (Index g = 0; g < groups; ++g) {
        double& bound = block.bound[g];
        const Index first = block.first + g * group_size;
        if (bound < best.value && first <= last_start) {
            double value[group_size];
            engine_.kernel.evaluate(lanes(block, g * group_size), block.slot.data() + segment_size<P> * block_size + g * group_size,
                             rest.segment, rest.x, rest.y, value);
            bound = *std::min_element(value, value + group_size);
            for (Index j = 0; j < group_size && bound < best.value; ++j) {
                if (value[j] < best.value && first + j <= last_start) {
                    best = {value[j], first + j};
                }
            }
        }
        least = std::min(least, bound);
    }
    return least;
}

template <int P>
void Lazy<P>::forget(double threshold) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        if (bound_[i] > threshold) {
            spare_.push_back(std::move(blocks_[i].slot));
            continue;
        }
        if (kept != i) {
            blocks_[kept] = std::move(blocks_[i]);
            bound_[kept] = bound_[i];
        }
        ++kept;
    }
    if (kept == blocks_.size()) {
        return;
    }
    blocks_.resize(kept);
    bound_.resize(kept);
    bundle_bound_.assign((kept + bundle_size - 1) / bundle_size, infinity);
    for (std::size_t i = 0; i < kept; ++i) {
        bundle_bound_[i / bundle_size] = std::min(bundle_bound_[i / bundle_size], bound_[i]);
    }
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
    bound_.clear();
    bundle_bound_.clear();
    Block open{};
    double base = rule == Rule::level ? previous_[0] : penalty; // of the start t
    Index last_start = -1, favourite = -1;
    for (Index t = 0; t < n;) {
        const Index lane = t % block_size, open_block = t / block_size;
        if (lane == 0) { // close the block, open another one
            if (t > 0) {
                double least = infinity;
                const double* costs = open.slot.data() + (segment_size<P> - 1) * block_size;
                for (Index j = 0; j < block_size; ++j) {
                    double& bound = open.bound[j / group_size];
                    bound = std::min(j % group_size == 0 ? infinity : bound, costs[j] + costs[block_size + j]);
                    least = std::min(least, bound);
                }
                if (least < infinity) {
                    open.reached = open_block;
                    blocks_.push_back(std::move(open));
                    bound_.push_back(least);
                    if ((blocks_.size() - 1) % bundle_size == 0) {
                        bundle_bound_.push_back(infinity);
                    }
                    bundle_bound_.back() = std::min(bundle_bound_.back(), least);
                } else {
                    spare_.push_back(std::move(open.slot));
                }
            }
            open = Block{};
            open.first = t;
            if (!spare_.empty()) {
                open.slot = std::move(spare_.back());
                spare_.pop_back();
            }
            open.slot.assign(static_cast<std::size_t>(slot_size), 0.0);
            std::fill(open.slot.end() - block_size, open.slot.end(), infinity);
            recent_ = {};
        }
        // the start t is born, and all open segments grow by the element t
        for (Index c = 0; c < segment_size<P>; ++c) { // a padding lane may have run ahead
            open.slot[static_cast<std::size_t>(c * block_size + lane)] = 0;
        }
        double* bases = open.slot.data() + segment_size<P> * block_size;
        bases[lane] = base;
        const Segment<P, double> element = elements_[t];
        const auto at = static_cast<std::size_t>(t);
        engine_.kernel.extend(lanes(open, 0), lane + 1, element, elements_.single(), x_[at], y_[at]);
        recent_.add(element, elements_.single(), x_[at], y_[at]);
        ++t;
        engine_.progress.add(nanoseconds);
        while (last_start + 1 < t && end[static_cast<std::size_t>(t)] - end[static_cast<std::size_t>(last_start + 1)] >= min_size) {
            ++last_start;
        }

        Best best{infinity, 0};
        const Index admitted = std::min(lane, last_start - open.first) + 1;
        const double* costs = bases - block_size;
        if (admitted > 0) {
            engine_.kernel.lowest(bases, block_size, 1, costs, admitted, &best.value);
            if (back && best.value < infinity) {
                Index j = 0;
                while (bases[j] + costs[j] != best.value) {
                    ++j;
                }
                best.start = open.first + j;
            }
        }
        const auto look_at = [&](std::size_t i) {
            const double before = best.value;
            bound_[i] = look(blocks_[i], open_block, last_start, best);
            if (best.value < before) {
                favourite = static_cast<Index>(i);
            }
        };
        if (favourite >= 0 && bound_[static_cast<std::size_t>(favourite)] < best.value) {
            look_at(static_cast<std::size_t>(favourite));
        }
        for (std::size_t bundle = 0; bundle < bundle_bound_.size(); ++bundle) {
            if (bundle_bound_[bundle] < best.value) {
                double least = infinity;
                const std::size_t stop = std::min(blocks_.size(), (bundle + 1) * bundle_size);
                for (std::size_t i = bundle * bundle_size; i < stop; ++i) {
                    if (bound_[i] < best.value) {
                        look_at(i);
                    }
                    least = std::min(least, bound_[i]);
                }
                bundle_bound_[bundle] = least;
            }
        }
        double& here = F[static_cast<std::size_t>(t)];
        here = best.value;
        switch (rule) {
        case Rule::penalised: base = here + penalty; break;
        case Rule::cut_inside:
            base = F[at] + penalty; // the piece from t on follows one that ended before the element t - 1
            if (base < here) {      // an empty piece
                here = base;
                best.start = t - 1;
            }
            break;
        case Rule::level: base = previous_[t]; break;
        }
        if (back) {
            (*back)[static_cast<std::size_t>(t)] = best.start;
        }
        if (min_size == 1 && t % 16 == 0) { // with a minimum size, the start t may not yet take over
            const std::size_t before = blocks_.size();
            forget(base * (1 + 1e-12));
            if (blocks_.size() != before) {
                favourite = -1;
            }
        }
    }
    for (Block& block : blocks_) {
        spare_.push_back(std::move(block.slot));
    }
    blocks_.clear();
}

template class Lazy<1>;
template class Lazy<2>;
template class Lazy<3>;
template class Lazy<4>;

} // namespace kspline
