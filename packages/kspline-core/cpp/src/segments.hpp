// Segments that can be joined: the factors of the normal equations of one run of samples, and their union.
//
// D, unit upper triangular R and rotated samples z of Gentleman's square-root-free Givens rotations (1973), as in
// `weighted_step`: the least-squares problem of a segment is that of P rows R_i theta ~ z_i with weights D_i, plus
// `cost`. So two segments are joined by rotating the P rows of one into the other, and a sample is one row. Every join
// adds squares, so nothing cancels and a cost never decreases. Abscissae and samples are relative to an origin of the
// segment itself; `moved` changes the origin.
#pragma once

#include <string_view>
#include <vector>

#include "kspline/kspline.hpp"

namespace kspline {

template <int P, class V>
struct Segment {
    V diagonal[P];
    V upper[P > 1 ? P * (P - 1) / 2 : 1]; // by rows
    V rotated[P];
    V cost;
};

template <int P>
inline constexpr int upper_size = P * (P - 1) / 2;
template <int P>
inline constexpr int segment_size = 2 * P + upper_size<P> + 1; // numbers in a segment, the cost last

template <int P>
constexpr int upper_at(int i, int j) {
    return i * (2 * P - i - 1) / 2 + (j - i - 1);
}

// Rotates one row into the segment; its entries before `from` are zero, those at and after it in `row`.
template <int P, class V>
inline void rotate_row(Segment<P, V>& segment, V (&row)[P], int from, V sample, V weight) {
    const V one = weight - weight + 1.0;
    for (int i = from; i < P; ++i) {
        const V x = row[i];
        const V scaled = weight * x;
        const V grown = segment.diagonal[i] + scaled * x;
        const V inverse = one / (grown > 0.0 ? grown : one);
        const V cosine = grown > 0.0 ? segment.diagonal[i] * inverse : one;
        const V sine = scaled * inverse;
        segment.diagonal[i] = grown;
        weight = weight * cosine;
        for (int j = i + 1; j < P; ++j) {
            V& r = segment.upper[upper_at<P>(i, j)];
            const V old = r;
            r = cosine * old + sine * row[j];
            row[j] = row[j] - x * old;
        }
        const V z = segment.rotated[i];
        segment.rotated[i] = cosine * z + sine * sample;
        sample = sample - x * z;
    }
    segment.cost = segment.cost + weight * sample * sample;
}

// What the rotations of a join come to for lines, and cheaper: D_0 is the weight of a segment, R_01 and z_0 its mean
// abscissa and sample, D_1 the scatter of its abscissae, z_1 its slope. Two segments and the line between their means
// disagree about the slope, and the squares of the disagreements add up. Counts of divisions: 2 in a join, 1 for the cost.
template <class V>
struct Disagreement {
    V mean_x, mean_y; // of `other`, from those of `segment`
    V slope;          // of `other`, from that of `segment`
    V ahead, behind;  // mean_y, from the line of `segment`, and from that of `other`

