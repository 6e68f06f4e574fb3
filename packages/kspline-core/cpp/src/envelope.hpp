// Functional pruning: which starts of the open piece can still be best, and for which of its levels.
//
// Rigaill, "A pruned dynamic programming algorithm to recover the best segmentations with 1 to K_max change-points"
// (2015); Maidstone et al., "On optimal multiple changepoint algorithms for large data" (2017), section 4.
#pragma once

#include <string_view>

#include "kspline/kspline.hpp"

namespace kspline {

// The least cost as a function of the level mu of the open piece, as arcs from left to right. On [low, high] the piece
// had best start at `start`, and then costs cost + weight (mu - origin - mean)^2. Arcs begin, ..., end - 1 are in use.
struct Envelope {
    static constexpr int fields = 8;

    double *low, *high, *origin, *mean, *weight, *cost;
    double* top; // greatest cost on [low, high]
    double* start;
    Index begin, end, capacity; // each array is padded by `envelope_padding`
};

inline constexpr Index envelope_padding = 8; // doubles in the widest vector

// One pass over the runs: for each t, the least cost of the runs before t + 1, where a piece that starts at s adds its
// own cost to that of all runs before s. That is `before[s]` or, if `before` is null, the least cost of the runs before s
// plus `penalty`.
struct Pruning {
    // in
    const double* sample;
    const double* weight; // null: all one
    Index stride;         // 1, or -1 to go backwards
    const double* before;
    double penalty;
    double low, high;       // of all samples
    double relative, floor; // costs that differ by relative * cost + floor count as equal: the older start stays
    Index stop;
    // out
    double* best; // best[t + 1]; never overlaps `before`
    int* from;    // from[t + 1]: start of the last piece, leftmost among equals; may be null
    // state
    Index t; // next run, which is also the next start
    double last; // best[t] + penalty
    Envelope arcs, scratch;
};

// Runs to `stop`. Returns false when the arcs need more room, then goes on when called again.
using PruningPass = bool (*)(Pruning&);

PruningPass find_pruning(std::string_view instruction_set);

} // namespace kspline
