#include "projection.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "scale.hpp"

namespace kspline {
namespace {

constexpr Index summation_block = 512; // partial sums: the rounding error grows with the block, not with the piece

// Sums P terms per sample over 0 <= j < size; `add(j, sums)` adds those of sample j.
template <int P, class Add>
void sum(Index size, double (&total)[P], Add add) {
    std::fill(total, total + P, 0.0);
    for (Index block = 0; block < size; block += summation_block) {
        double sums[P] = {};
        for (Index j = block; j < std::min(size, block + summation_block); ++j) {
            add(j, sums);
        }
        for (int m = 0; m < P; ++m) {
            total[m] += sums[m];
        }
    }
}

// Polynomials p_0, ..., p_{P-1} on the samples 0, ..., size - 1 of a piece, orthogonal under its weights, by the
// three-term recurrence p_{m+1} = (u - alpha_m) p_m - beta_m p_{m-1} with u = (t - centre) * scale, where t is the
// distance from the first sample of the piece.
template <int P>
struct Basis {
    const double* x; // of the piece; null: 0, 1, ...
    double centre, scale;
    double alpha[P] = {}, beta[P] = {};
    double inverse_norm[P] = {}; // 1 / sum of w p_m^2; zero from the number of positive weights on: interpolation

    Basis(Index size, const double* abscissae, const double* weights) : x(abscissae) {
        if (x || weights) {
            build(size, weights);
            return;
        }
        // Gram polynomials, in closed form: Abramowitz & Stegun, 22.17
        const auto N = static_cast<double>(size);
        centre = (N - 1) / 2;
        scale = 2 / N;
        double norm = N;
        for (Index m = 0; m < std::min<Index>(P, size); ++m) {
            const auto k = static_cast<double>(m);
            if (m > 0) {
                beta[m] = k * k * (N * N - k * k) / (4 * (4 * k * k - 1)) * scale * scale;
                norm *= beta[m];
            }
            inverse_norm[m] = 1 / norm;
        }
    }

    void evaluate(Index j, double (&p)[P]) const {
        const double u = place(j);
        p[0] = 1;
        for (int m = 1; m < P; ++m) {
            p[m] = (u - alpha[m - 1]) * p[m - 1] - (m > 1 ? beta[m - 1] * p[m - 2] : 0.0);
        }
    }

private:
    double distance(Index j) const { return x ? x[j] - x[0] : static_cast<double>(j); }
    double place(Index j) const { return (distance(j) - centre) * scale; }

