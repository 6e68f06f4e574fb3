#include "projection.hpp"

#include <algorithm>
#include <cmath>

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
// three-term recurrence p_{m+1} = (u - alpha_m) p_m - beta_m p_{m-1} with u = (j - centre) * scale.
template <int P>
struct Basis {
    double centre, scale;
    double alpha[P] = {}, beta[P] = {};
    double inverse_norm[P] = {}; // 1 / sum of w p_m^2; zero from the number of positive weights on: interpolation

    Basis(Index size, const double* weights) {
        if (weights) {
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
        const double u = (static_cast<double>(j) - centre) * scale;
        p[0] = 1;
        for (int m = 1; m < P; ++m) {
            p[m] = (u - alpha[m - 1]) * p[m - 1] - (m > 1 ? beta[m - 1] * p[m - 2] : 0.0);
        }
    }

private:
    void build(Index size, const double* weights) { // Stieltjes' procedure
        Index first = size, last = 0, positive = 0;
        for (Index j = 0; j < size; ++j) {
            if (weights[j] > 0) {
                first = std::min(first, j);
                last = j;
                ++positive;
            }
        }
        centre = static_cast<double>(first + last) / 2;
        scale = 2 / static_cast<double>(last - first + 1);
        double previous = 1;
        for (int m = 0; m < std::min<Index>(P, positive); ++m) {
            double moments[2]; // of w p_m^2 and w u p_m^2
            sum<2>(size, moments, [&](Index j, double (&sums)[2]) {
                double p[P];
                evaluate(j, p);
                const double u = (static_cast<double>(j) - centre) * scale, square = weights[j] * p[m] * p[m];
                sums[0] += square;
                sums[1] += u * square;
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

// The polynomial sum of c_m p_m in powers of j.
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

template <int P>
void fit_piece(Index size, const double* y, const double* weights, double* coefficients, double* values, double* cost) {
    const Basis<P> basis(size, weights);
    Index first = 0;
    while (weights && weights[first] == 0) {
        ++first;
    }
    const double origin = y[first]; // an offset drops out here, before the first rounding
    double c[P];
    expand(basis, size, [&](Index j) {
        return weights ? (weights[j] > 0 ? weights[j] * (y[j] - origin) : 0.0) : y[j] - origin;
    }, c);
    double squares[1];
    sum<1>(size, squares, [&](Index j, double (&sums)[1]) {
        const double value = combine(basis, j, c);
        values[j] = origin + value;
        if (!weights || weights[j] > 0) {
            const double residual = (y[j] - origin) - value;
            sums[0] += (weights ? weights[j] : 1.0) * residual * residual;
        }
    });
    *cost += squares[0];
    to_powers(basis, c, coefficients);
    coefficients[0] += origin;
}

template <int P>
void project_piece(Product product, Index size, const double* v, const double* weights, double* out) {
    const Basis<P> basis(size, weights);
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

const double* shifted(const double* weights, Index start) { return weights ? weights + start : nullptr; }

} // namespace

void fit_pieces(Index pieces, int degree, const double* y, const double* weights, const Index* breakpoints,
                double* coefficients, double* values, double* cost) {
    *cost = 0;
    for_each_piece(pieces, degree, breakpoints, [&]<int P>(Index start, Index size, Index i) {
        fit_piece<P>(size, y + start, shifted(weights, start), coefficients + i * P, values + start, cost);
    });
}

void project_pieces(Product product, Index pieces, int degree, const double* v, const Index* breakpoints,
                    const double* weights, double* out) {
    for_each_piece(pieces, degree, breakpoints, [&]<int P>(Index start, Index size, Index) {
        project_piece<P>(product, size, v + start, shifted(weights, start), out + start);
    });
}

} // namespace kspline
