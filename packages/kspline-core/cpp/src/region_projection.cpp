// Region-wise least squares: means by one pass over the image, polynomials by Gram-Schmidt on the pixels of each region.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <vector>

#include "kspline/regions.hpp"
#include "rows.hpp"

namespace kspline {
namespace {

using Label = std::int32_t;

// A polynomial of the basis that the others leave so small a part of is left out: the pixels do not tell it from them.
constexpr double independent = 1e-10;

constexpr int max_terms = (max_degree + 1) * (max_degree + 2) / 2;

// Sum of term(0), ..., term(size - 1), in eight partial sums: the rounding error is that of an eighth of the terms.
template <class Term>
double sum(Index size, Term term) {
    std::array<double, 8> partial{};
    Index i = 0;
    for (; i + 8 <= size; i += 8) {
        for (Index lane = 0; lane < 8; ++lane) {
            partial[static_cast<std::size_t>(lane)] += term(i + lane);
        }
    }
    for (; i < size; ++i) {
        partial[0] += term(i);
    }
    return std::accumulate(partial.begin(), partial.end(), 0.0);
}

struct Image {
    RegionProduct product;
    const double* v;
    const Label* labels;
    const double* weights; // or null
    double* out;

    // The weight with which pixel i enters the sums, and with which the sums enter pixel i.
    double weight_in(Index i) const { return weights && product != RegionProduct::transposed ? weights[i] : 1.0; }
    double weight_out(Index i) const { return weights && product == RegionProduct::transposed ? weights[i] : 1.0; }
};

// Degree 0. Sums are taken relative to a pixel of the region: an offset, however large, drops out before it is rounded.
class Means {
public:
    explicit Means(const RegionGrid& grid)
        : grid_(grid), sums_(static_cast<std::size_t>(grid.count)), totals_(sums_.size()), origins_(sums_.size()) {}

    void operator()(const Image& image) {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        std::fill(totals_.begin(), totals_.end(), 0.0);
        std::fill(origins_.begin(), origins_.end(), 0.0);
        for (Index row = 0; row < grid_.height; ++row) {
            for_each_run(image.labels + row * grid_.width, [&](std::size_t label, Index first, Index last) {
                const Index start = row * grid_.width + first;
                if (image.weights) {
                    add_weighted(image, label, start, start + last - first);
                } else {
                    add(image, label, start, start + last - first);
                }
            });
        }
        for (std::size_t label = 0; label < sums_.size(); ++label) {
            sums_[label] = totals_[label] > 0 ? origins_[label] + sums_[label] / totals_[label] : 0.0;
        }
        for (Index i = 0; i < grid_.height * grid_.width; ++i) {
            image.out[i] = image.weight_out(i) * sums_[static_cast<std::size_t>(image.labels[i])];
        }
    }

private:
    const RegionGrid grid_;
    std::vector<double> sums_, totals_, origins_;

    template <class Visit>
    void for_each_run(const Label* labels, Visit visit) const {
        for (Index first = 0; first < grid_.width;) {
            Index last = first + 1;
            while (last < grid_.width && labels[last] == labels[first]) {
                ++last;
            }
            visit(static_cast<std::size_t>(labels[first]), first, last);
            first = last;
        }
    }

    void add(const Image& image, std::size_t label, Index start, Index stop) {
        if (totals_[label] == 0) {
            origins_[label] = image.v[start];
        }
        const double origin = origins_[label];
        double run = 0; // a partial sum for each run
        for (Index i = start; i < stop; ++i) {
            run += image.v[i] - origin;
        }
        sums_[label] += run;
        totals_[label] += static_cast<double>(stop - start);
    }

    void add_weighted(const Image& image, std::size_t label, Index start, Index stop) {
        const bool values = image.product == RegionProduct::values; // may be NaN where the weight is zero
        for (Index i = start; i < stop; ++i) {
            const double weight = image.weights[i];
            if (values && weight > 0) {
                if (totals_[label] == 0) {
                    origins_[label] = image.v[i];
                }
                sums_[label] += weight * (image.v[i] - origins_[label]);
            } else if (!values) {
                sums_[label] += image.weight_in(i) * image.v[i];
            }
            totals_[label] += weight;
        }
    }
};

// Any degree, region after region.
class Polynomials {
public:
    Polynomials(int degree, const RegionGrid& grid)
        : degree_(degree), grid_(grid), first_(static_cast<std::size_t>(grid.count + 1)),
          pixels_(static_cast<std::size_t>(grid.height * grid.width)) {}

    void operator()(const Image& image) {
        sort(image.labels);
        for (std::size_t label = 0; label + 1 < first_.size(); ++label) {
            if (first_[label] < first_[label + 1]) {
                project(image, pixels_.data() + first_[label], first_[label + 1] - first_[label]);
            }
        }
    }

private:
    const int degree_;
    const RegionGrid grid_;
    std::vector<Index> first_;   // of the pixels of each region, in `pixels_`
    std::vector<Label> pixels_;  // region after region
    std::vector<double> basis_;  // the polynomials at the pixels of a region, one after the other
    std::vector<double> weight_; // of these pixels

