#include "runs.hpp"

#include <algorithm>

namespace kspline {

Runs::Runs(const Samples& samples) : mean(samples.y), weight(samples.weights) {
    // Levels are compared as numbers, not relative to a sample of their own: a large offset must go. Where it is larger
    // than the range this rounds nothing (Sterbenz), elsewhere it may stay.
    const auto [low, high] = std::minmax_element(mean.begin(), mean.end());
    const bool above = *low > 0 && *high <= 2 * *low, below = *high < 0 && *low >= 2 * *high;
    if (above || below) {
        const double offset = *low;
        for (double& value : mean) {
            value -= offset;
        }
    }
}

Runs Runs::merged(const Ends& ends) const {
    Runs out;
    out.within = within;
    out.mean.reserve(ends.size());
    out.weight.reserve(ends.size());
    out.end.reserve(ends.size());
    Index i = 0;
    for (const Index stop : ends) {
        Constant piece(mean[static_cast<std::size_t>(i)]);
        for (; i < stop; ++i) {
            piece.add(mean[static_cast<std::size_t>(i)], weight_of(i));
        }
        out.mean.push_back(piece.origin + piece.mean);
        out.weight.push_back(piece.weight);
        out.end.push_back(static_cast<int>(samples_in(stop)));
        out.within += piece.cost;
    }
    return out;
}

double Runs::cost(const Ends& ends) const {
    double total = 0;
    Index i = 0;
    for (const Index stop : ends) {
        Constant piece(mean[static_cast<std::size_t>(i)]);
        for (; i < stop; ++i) {
            piece.add(mean[static_cast<std::size_t>(i)], weight_of(i));
        }
        total += piece.cost;
    }
    return total;
}

} // namespace kspline
