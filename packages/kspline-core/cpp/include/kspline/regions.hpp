// Piecewise polynomials in two dimensions: a partition of an image into regions, and the projection onto it.
//
// Cho et al., "Differentiable Spline Approximations" (NeurIPS 2021), section 2.1 on a grid: the pieces are regions. As in
// `kspline.hpp`, arguments are trusted.
#pragma once

#include <cstdint>
#include <span>

#include "kspline/kspline.hpp"

namespace kspline {

// What makes two neighbouring pixels belong together: the same number of `levels` at or below their values, and the same
// number in `groups`.
template <class T>
struct LevelPartition {
    Index height, width; // at most 2^31 - 1 pixels
    std::span<const T> levels;
    bool diagonal;      // neighbours at the corners count too: 8-connectivity
    Index min_size = 1; // regions with fewer pixels join their largest neighbour
};

// Labels each image (height, width) of a batch: the connected components of the partition. Labels count from 0, in the
// order of the first pixels. `groups` has the shape of the image, entries within 32 bits, or is null: all one.
template <class T>
void label_regions(const LevelPartition<T>& partition, Index batch, const T* image, const std::int64_t* groups,
                   unsigned threads, std::int32_t* labels);

// Region-wise least squares with polynomials of total degree `degree` in the pixel's row and column: the `values` of the
// fit to v, or a product with their Jacobian.
enum class RegionProduct { values, jacobian, transposed };

// For `repeats` stacks of shape (batch, height, width). Labels are from 0 to count - 1; `weights` has the shape of one
// stack, or is null: all ones. Each region that occurs has a positive weight in it. The result must not overlap v.
struct RegionGrid {
    Index height, width;
    Index count;
};
void project_regions(RegionProduct product, int degree, const RegionGrid& grid, Index repeats, Index batch,
                     const double* v, const std::int32_t* labels, const double* weights, unsigned threads, double* out);

} // namespace kspline