    Disagreement(const Segment<2, V>& segment, const Segment<2, double>& other, V dx, V dy)
        : mean_x(dx + other.upper[0] - segment.upper[0]), mean_y(dy + other.rotated[0] - segment.rotated[0]),
          slope(other.rotated[1] - segment.rotated[1]), ahead(mean_y - segment.rotated[1] * mean_x),
          behind(mean_y - other.rotated[1] * mean_x) {}
};

template <class V>
inline V positive(V v) {
    return v > 0.0 ? v : v - v + 1.0;
}

template <class V>
inline void join_lines(Segment<2, V>& segment, const Segment<2, double>& other, V dx, V dy) {
    const Disagreement<V> by(segment, other, dx, dy);
    const V weight = segment.diagonal[0] + other.diagonal[0];
    const V share = other.diagonal[0] / positive(weight), reduced = segment.diagonal[0] * share;
    const V lever = reduced * by.mean_x, scatter = segment.diagonal[1] + other.diagonal[1] + lever * by.mean_x;
    const V inverse = 1.0 / positive(scatter);
    const V between = segment.diagonal[1] * other.diagonal[1] * by.slope * by.slope;
    const V ahead = segment.diagonal[1] * by.ahead * by.ahead, behind = other.diagonal[1] * by.behind * by.behind;
    segment.cost = segment.cost + other.cost + (between + reduced * (ahead + behind)) * inverse;
    segment.rotated[1] = segment.rotated[1] + (other.diagonal[1] * by.slope + lever * by.ahead) * inverse;
    segment.rotated[0] = segment.rotated[0] + share * by.mean_y;
    segment.upper[0] = segment.upper[0] + share * by.mean_x;
    segment.diagonal[0] = weight;
    segment.diagonal[1] = scatter;
}

// Rotates `other`, whose origin lies at (dx, dy) from that of `segment`, into it. A `single` sample has but one row.
template <int P, class V>
inline void join(Segment<P, V>& segment, const Segment<P, double>& other, bool single, V dx, V dy) {
    if constexpr (P == 2) {
        join_lines(segment, other, dx, dy);
        return;
    }
    const V zero = dx - dx;
    V power[P]; // p(u + dx): the coefficient of u^i is the sum over j of binomial(j, i) dx^(j - i) theta_j
    power[0] = zero + 1.0;
    for (int j = 1; j < P; ++j) {
        power[j] = power[j - 1] * dx;
    }
    if (single) {
        rotate_row<P>(segment, power, 0, dy + other.rotated[0], zero + other.diagonal[0]);
        return;
    }
    constexpr double binomial[4][4] = {{1, 1, 1, 1}, {0, 1, 2, 3}, {0, 0, 1, 3}, {0, 0, 0, 1}}; // [i][j]
    for (int i = 0; i < P; ++i) {
        V row[P];
        for (int j = i; j < P; ++j) {
            row[j] = power[j - i] * binomial[i][j];
            for (int m = i + 1; m <= j; ++m) {
                row[j] = row[j] + power[j - m] * (binomial[m][j] * other.upper[upper_at<P>(i, m)]);
            }
        }
        const V sample = zero + other.rotated[i];
        rotate_row<P>(segment, row, i, i == 0 ? sample + dy : sample, zero + other.diagonal[i]);
    }
    segment.cost = segment.cost + other.cost;
}

// The cost alone of `segment` with `other` joined to it.
template <int P, class V>
inline V joint_cost(Segment<P, V> segment, const Segment<P, double>& other, V dx, V dy) {
    if constexpr (P == 2) {
        const Disagreement<V> by(segment, other, dx, dy);
        const V weight = segment.diagonal[0] + other.diagonal[0], product = segment.diagonal[0] * other.diagonal[0];
        const V between = segment.diagonal[1] * other.diagonal[1] * by.slope * by.slope;
        const V ahead = segment.diagonal[1] * by.ahead * by.ahead, behind = other.diagonal[1] * by.behind * by.behind;
        const V scatter = weight * (segment.diagonal[1] + other.diagonal[1]) + product * by.mean_x * by.mean_x;
        return segment.cost + other.cost + (weight * between + product * (ahead + behind)) / positive(scatter);
    } else {
        join<P>(segment, other, false, dx, dy);
        return segment.cost;
    }
}

// Segments that follow each other, each with its origin: the samples themselves, or what they were joined to.
template <int P>
struct Elements {
    std::vector<double> x, y;                // of the origins
    std::vector<double> weights;             // of single samples
    std::vector<Segment<P, double>> segment; // empty: single samples
    std::vector<Index> end;                  // end[i]: samples in the first i elements

    Index size() const { return static_cast<Index>(x.size()); }
    bool single() const { return segment.empty(); }
    Segment<P, double> operator[](Index i) const {
        const auto at = static_cast<std::size_t>(i);
        if (!segment.empty()) {
            return segment[at];
        }
        Segment<P, double> sample{};
        sample.diagonal[0] = weights[at];
        return sample;
    }
};

// A segment under construction.
template <int P>
struct Run {
    Segment<P, double> segment{};
    double x = 0, y = 0; // origin
    bool empty = true;

    void add(const Segment<P, double>& other, bool single, double other_x, double other_y) {
        if (empty) {
            x = other_x;
            y = other_y;
            empty = false;
        }
        join<P>(segment, other, single, other_x - x, other_y - y);
    }
    void add(const Run& other) {
        if (!other.empty) {
            add(other.segment, false, other.x, other.y);
        }
    }
    void add(const Elements<P>& elements, Index i) {
        const auto at = static_cast<std::size_t>(i);
        add(elements[i], elements.single(), elements.x[at], elements.y[at]);
    }
};

// Open segments side by side, one per start: number c of the segment j stands at state[c * stride + j], its origin is
// (x[j], y[j]).
struct Open {
    double* state;
    Index stride;
    const double* x;
    const double* y;
};

inline constexpr Index group_size = 8; // segments evaluated at once

// The inner loops, compiled once per instruction set.
template <int P>
struct SegmentKernel {
    // Joins an element to the first `count` segments, rounded up to a whole group.
    void (*extend)(const Open& open, Index count, const Segment<P, double>& other, bool single, double x, double y);
    // value[j] = base[j] + cost of the segment j with `other` joined to it, for one group.
    void (*evaluate)(const Open& open, const double* base, const Segment<P, double>& other, double x, double y,
                     double* value);
    // out[k] = min over j < count of best[k * stride + j] + cost[j].
    void (*lowest)(const double* best, Index stride, Index levels, const double* cost, Index count, double* out);
};

struct SegmentKernels {
    SegmentKernel<1> degree_0;
    SegmentKernel<2> degree_1;
    SegmentKernel<3> degree_2;
    SegmentKernel<4> degree_3;
};

// As `find_kernel`.
const SegmentKernels& find_segment_kernels(std::string_view name);

template <int P>
const SegmentKernel<P>& segment_kernel(const SegmentKernels& all) {
    if constexpr (P == 1) {
        return all.degree_0;
    } else if constexpr (P == 2) {
        return all.degree_1;
    } else if constexpr (P == 3) {
        return all.degree_2;
    } else {
        return all.degree_3;
    }
}

// What runs the inner loops, and what is told of them.
template <int P>
struct Engine {
    const SegmentKernel<P>& kernel;
    Progress& progress;
};

} // namespace kspline
