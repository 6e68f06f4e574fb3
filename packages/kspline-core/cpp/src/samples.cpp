#include "samples.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "scale.hpp"

namespace kspline {
namespace {

// The least weight that counts, beside a greatest of 1 to 2: below it, products with powers of x would vanish.
constexpr double least_weight = std::numeric_limits<double>::min();

// Missing in this channel, but not in another: the sample before stands in, so that an offset still drops out where the
// sample is the first of a segment.
void fill(double* y, const double* weights, Index size) {
    Index seen = 0;
    while (seen < size && weights[seen] == 0) {
        ++seen;
    }
    std::fill(y, y + seen, seen < size ? y[seen] : 0.0);
    for (Index i = seen + 1; i < size; ++i) {
        if (weights[i] == 0) {
            y[i] = y[i - 1];
        }
    }
}

} // namespace

void Samples::assign(const Signal& signal) {
    const Index n = signal.length;
    channels = signal.channels;
    cost_exponent = 0;
    x.clear();
    weights.clear();
    places_.clear();
    if (!signal.weights && !signal.x) {
        size_ = n;
        y.assign(signal.y, signal.y + channels * n);
    } else {
        for (Index i = 0; i < n; ++i) {
            bool seen = !signal.weights;
            for (Index c = 0; c < channels && !seen; ++c) {
                seen = signal.weights[c * n + i] > 0;
            }
            if (seen) {
                places_.push_back(i);
            }
        }
        size_ = static_cast<Index>(places_.size());
        const int unit = signal.x && n > 1 ? -exponent(signal.x[n - 1] / 2 - signal.x[0] / 2) : 0;
        for (const Index i : places_) {
            x.push_back(signal.x ? std::scalbn(signal.x[i], unit) : static_cast<double>(i));
        }
        const int shift =
            signal.weights ? -exponent(*std::max_element(signal.weights, signal.weights + channels * n)) : 0;
        cost_exponent += shift;
        y.clear();
        for (Index c = 0; c < channels; ++c) {
            for (const Index i : places_) {
                const double weight = signal.weights ? signal.weights[c * n + i] : 1.0;
                weights.push_back(weight > 0 ? std::max(std::scalbn(weight, shift), least_weight) : 0.0);
                y.push_back(weight > 0 ? signal.y[c * n + i] : 0.0);
            }
            fill(y.data() + c * size_, weights.data() + c * size_, size_);
        }
    }
    double half_range = 0;
    for (Index c = 0; c < channels && size_ > 0; ++c) {
        const auto [low, high] = std::minmax_element(y.begin() + c * size_, y.begin() + (c + 1) * size_);
        half_range = std::max(half_range, *high / 2 - *low / 2); // halves: the range itself may overflow
    }
    if (half_range > 0) {
        const int shift = -exponent(half_range);
        cost_exponent += 2 * shift;
        for (double& value : y) {
            value = std::scalbn(value, shift);
        }
    }
    find_ends(signal);
}

void Samples::find_ends(const Signal& signal) {
    ends_.clear();
    lowest.clear();
    if (!signal.marks && size_ == signal.length) {
        return;
    }
    if (places_.empty()) {
        for (Index i = 0; i < size_; ++i) {
            places_.push_back(i);
        }
    }
    ends_.assign(static_cast<std::size_t>(size_ + 1), -1);
    ends_.front() = 0;
    ends_.back() = signal.length;
    bool demanded = false;
    for (Index i = 1; i < size_; ++i) {
        Index& end = ends_[static_cast<std::size_t>(i)];
        const Index left = places_[static_cast<std::size_t>(i - 1)] + 1, right = places_[static_cast<std::size_t>(i)];
        for (Index b = right; b >= left; --b) { // missing samples between two others leave a choice
            const Mark mark = signal.marks ? signal.marks[b] : Mark::free;
            if (mark == Mark::fixed) {
                end = b;
                demanded = true;
                break;
            }
            if (mark == Mark::free) {
                end = b;
            }
        }
    }
    if (!demanded) {
        return;
    }
    lowest.assign(static_cast<std::size_t>(size_ + 1), 0);
    for (Index t = 2; t <= size_; ++t) {
        const Index end = ends_[static_cast<std::size_t>(t - 1)];
        const bool fixed = end >= 0 && signal.marks[end] == Mark::fixed;
        lowest[static_cast<std::size_t>(t)] = fixed ? t - 1 : lowest[static_cast<std::size_t>(t - 1)];
    }
}

Room room(const Signal& signal, Index min_size) {
    const auto seen = [&](Index i) {
        bool any = !signal.weights;
        for (Index c = 0; c < signal.channels && !any; ++c) {
            any = signal.weights[c * signal.length + i] > 0;
        }
        return any;
    };
    Room room{1, 0, 0, 0};
    Index inside = 0; // since the demanded breakpoint `left`
    Index count = 0;  // since the last breakpoint, each as far left as it may stand
    Index cut = 0;    // pieces before that breakpoint, since `left`
    for (Index b = 0; b <= signal.length; ++b) {
        const bool last = b == signal.length;
        const Mark mark = last ? Mark::fixed : signal.marks && b > 0 ? signal.marks[b] : Mark::free;
        if (mark == Mark::fixed) {
            if (inside < min_size) {
                return {room.least, 0, room.left, b};
            }
            // what is left before `b` may be too little for a piece of its own: then the last cut goes
            room.most += count >= min_size ? cut + 1 : cut;
            room.least += last ? 0 : 1;
            room.left = b;
            inside = count = cut = 0;
        } else if (mark == Mark::free && count >= min_size) {
            ++cut;
            count = 0;
        }
        if (!last && seen(b)) {
            ++inside;
            ++count;
        }
    }
    return room;
}

} // namespace kspline