    void sort(const Label* labels) {
        std::fill(first_.begin(), first_.end(), Index{0});
        const Index size = grid_.height * grid_.width;
        for (Index i = 0; i < size; ++i) {
            ++first_[static_cast<std::size_t>(labels[i]) + 1];
        }
        std::partial_sum(first_.begin(), first_.end(), first_.begin());
        for (Index i = 0; i < size; ++i) {
            pixels_[static_cast<std::size_t>(first_[static_cast<std::size_t>(labels[i])]++)] = static_cast<Label>(i);
        }
        std::copy_backward(first_.begin(), first_.end() - 1, first_.end());
        first_.front() = 0;
    }

    void project(const Image& image, const Label* pixels, Index size) {
        weight_.resize(static_cast<std::size_t>(size));
        for (Index i = 0; i < size; ++i) {
            weight_[static_cast<std::size_t>(i)] = image.weights ? image.weights[pixels[i]] : 1.0;
        }
        const int terms = orthonormal(pixels, size);
        double origin = 0; // an offset drops out before the first rounding
        if (image.product == RegionProduct::values) {
            const auto seen = std::find_if(weight_.begin(), weight_.end(), [](double w) { return w > 0; });
            origin = image.v[pixels[seen - weight_.begin()]];
        }
        for (Index i = 0; i < size; ++i) {
            image.out[pixels[i]] = 0;
        }
        for (int term = 0; term < terms; ++term) {
            const double* q = basis_.data() + term * size;
            const double c = sum(size, [&](Index i) {
                const double weight = image.weight_in(pixels[i]);
                return weight > 0 || image.product != RegionProduct::values
                           ? weight * q[i] * (image.v[pixels[i]] - origin)
                           : 0.0;
            });
            for (Index i = 0; i < size; ++i) {
                image.out[pixels[i]] += c * q[i];
            }
        }
        for (Index i = 0; i < size; ++i) {
            image.out[pixels[i]] = origin + image.weight_out(pixels[i]) * image.out[pixels[i]];
        }
    }

    // Fills `basis_` with polynomials that are orthonormal under the weights, and returns their number.
    int orthonormal(const Label* pixels, Index size) {
        basis_.resize(static_cast<std::size_t>(max_terms * size));
        Label low[2] = {static_cast<Label>(grid_.height), static_cast<Label>(grid_.width)}, high[2] = {0, 0};
        const auto width = static_cast<Label>(grid_.width);
        for (Index i = 0; i < size; ++i) {
            const Label place[2] = {pixels[i] / width, pixels[i] % width};
            for (int axis = 0; axis < 2; ++axis) {
                low[axis] = std::min(low[axis], place[axis]);
                high[axis] = std::max(high[axis], place[axis]);
            }
        }
        const auto coordinate = [&](Label place, int axis) { // -1 to 1
            return static_cast<double>(2 * place - low[axis] - high[axis]) / (high[axis] - low[axis] + 1);
        };
        int terms = 0;
        for (int total = 0; total <= degree_; ++total) {
            for (int power = 0; power <= total; ++power) { // of the column; of the row, the rest
                double* q = basis_.data() + terms * size;
                for (Index i = 0; i < size; ++i) {
                    double value = 1;
                    for (int factor = 0; factor < total; ++factor) {
                        value *= factor < power ? coordinate(pixels[i] % width, 1) : coordinate(pixels[i] / width, 0);
                    }
                    q[i] = value;
                }
                terms += orthogonalise(terms, size);
            }
        }
        return terms;
    }

    double product(const double* a, const double* b, Index size) const {
        return sum(size, [&](Index i) { return weight_[static_cast<std::size_t>(i)] * a[i] * b[i]; });
    }

    // Takes the polynomials before it out of number `term`, twice, which is enough (Giraud et al., 2005), and scales what
    // is left to length one. False if nothing is left.
    bool orthogonalise(int term, Index size) {
        double* q = basis_.data() + term * size;
        const double before = product(q, q, size);
        for (int pass = 0; pass < 2; ++pass) {
            for (int other = 0; other < term; ++other) {
                const double* r = basis_.data() + other * size;
                const double c = product(q, r, size);
                for (Index i = 0; i < size; ++i) {
                    q[i] -= c * r[i];
                }
            }
        }
        const double after = product(q, q, size);
        if (!(after > independent * independent * before)) {
            return false;
        }
        const double scale = 1 / std::sqrt(after);
        for (Index i = 0; i < size; ++i) {
            q[i] *= scale;
        }
        return true;
    }
};

} // namespace

void project_regions(RegionProduct product, int degree, const RegionGrid& grid, Index repeats, Index batch,
                     const double* v, const std::int32_t* labels, const double* weights, unsigned threads, double* out) {
    const Index size = grid.height * grid.width;
    const auto project = [&](auto make_worker, double steps) {
        Monitor unwatched;
        for_each_row(repeats * batch, steps * static_cast<double>(repeats * batch), threads, unwatched, [&] {
            return [&, worker = make_worker()](Index i) mutable {
                const Index image = i % batch;
                worker(Image{product, v + i * size, labels + image * size, weights ? weights + image * size : nullptr,
                             out + i * size});
            };
        });
    };
    if (degree == 0) {
        project([&] { return Means(grid); }, static_cast<double>(4 * size));
    } else {
        const int terms = (degree + 1) * (degree + 2) / 2;
        project([&] { return Polynomials(degree, grid); }, static_cast<double>(4 * terms * terms * size));
    }
}

} // namespace kspline
