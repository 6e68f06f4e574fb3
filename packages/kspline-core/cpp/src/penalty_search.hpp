// The search for the penalty under which a wanted number of pieces is best. That number falls as the penalty grows, about
// like a power of it: the search goes by logarithms.
#pragma once

#include <algorithm>
#include <cmath>

#include "kspline/kspline.hpp"

namespace kspline {

class PenaltySearch {
public:
    PenaltySearch(Index pieces, double penalty) : wanted_(std::log(static_cast<double>(pieces))), penalty_(penalty) {}

    double penalty() const { return penalty_; }
    void set(double penalty) {
        penalty_ = penalty;
        last_ = fewer_ = more_ = {};
    }
    // Not worth another trial.
    bool settled() const { return settled_; }

    // `count` pieces are best under the penalty; proposes another one.
    void record(Index count) {
        const Trial trial{std::log(penalty_), std::log(static_cast<double>(count)), true};
        if (last_.known && std::abs(trial.penalty - last_.penalty) > 1e-2 && trial.count != last_.count) {
            power_ = std::clamp((last_.count - trial.count) / (trial.penalty - last_.penalty), 0.25, 16.0);
        }
        last_ = trial;
        (trial.count < wanted_ ? fewer_ : more_) = trial;
        double next;
        if (!fewer_.known || !more_.known || fewer_.penalty <= more_.penalty) {
            const double step = (trial.count - wanted_) / power_;
            next = trial.penalty + std::clamp(step, -0.7, 0.7) + std::copysign(0.02, step);
            settled_ = false;
        } else {
            const double share = (wanted_ - fewer_.count) / (more_.count - fewer_.count);
            next = fewer_.penalty + std::clamp(share, 0.1, 0.9) * (more_.penalty - fewer_.penalty);
            settled_ = fewer_.penalty - more_.penalty <= 1e-3;
        }
        penalty_ = std::exp(next);
    }

private:
    struct Trial { // logarithms
        double penalty = 0, count = 0;
        bool known = false;
    };
    double wanted_, penalty_, power_ = 4;
    Trial last_, fewer_, more_;
    bool settled_ = false;
};

} // namespace kspline
