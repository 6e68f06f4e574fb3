// The trade between pieces and cost: known points (pieces, cost), their lower convex hull and its slopes.
#pragma once

#include <vector>

#include "kspline/kspline.hpp"

namespace kspline {

class Frontier {
public:
    void add(Index pieces, double cost) { points_.push_back({pieces, cost}); }

    void add(const Frontier& other) { points_.insert(points_.end(), other.points_.begin(), other.points_.end()); }

    // Cost that a further piece saves at `pieces` along the hull: the multiplier under which that many are best. Half
    // way between the slopes on both sides where the hull has a corner there.
    double slope(Index pieces) const;

private:
    struct Point {
        Index pieces;
        double cost;
    };
    std::vector<Point> points_;
};

} // namespace kspline
