#include "partition.hpp"

#include <algorithm>
#include <limits>

#include "lazy.hpp"
#include "samples.hpp"

namespace kspline {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double eps = std::numeric_limits<double>::epsilon();

constexpr Index few = 2048;         // elements, up to which the dense table is the faster one
constexpr Index reach = 256;        // of the refinement, in elements
constexpr int refinement_sweeps = 20; // a cut may move `reach` elements in each

} // namespace

double tied(double least, Index samples) {
    return least * (1 + 1e-12) + static_cast<double>(samples) * (32 * eps) * (32 * eps);
}

template <int P>
Elements<P> single_elements(const Samples& samples) {
    const Index n = samples.size();
    Elements<P> elements;
    elements.x = samples.x;
    elements.y = samples.y;
    elements.weights = samples.weights;
    if (elements.x.empty()) {
        elements.x.resize(static_cast<std::size_t>(n));
        for (Index i = 0; i < n; ++i) {
            elements.x[static_cast<std::size_t>(i)] = static_cast<double>(i);
        }
    }
    if (elements.weights.empty()) {
        elements.weights.assign(static_cast<std::size_t>(n), 1.0);
    }
    elements.end.resize(static_cast<std::size_t>(n + 1));
    for (Index i = 0; i <= n; ++i) {
        elements.end[static_cast<std::size_t>(i)] = i;
    }
    return elements;
}

template <int P>
Elements<P> joined(const Elements<P>& elements, const Tree<P>& tree, const Cuts& cuts) {
    Elements<P> result;
    result.end.push_back(0);
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        const Run<P> run = tree.range(cuts[i], cuts[i + 1]);
        result.x.push_back(run.x);
        result.y.push_back(run.y);
        result.segment.push_back(run.segment);
        result.end.push_back(elements.end[static_cast<std::size_t>(cuts[i + 1])]);
    }
    return result;
}

template <int P>
Elements<P> reversed(const Elements<P>& elements) {
    Elements<P> result = elements;
    std::reverse(result.x.begin(), result.x.end());
    std::reverse(result.y.begin(), result.y.end());
    std::reverse(result.weights.begin(), result.weights.end());
    std::reverse(result.segment.begin(), result.segment.end());
    std::reverse(result.end.begin(), result.end.end());
    for (double& x : result.x) {
        x = -x;
    }
    for (Index& end : result.end) {
        end = elements.end.back() - end;
    }
    for (Segment<P, double>& s : result.segment) { // u -> -u, and the diagonal of R stays one
        for (int i = 0; i < P; ++i) {
            s.rotated[i] = i % 2 ? -s.rotated[i] : s.rotated[i];
            for (int j = i + 1; j < P; ++j) {
                double& r = s.upper[upper_at<P>(i, j)];
                r = (i + j) % 2 ? -r : r;
            }
        }
    }
    return result;
}

template <int P>
double cost_of(const Tree<P>& tree, const Cuts& cuts) {
    double cost = 0;
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        cost += tree.range(cuts[i], cuts[i + 1]).segment.cost;
    }
    return cost;
}

template <int P>
bool admitted(const Elements<P>& elements, const Cuts& cuts, Index min_size) {
    for (std::size_t i = 0; i + 1 < cuts.size(); ++i) {
        const auto a = static_cast<std::size_t>(cuts[i]), b = static_cast<std::size_t>(cuts[i + 1]);
        if (elements.end[b] - elements.end[a] < min_size) {
            return false;
        }
    }
    return true;
}

template <int P>
double refine(const Elements<P>& elements, const Tree<P>& tree, Index min_size, Cuts& cuts) {
    const std::vector<Index>& end = elements.end;
    const auto samples = [&](Index a, Index b) { return end[static_cast<std::size_t>(b)] - end[static_cast<std::size_t>(a)]; };
    std::vector<double> cost;
    std::vector<char> stale(cuts.size(), 1); // a neighbour has moved
    bool moved = true;
    for (int sweep = 0; sweep < refinement_sweeps && moved; ++sweep) {
        moved = false;
        for (std::size_t i = 1; i + 1 < cuts.size(); ++i) {
            if (!stale[i]) {
                continue;
            }
            stale[i] = 0;
            const Index low = cuts[i - 1], high = cuts[i + 1], at = cuts[i];
            const Index first = std::max(low + 1, at - reach), last = std::min(high - 1, at + reach);
            cost.assign(static_cast<std::size_t>(last - first + 1), 0.0);
            Run<P> left = tree.range(low, first), right = tree.range(last, high);
            for (Index s = first; s <= last; ++s) {
                cost[static_cast<std::size_t>(s - first)] = left.segment.cost;
                left.add(elements, s);
            }
            Index best = at;
            double least = infinity;
            for (Index s = last; s >= first; --s) {
                double& here = cost[static_cast<std::size_t>(s - first)];
                here += right.segment.cost;
                if (samples(low, s) >= min_size && samples(s, high) >= min_size && here < least) {
                    least = here;
                    best = s;
                }
                right.add(elements, s - 1);
            }
            if (least < cost[static_cast<std::size_t>(at - first)] * (1 - 1e-12)) {
                cuts[i] = best;
                stale[i - 1] = stale[i] = stale[i + 1] = 1;
                moved = true;
            }
        }
    }
    return cost_of(tree, cuts);
}

