// Least squares on the pieces of a given partition.
#pragma once

#include "kspline/kspline.hpp"

namespace kspline {

// Fits one signal on the pieces between `breakpoints` and fills the other fields of one row of `Fit`.
void fit_pieces(Index pieces, int degree, const double* y, const double* weights, const Index* breakpoints,
                double* coefficients, double* values, double* cost);

// Applies the Jacobian of the fitted values, or its transpose, to one vector.
void project_pieces(Product product, Index pieces, int degree, const double* v, const Index* breakpoints,
                    const double* weights, double* out);

} // namespace kspline
