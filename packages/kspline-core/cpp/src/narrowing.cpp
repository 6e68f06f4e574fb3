// Which breakpoints can be left out of account, before the levels are computed.
//
// For any penalty a piece, the cost of the best partition into k pieces is at least min(cost + penalty * pieces) -
// penalty * k (Lagrange). With the same minimum over the partitions that have a breakpoint at t, from a forward and a
// backward pass of functional pruning, t is ruled out where that exceeds the cost of a partition already known: the
// fixing of variables by reduced costs. The known partition comes from greedy merging (Acharya et al., "Fast algorithms
// for segmented regression", 2016), made better by exact solutions over the breakpoints seen so far.
//
// `LagrangianSolver` does the same for every degree and minimum size with passes by bounds on blocks; for degree 0 the
// passes here cost the same for every signal, and it was slower on each of three kinds: 1.2 to 7 times at n = 1e6.
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "frontier.hpp"
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
// Starts from steps of runs where there are plenty.
Ends greedy(const Runs& runs, Index keep) {
    const Index step = runs.size() >= 128 * keep ? 8 : 1;
    std::vector<Interval> intervals;
    intervals.reserve(at(runs.size() / step + 1));
    for (Index i = 0; i < runs.size(); ++i) {
        const Interval one{runs.mean[at(i)], runs.weight_of(i), 0.0, static_cast<int>(i + 1)};
        if (i % step == 0) {
            intervals.push_back(one);
        } else {
            intervals.back() = joined(intervals.back(), one);
        }
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

} // namespace

class Narrowing {
public:
    Narrowing(const Runs& runs, Index pieces, FunctionalSolver& solver)
        : runs_(&runs), pieces_(pieces), solver_(solver) {}

    Runs run() {
        start();
        for (int passes = 0; passes < 40 && runs_->size() * (pieces_ - 2) > worthwhile && penalty_ > 0; ++passes) {
            const double bound = forward() - penalty_ * static_cast<double>(pieces_);
            // what the frontier knows of coarse places leads astray: small steps first
            const double slope = frontier_.slope(pieces_);
            const double next = std::clamp(slope, penalty_ / reach_, penalty_ * reach_);
            reach_ *= reach_;
            const bool settled = std::abs(slope - penalty_) <= 1e-3 * penalty_;
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
    static constexpr double finer = 1.23;      // from steps of 8 runs to runs, in noise, as measured

    void start() {
        const Ends ends = greedy(*runs_, 4 * pieces_);
        const Runs few = runs_->merged(ends);
        const Index n = runs_->size(), most = std::min(few.size() - 1, pieces_ + std::max<Index>(pieces_ / 2, 8));
        // every level over the few intervals, for the frontier
        solver_.first_level(few, 0, few.size());
        frontier_.add(1, few.within + solver_.before_.back());
        for (Index k = 2; k <= most; ++k) {
            solver_.level(few, 0, k, few.size(), nullptr);
            frontier_.add(k, few.within + solver_.before_.back());
        }
        frontier_.add(n, runs_->within);
        known_ = best_among(few, ends);
        refine(*runs_, known_, 4);
        upper_ = runs_->cost(known_);
        frontier_.add(pieces_, runs_->within + upper_);
        penalty_ = frontier_.slope(pieces_);
        const bool twice = n >= 2048 * 64;
        if (twice) {
            tune(64);
        }
        const double coarse = penalty_;
        if (n >= 2048 * 8) {
            reach_ = 1.1;
            tune(8);
        }
        // where more places find as many pieces worth while at a higher penalty, as in noise, they do so once more
        if (twice && coarse > 0) {
            penalty_ *= std::clamp(penalty_ / coarse, 1.0, finer);
        }
    }

    // Looks for the penalty where pieces start at every `step`-th run only: there a pass costs little.
    void tune(Index step) {
        Ends all;
        for (Index i = step; i < runs_->size(); i += step) {
            all.push_back(static_cast<int>(i));
        }
        all.push_back(static_cast<int>(runs_->size()));
        const Runs steps = runs_->merged(all);
        Ends found;
        for (int pass = 0; pass < 16 && penalty_ > 0; ++pass) {
            solver_.penalized(steps, penalty_, false, forward_, &from_);
            found = traced(from_, steps.size());
            frontier_.add(static_cast<Index>(found.size()), steps.within + steps.cost(found));
            const double last = std::exchange(penalty_, frontier_.slope(pieces_));
            if (std::abs(penalty_ - last) <= 0.02 * last) {
                break;
            }
        }
        for (int& end : found) {
            end = all[at(end - 1)];
        }
        improve(found);
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

    // Returns the least cost + penalty * pieces. What it finds makes the frontier and the known partition better.
    double forward() {
        solver_.penalized(*runs_, penalty_, false, forward_, &from_);
        const Ends ends = traced(from_, runs_->size());
        frontier_.add(static_cast<Index>(ends.size()), runs_->within + runs_->cost(ends));
        if (static_cast<Index>(ends.size()) == pieces_) {
            known_ = ends; // none is better
            upper_ = runs_->cost(ends);
        } else {
            improve(ends);
        }
        return forward_.back();
    }

    // Replaces the known partition if a better one into pieces_ lies along its ends and these.
    void improve(const Ends& ends) {
        const auto pieces = static_cast<Index>(ends.size());
        if (pieces > 4 * pieces_ + 50) {
            return; // no more than noise
        }
        Ends better = ends;
        if (pieces != pieces_) {
            better = joined(ends, known_);
            better = best_among(runs_->merged(better), better);
        }
        refine(*runs_, better, 4);
        const double value = runs_->cost(better);
        if (value < upper_) {
            upper_ = value;
            known_ = better;
            frontier_.add(pieces_, runs_->within + upper_);
        }
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
    Frontier frontier_;
    Ends known_; // the best partition so far
    double upper_ = 0, penalty_ = 0;
    double reach_ = 1e9; // by which factor the penalty may change from pass to pass
    std::vector<double> forward_, backward_;
    std::vector<int> from_;
};

Runs narrow(const Runs& runs, Index pieces, FunctionalSolver& solver) { return Narrowing(runs, pieces, solver).run(); }

} // namespace kspline
