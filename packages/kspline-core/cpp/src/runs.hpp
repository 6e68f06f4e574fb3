// Runs of consecutive samples, each taken as one sample of degree 0: what functional pruning reads.
#pragma once

#include <vector>

#include "samples.hpp"

namespace kspline {

using Ends = std::vector<int>; // of the pieces of a partition, as numbers of runs, increasing; the last is all of them

// The cost of a partition whose breakpoints all lie between runs is that of the weighted means plus `within`.
struct Runs {
    std::vector<double> mean;
    std::vector<double> weight; // empty: all one
    std::vector<int> end;       // samples up to the end of each run; empty: each run is one sample
    double within = 0;          // sum of the squared deviations inside the runs

    Runs() = default;
    explicit Runs(const Samples& samples);

    Index size() const { return static_cast<Index>(mean.size()); }
    double weight_of(Index i) const { return weight.empty() ? 1.0 : weight[static_cast<std::size_t>(i)]; }
    // Samples in the first i runs.
    Index samples_in(Index i) const { return end.empty() || i == 0 ? i : end[static_cast<std::size_t>(i - 1)]; }
    // Each piece of a partition becomes one run.
    Runs merged(const Ends& ends) const;
    // Cost of a partition, without `within`.
    double cost(const Ends& ends) const;
};

// Least squares by one constant, run by run: nothing cancels, a cost never decreases. Samples are taken relative to the
// first one, so that an offset drops out before the first rounding.
struct Constant {
    double origin, mean = 0, weight = 0, cost = 0; // the mean is relative to the origin

    explicit Constant(double first) : origin(first) {}

    double add(double sample, double w) {
        const double total = weight + w, error = (sample - origin) - mean, gain = w / total;
        cost += error * error * (weight * gain);
        mean += error * gain;
        weight = total;
        return cost;
    }
};

} // namespace kspline
