// Least squares on the pieces of a given partition.
#pragma once

#include "kspline/kspline.hpp"

namespace kspline {

// Fits one signal on the pieces between `breakpoints` and fills the other fields of one row of `Fit`. A cost or a
// coefficient beyond the range of double becomes infinite.
void fit_pieces(const Signal& signal, Index pieces, int degree, const Index* breakpoints, double* coefficients,
                double* values, double* cost);

// Applies the Jacobian of the fitted values, or its transpose, to one vector of the shape of the signal, whose samples
// are not used.
void project_pieces(Product product, const Signal& signal, Index pieces, int degree, const Index* breakpoints,
                    const double* v, double* out);

} // namespace kspline
