// One signal, many numbers of pieces: all of them at once, or the one that a penalty asks for.
#pragma once

#include "kspline/kspline.hpp"

namespace kspline {

// All three take signals of one channel, without marks; of the methods, `dense` and `functional`.

// The best partition into k pieces for each k from 1 to problem.pieces: k + 1 breakpoints and their cost, one k after
// the other.
void fit_path(const Problem& problem, const Signal& signal, Monitor& monitor, Index* breakpoints, double* cost);

// Breakpoints of least cost + penalty * (pieces - 1); problem.pieces is not read. `penalty` is positive.
std::vector<Index> fit_penalized(const Problem& problem, double penalty, const Signal& signal, Monitor& monitor);

// Least squares on given pieces: fills the rows of `out` other than `breakpoints`, which are read.
void fit_given(const Problem& problem, const Signal& signal, const Fit& out);

} // namespace kspline
