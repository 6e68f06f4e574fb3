// Which breakpoints can be left out of account, before the levels are computed.
//
// For any penalty a piece, the cost of the best partition into k pieces is at least min(cost + penalty * pieces) -
// penalty * k (Lagrange). With the same minimum over the partitions that have a breakpoint at t, from a forward and a
// backward pass of functional pruning, t is ruled out where that exceeds the cost of a partition already known: the
// fixing of variables by reduced costs. The known partition comes from greedy merging (Acharya et al., "Fast algorithms
// for segmented regression", 2016), made better by exact solutions over the breakpoints seen so far.
#include <algorithm>
#include <cmath>
#include <limits>

#include "functional.hpp"

namespace kspline {
namespace {

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

struct Interval {
    double mean, weight, cost;
    int end;
};

Interval joined(const Interval& a, const Interval& b) {
    const double total = a.weight + b.weight, gain = b.weight / total, step = b.mean - a.mean;
    return {a.mean + gain * step, total, a.cost + b.cost + a.weight * gain * step * step, b.end};
}

// Joins neighbours in rounds, all but the `keep` pairs that would cost most, until 2 * keep intervals are left or so.
Ends greedy(const Runs& runs, Index keep) {
    std::vector<Interval> intervals(at(runs.size()));
    for (Index i = 0; i < runs.size(); ++i) {
        intervals[at(i)] = {runs.mean[at(i)], runs.weight_of(i), 0.0, static_cast<int>(i + 1)};
    }
    std::vector<float> cost, sorted; // single precision: only a choice hangs on them
    while (static_cast<Index>(intervals.size()) > 2 * keep + 1) {
        const std::size_t pairs = intervals.size() / 2;
        cost.resize(pairs);
        for (std::size_t i = 0; i < pairs; ++i) {
            cost[i] = static_cast<float>(joined(intervals[2 * i], intervals[2 * i + 1]).cost);
        }
        sorted = cost;
        const auto bar = sorted.end() - keep;
        std::nth_element(sorted.begin(), bar, sorted.end());
        std::size_t size = 0;
        Index kept = 0;
        for (std::size_t i = 0; i < pairs; ++i) {
            const Interval left = intervals[2 * i], right = intervals[2 * i + 1];
            if (cost[i] >= *bar && kept < keep) {
                ++kept;
                intervals[size++] = left;
                intervals[size++] = right;
            } else {
                intervals[size++] = joined(left, right);
            }
        }
        if (intervals.size() % 2 == 1) {
            intervals[size++] = intervals.back();
        }
        intervals.resize(size);
    }
    Ends ends;
    for (const Interval& interval : intervals) {
        ends.push_back(interval.end);
    }
    return ends;
}

// Moves each breakpoint to its best place between its neighbours, and again while that helps, `sweeps` times at most.
void refine(const Runs& runs, Ends& ends, int sweeps) {
    std::vector<double> left;
    bool moved = true;
    for (int sweep = 0; sweep < sweeps && moved; ++sweep) {
        moved = false;
        for (std::size_t k = 0; k + 1 < ends.size(); ++k) {
            const Index first = k ? ends[k - 1] : 0, stop = ends[k + 1];
            left.resize(at(stop - first));
            Constant head(runs.mean[at(first)]), tail(runs.mean[at(stop - 1)]);
            for (Index i = first; i + 1 < stop; ++i) {
                left[at(i + 1 - first)] = head.add(runs.mean[at(i)], runs.weight_of(i));
            }
            double least = std::numeric_limits<double>::infinity();
            Index best = ends[k];
            for (Index i = stop - 1; i > first; --i) {
                const double cost = left[at(i - first)] + tail.add(runs.mean[at(i)], runs.weight_of(i));
                if (cost < least) {
                    least = cost;
                    best = i;
                }
            }
            moved = moved || best != ends[k];
            ends[k] = static_cast<int>(best);
        }
    }
}

Ends joined(const Ends& a, const Ends& b) {
    Ends both;
    std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both));
    return both;
}

// What is known of the least cost as a function of the number of pieces: points on it or above.
class Curve {
public:
    void add(Index pieces, double cost) { points_.push_back({static_cast<double>(pieces), cost}); }

    // A slope of the lower convex hull at `pieces`: the penalty whose best partition has about so many.
    double slope(Index pieces) {
        std::sort(points_.begin(), points_.end());
        std::vector<Point> hull;
        for (const Point& p : points_) {
            if (!hull.empty() && hull.back().first == p.first) {
                continue;
            }
            while (hull.size() > 1 && slope(hull.end()[-2], hull.back()) <= slope(hull.back(), p)) {
                hull.pop_back();
            }
            hull.push_back(p);
        }
        const auto k = static_cast<double>(pieces);
        std::size_t i = 0;
        while (i + 1 < hull.size() && hull[i].first < k) {
            ++i;
        }
        if (i == 0) {
            return 0;
        }
        const double before = slope(hull[i - 1], hull[i]);
        return hull[i].first == k && i + 1 < hull.size() ? (before + slope(hull[i], hull[i + 1])) / 2 : before;
    }

private:
    using Point = std::pair<double, double>;