template <int P>
Table<P>::Table(const Elements<P>& elements, const Tree<P>& tree, const Engine<P>& engine, Index levels,
                Index min_size)
    : elements_(elements), levels_(levels), min_size_(min_size), stride_(elements.size() + 1 + padding) {
    best_.assign(static_cast<std::size_t>(levels * stride_), infinity);
    if (elements.size() <= few) {
        fill_densely(engine);
    } else {
        fill_lazily(tree, engine);
    }
}

template <int P>
void Table<P>::fill_densely(const Engine<P>& engine) {
    const Index m = elements_.size();
    std::vector<double> x = elements_.x, y = elements_.y, out(static_cast<std::size_t>(levels_));
    x.resize(static_cast<std::size_t>(m + padding));
    y.resize(static_cast<std::size_t>(m + padding));
    std::vector<double> state(static_cast<std::size_t>(segment_size<P> * stride_), 0.0);
    const Open open{state.data(), stride_, x.data(), y.data()};
    const double* cost = state.data() + (segment_size<P> - 1) * stride_;
    Index starts = 0; // far enough from the end
    for (Index t = 0; t < m;) {
        engine.progress.add(static_cast<double>(t * levels_) / 8);
        for (Index c = 0; c < segment_size<P>; ++c) { // a padding lane may have run ahead
            state[static_cast<std::size_t>(c * stride_ + t)] = 0;
        }
        const auto at = static_cast<std::size_t>(t);
        engine.kernel.extend(open, t + 1, elements_[t], elements_.single(), x[at], y[at]);
        ++t;
        const Index count = elements_.end[static_cast<std::size_t>(t)];
        while (starts < t && count - elements_.end[static_cast<std::size_t>(starts)] >= min_size_) {
            ++starts;
        }
        if (starts > 0) {
            best_[static_cast<std::size_t>(t)] = cost[0];
            engine.kernel.lowest(best_.data(), stride_, levels_ - 1, cost, starts, out.data());
            for (Index k = 1; k < levels_; ++k) {
                best_[static_cast<std::size_t>(k * stride_ + t)] = out[static_cast<std::size_t>(k - 1)];
            }
        }
    }
}

template <int P>
void Table<P>::fill_lazily(const Tree<P>& tree, const Engine<P>& engine) {
    const Index m = elements_.size();
    Run<P> first;
    for (Index t = 1; t <= m; ++t) {
        first.add(elements_, t - 1);
        if (elements_.end[static_cast<std::size_t>(t)] >= min_size_) {
            best_[static_cast<std::size_t>(t)] = first.segment.cost;
        }
    }
    Lazy<P> lazy(elements_, tree, engine);
    std::vector<double> previous(best_.begin(), best_.begin() + stride_), F;
    for (Index k = 1; k < levels_; ++k) {
        lazy.level(previous, min_size_, F);
        std::copy(F.begin(), F.end(), best_.begin() + k * stride_);
        previous = F;
    }
}

// The segment grows to the left until it alone costs more than the best candidate.
template <int P>
Index Table<P>::last_start(const double* best, Index end) const {
    const Index samples = elements_.end.back(), count = elements_.end[static_cast<std::size_t>(end)];
    std::vector<double> candidates;
    Run<P> segment;
    double least = infinity;
    Index start = end;
    while (start > 0 && segment.segment.cost <= tied(least, samples)) {
        segment.add(elements_, --start);
        const bool far_enough = count - elements_.end[static_cast<std::size_t>(start)] >= min_size_;
        candidates.push_back(far_enough ? best[start] + segment.segment.cost : infinity);
        least = std::min(least, candidates.back());
    }
    while (candidates.back() > tied(least, samples)) {
        candidates.pop_back();
        ++start;
    }
    return start;
}

template <int P>
Cuts Table<P>::partition(Index pieces) const {
    Cuts cuts(static_cast<std::size_t>(pieces + 1), 0);
    cuts.back() = elements_.size();
    for (Index k = pieces; k > 1; --k) {
        const auto at = static_cast<std::size_t>(k);
        cuts[at - 1] = last_start(best_.data() + (k - 2) * stride_, cuts[at]);
    }
    return cuts;
}

#define KSPLINE_INSTANTIATE(P)                                                                                         \
    template Elements<P> single_elements<P>(const Samples&);                                                           \
    template Elements<P> joined<P>(const Elements<P>&, const Tree<P>&, const Cuts&);                                   \
    template Elements<P> reversed<P>(const Elements<P>&);                                                              \
    template double cost_of<P>(const Tree<P>&, const Cuts&);                                                           \
    template bool admitted<P>(const Elements<P>&, const Cuts&, Index);                                                 \
    template double refine<P>(const Elements<P>&, const Tree<P>&, Index, Cuts&);                                       \
    template class Table<P>;
KSPLINE_INSTANTIATE(1)
KSPLINE_INSTANTIATE(2)
KSPLINE_INSTANTIATE(3)
KSPLINE_INSTANTIATE(4)
#undef KSPLINE_INSTANTIATE

} // namespace kspline