    void build(Index size, const double* weights) { // Stieltjes' procedure
        Index first = size, last = 0, positive = 0;
        for (Index j = 0; j < size; ++j) {
            if (!weights || weights[j] > 0) {
                first = std::min(first, j);
                last = j;
                ++positive;
            }
        }
        if (positive == 0) { // this channel has no sample here, another has: the piece is zero
            centre = scale = 0;
            return;
        }
        centre = (distance(first) + distance(last)) / 2;
        if (x) {
            scale = last > first ? 2 / (distance(last) - distance(first)) : 0;
        } else {
            scale = 2 / static_cast<double>(last - first + 1);
        }
        double previous = 1;
        for (int m = 0; m < std::min<Index>(P, positive); ++m) {
            double moments[2]; // of w p_m^2 and w u p_m^2
            sum<2>(size, moments, [&](Index j, double (&sums)[2]) {
                double p[P];
                evaluate(j, p);
                const double square = (weights ? weights[j] : 1.0) * p[m] * p[m];
                sums[0] += square;
                sums[1] += place(j) * square;
            });
            inverse_norm[m] = 1 / moments[0];
            alpha[m] = moments[1] / moments[0];
            beta[m] = moments[0] / previous;
            previous = moments[0];
        }
    }
};

// c_m = <p_m, v> / <p_m, p_m>_w, where `value(j)` gives v.
template <int P, class Value>
void expand(const Basis<P>& basis, Index size, Value value, double (&c)[P]) {
    sum<P>(size, c, [&](Index j, double (&sums)[P]) {
        double p[P];
        basis.evaluate(j, p);
        const double v = value(j);
        for (int m = 0; m < P; ++m) {
            sums[m] += p[m] * v;
        }
    });
    for (int m = 0; m < P; ++m) {
        c[m] *= basis.inverse_norm[m];
    }
}

template <int P>
double combine(const Basis<P>& basis, Index j, const double (&c)[P]) {
    double p[P];
    basis.evaluate(j, p);
    double value = 0;
    for (int m = 0; m < P; ++m) {
        value += c[m] * p[m];
    }
    return value;
}

// The polynomial sum of c_m p_m in powers of the distance from the first sample of the piece.
template <int P>
void to_powers(const Basis<P>& basis, const double (&c)[P], double* powers) {
    double p[P][P] = {{1.0}};
    std::fill(powers, powers + P, 0.0);
    for (int m = 0; m < P; ++m) {
        for (int i = 0; i <= m; ++i) {
            if (m > 0) {
                p[m][i] = (i > 0 ? basis.scale * p[m - 1][i - 1] : 0.0) -
                          (basis.centre * basis.scale + basis.alpha[m - 1]) * p[m - 1][i] -
                          (m > 1 ? basis.beta[m - 1] * p[m - 2][i] : 0.0);
            }
            powers[i] += c[m] * p[m][i];
        }
    }
}

// The weights of a signal without their unit, which no product with the Jacobian depends on: the greatest is 1 to 2, and
// the least not so small that a piece of such alone would vanish.
class Relative {
public:
    Relative(const double* weights, Index size) {
        if (!weights) {
            return;
        }
        shift_ = -exponent(*std::max_element(weights, weights + size));
        for (Index i = 0; i < size; ++i) {
            weights_.push_back(weights[i] > 0 ? std::max(std::scalbn(weights[i], shift_), 0x1p-960) : 0.0);
        }
    }
    const double* data() const { return weights_.empty() ? nullptr : weights_.data(); }
    int shift() const { return shift_; }

private:
    int shift_ = 0;
    std::vector<double> weights_;
};

// Returns the weighted sum of squared residuals, each residual divided by `unit` first.
template <int P>
double fit_piece(Index size, const double* y, const double* x, const double* weights, double unit, double* coefficients,
                 double* values) {
    const Basis<P> basis(size, x, weights);
    Index first = 0;
    while (weights && first < size && weights[first] == 0) {
        ++first;
    }
    const double origin = first < size ? y[first] : 0.0; // an offset drops out here, before the first rounding
    double c[P];
    expand(basis, size, [&](Index j) {
        return weights ? (weights[j] > 0 ? weights[j] * (y[j] - origin) : 0.0) : y[j] - origin;
    }, c);
    double squares[1];
    sum<1>(size, squares, [&](Index j, double (&sums)[1]) {
        const double value = combine(basis, j, c);
        values[j] = origin + value;
        if (!weights || weights[j] > 0) {
            const double residual = ((y[j] - origin) - value) * unit;
            sums[0] += (weights ? weights[j] : 1.0) * residual * residual;
        }
    });
    to_powers(basis, c, coefficients);
    coefficients[0] += origin;
    return squares[0];
}

template <int P>
void project_piece(Product product, Index size, const double* x, const double* weights, const double* v, double* out) {
    const Basis<P> basis(size, x, weights);
    const bool weigh_in = weights && product == Product::jacobian;
    const bool weigh_out = weights && product == Product::transposed;
    double c[P];
    expand(basis, size, [&](Index j) { return weigh_in ? weights[j] * v[j] : v[j]; }, c);
    for (Index j = 0; j < size; ++j) {
        out[j] = (weigh_out ? weights[j] : 1.0) * combine(basis, j, c);
    }
}

// Calls `piece.operator()<P>(first index, size, number)` for every piece, with P = degree + 1.
template <class Piece>
void for_each_piece(Index pieces, int degree, const Index* breakpoints, Piece piece) {
    for (Index i = 0; i < pieces; ++i) {
        const Index start = breakpoints[i], size = breakpoints[i + 1] - start;
        switch (degree) {
        case 0: piece.template operator()<1>(start, size, i); break;
        case 1: piece.template operator()<2>(start, size, i); break;
        case 2: piece.template operator()<3>(start, size, i); break;
        default: piece.template operator()<4>(start, size, i); break;
        }
    }
}

const double* shifted(const double* numbers, Index start) { return numbers ? numbers + start : nullptr; }

// Exponent of the greatest difference from the first sample that is there: no residual is much greater.
int exponent_of_range(const double* y, const double* weights, Index size) {
    double low = 0, high = 0;
    bool any = false;
    for (Index i = 0; i < size; ++i) {
        if (!weights || weights[i] > 0) {
            low = any ? std::min(low, y[i]) : y[i];
            high = any ? std::max(high, y[i]) : y[i];
            any = true;
        }
    }
    return exponent(high - low);
}

} // namespace

void fit_pieces(const Signal& signal, Index pieces, int degree, const Index* breakpoints, double* coefficients,
                double* values, double* cost) {
    const Index n = signal.length, samples = signal.channels * n, terms = degree + 1;
    const Bearable y(signal.y, samples), x(signal.x, signal.x ? n : 0);
    const Relative weights(signal.weights, samples);
    const int range = exponent_of_range(y.data(), weights.data(), samples);
    double squares = 0;
    for (Index c = 0; c < signal.channels; ++c) {
        double* powers = coefficients + c * pieces * terms;
        for_each_piece(pieces, degree, breakpoints, [&]<int P>(Index start, Index size, Index i) {
            squares += fit_piece<P>(size, y.data() + c * n + start, shifted(x.data(), start),
                                    shifted(weights.data(), c * n + start), std::scalbn(1.0, -range), powers + i * P,
                                    values + c * n + start);
        });
        if (x.shift() != 0) {
            for (Index i = 0; i < pieces * terms; ++i) {
                powers[i] = std::scalbn(powers[i], x.shift() * static_cast<int>(i % terms));
            }
        }
    }
    y.restore(coefficients, signal.channels * pieces * terms);
    y.restore(values, samples);
    *cost = std::scalbn(squares, 2 * (range - y.shift()) - weights.shift());
}

void project_pieces(Product product, const Signal& signal, Index pieces, int degree, const Index* breakpoints,
                    const double* v, double* out) {
    const Index n = signal.length, samples = signal.channels * n;
    const Bearable direction(v, samples), x(signal.x, signal.x ? n : 0);
    const Relative weights(signal.weights, samples);
    for (Index c = 0; c < signal.channels; ++c) {
        for_each_piece(pieces, degree, breakpoints, [&]<int P>(Index start, Index size, Index) {
            project_piece<P>(product, size, shifted(x.data(), start), shifted(weights.data(), c * n + start),
                             direction.data() + c * n + start, out + c * n + start);
        });
    }
    direction.restore(out, samples);
}

} // namespace kspline