    static double slope(const Point& a, const Point& b) { return (a.second - b.second) / (b.first - a.first); }

    std::vector<Point> points_;
};

} // namespace

class Narrowing {
public:
    Narrowing(const Runs& runs, Index pieces, FunctionalSolver& solver)
        : runs_(&runs), pieces_(pieces), solver_(solver) {}

    Runs run() {
        start();
        for (int passes = 0; passes < 40 && runs_->size() * (pieces_ - 2) > worthwhile && penalty_ > 0; ++passes) {
            const double bound = forward() - penalty_ * static_cast<double>(pieces_);
            const double next = curve_.slope(pieces_);
            const bool settled = std::abs(next - penalty_) <= 1e-3 * penalty_;
            // a breakpoint that does not help costs about one penalty: a smaller gap rules most of them out
            if (upper_ - bound <= 0.5 * penalty_ || settled || passes % 8 == 7) {
                const Index size = runs_->size();
                fix(bound);
                if (settled && runs_->size() > size / 2) {
                    break;
                }
            }
            penalty_ = next;
        }
        return runs_ == &own_ ? std::move(own_) : *runs_;
    }

private:
    static constexpr Index worthwhile = 20000; // steps of the levels: less than some passes cost

    void start() {
        const Ends ends = greedy(*runs_, 4 * pieces_);
        const Runs few = runs_->merged(ends);
        const Index n = runs_->size(), most = std::min(few.size() - 1, pieces_ + std::max<Index>(pieces_ / 2, 8));
        // every level over the few intervals, for the curve
        solver_.first_level(few, 0, few.size());
        curve_.add(1, few.within + solver_.before_.back());
        for (Index k = 2; k <= most; ++k) {
            solver_.level(few, 0, k, few.size(), nullptr);
            curve_.add(k, few.within + solver_.before_.back());
        }
        curve_.add(n, runs_->within);
        known_ = best_among(few, ends);
        refine(*runs_, known_, 4);
        upper_ = runs_->cost(known_);
        curve_.add(pieces_, runs_->within + upper_);
        penalty_ = curve_.slope(pieces_);
    }

    // The best partition into pieces_ whose breakpoints are among `ends`.
    Ends best_among(const Runs& few, const Ends& ends) {
        Ends found;
        solver_.partition(few, 0, few.size(), pieces_, found);
        for (int& end : found) {
            end = ends[at(end - 1)];
        }
        return found;
    }

    // Returns the least cost + penalty * pieces. What it finds makes the curve and the known partition better.
    double forward() {
        solver_.penalized(*runs_, penalty_, false, forward_, &from_);
        Ends ends;
        for (int t = static_cast<int>(runs_->size()); t > 0; t = from_[at(t)]) {
            ends.push_back(t);
        }
        std::reverse(ends.begin(), ends.end());
        const auto pieces = static_cast<Index>(ends.size());
        const double cost = runs_->cost(ends);
        curve_.add(pieces, runs_->within + cost);
        if (pieces <= 4 * pieces_ + 50) {
            Ends better = joined(ends, known_);
            if (pieces == pieces_) {
                better = ends;
            } else {
                better = best_among(runs_->merged(better), better);
                refine(*runs_, better, 4);
            }
            const double value = runs_->cost(better);
            if (value < upper_) {
                upper_ = value;
                known_ = better;
                curve_.add(pieces_, runs_->within + upper_);
            }
        }
        return forward_.back();
    }

    // Leaves out the breakpoints that are ruled out by the penalty of the last forward pass.
    void fix(double bound) {
        const Index n = runs_->size();
        solver_.penalized(*runs_, penalty_, true, backward_, nullptr);
        // rounding of the passes, of which each sums up to n terms
        const double tolerance = 1e-11 * (std::abs(upper_) + std::abs(bound) + forward_.back());
        const double most = upper_ + penalty_ * static_cast<double>(pieces_) + tolerance;
        Ends left;
        std::size_t k = 0;
        for (Index t = 1; t <= n; ++t) {
            const bool known = t == known_[k];
            if (known || t == n || forward_[at(t)] + backward_[at(n - t)] <= most) {
                left.push_back(static_cast<int>(t));
            }
            if (known) {
                known_[k] = static_cast<int>(left.size());
                k += k + 1 < known_.size();
            }
        }
        Runs fewer = runs_->merged(left);
        own_ = std::move(fewer);
        runs_ = &own_;
        upper_ = own_.cost(known_);
    }

    const Runs* runs_;
    Runs own_;
    Index pieces_;
    FunctionalSolver& solver_;
    Curve curve_;
    Ends known_; // the best partition so far
    double upper_ = 0, penalty_ = 0;
    std::vector<double> forward_, backward_;
    std::vector<int> from_;
};

Runs narrow(const Runs& runs, Index pieces, FunctionalSolver& solver) { return Narrowing(runs, pieces, solver).run(); }

} // namespace kspline
