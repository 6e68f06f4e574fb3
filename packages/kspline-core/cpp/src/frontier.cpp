#include "frontier.hpp"

#include <algorithm>

namespace kspline {

double Frontier::slope(Index pieces) const {
    std::vector<Point> points = points_;
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return a.pieces != b.pieces ? a.pieces < b.pieces : a.cost < b.cost; });
    const auto saved = [](const Point& a, const Point& b) {
        return (a.cost - b.cost) / static_cast<double>(b.pieces - a.pieces);
    };
    std::vector<Point> hull;
    for (const Point& p : points) {
        if (!hull.empty() && p.cost >= hull.back().cost) { // the known points are no optima: more pieces can cost more
            continue;
        }
        while (hull.size() > 1 && saved(hull[hull.size() - 2], hull.back()) <= saved(hull.back(), p)) {
            hull.pop_back();
        }
        hull.push_back(p);
    }
    const auto at = std::find_if(hull.begin(), hull.end(), [&](const Point& p) { return p.pieces >= pieces; });
    if (at == hull.end()) {
        return hull.size() > 1 ? saved(hull[hull.size() - 2], hull.back()) : 0;
    }
    const double left = at != hull.begin() ? saved(*(at - 1), *at) : 0;
    if (at->pieces > pieces) {
        return left;
    }
    const double right = at + 1 != hull.end() ? saved(*at, *(at + 1)) : 0;
    return at != hull.begin() ? (left + right) / 2 : right;
}

} // namespace kspline
