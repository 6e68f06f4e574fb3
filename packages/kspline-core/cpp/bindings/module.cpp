// Python binding of the core. Thin: `_fit.py` and `_project.py` check every argument before they call.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "methods.hpp"
#include "reporter.hpp"

namespace kspline::python {
namespace {

using Marks = Array<const std::uint8_t>;

// Abscissae and marks come as one row for all signals or as one row per signal.
template <class T>
Index row_stride(const Array<T>& rows) {
    return rows.shape(0) > 1 ? static_cast<Index>(rows.shape(1)) : 0;
}

Signals signals(const double* y, Index count, const std::optional<Input>& weights, const std::optional<Input>& x,
                const std::optional<Marks>& marks) {
    return {count,
            y,
            weights ? weights->data() : nullptr,
            x ? x->data() : nullptr,
            x ? row_stride(*x) : 0,
            marks ? reinterpret_cast<const Mark*>(marks->data()) : nullptr,
            marks ? row_stride(*marks) : 0};
}

nb::tuple fit(Input y, std::optional<Input> weights, Index pieces, int degree, Index min_size, unsigned threads,
              const std::string& instruction_set, const nb::object& progress, std::optional<Input> x,
              std::optional<Marks> marks, const std::string& method) {
    const auto count = static_cast<Index>(y.shape(0)), channels = static_cast<Index>(y.shape(1)),
               n = static_cast<Index>(y.shape(2));
    Output<Index> breakpoints({count, pieces + 1});
    Output<double> coefficients({count, channels, pieces, degree + 1}), values({count, channels, n}), cost({count}),
        lower({count});
    {
        const nb::gil_scoped_release release;
        Monitor monitor(reporter(progress));
        kspline::fit({n, pieces, degree, min_size, instruction_set, channels, method_of(method)},
                     signals(y.data(), count, weights, x, marks), threads, monitor,
                     {breakpoints.data, coefficients.data, values.data, cost.data, lower.data});
    }
    return nb::make_tuple(breakpoints.array, coefficients.array, values.array, cost.array, lower.array);
}

// Rows of (least, most, left, right), as in `Room`.
nb::ndarray<nb::numpy, Index> room(Index count, Index channels, Index length, std::optional<Input> weights, Marks marks,
                                   Index min_size) {
    Output<Index> rows({count, 4});
    const Signals batch = signals(nullptr, count, weights, std::nullopt, marks);
    for (Index i = 0; i < count; ++i) {
        const Room found = kspline::room(batch.row(i, channels, length), min_size);
        Index* row = rows.data + 4 * i;
        row[0] = found.least;
        row[1] = found.most;
        row[2] = found.left;
        row[3] = found.right;
    }
    return rows.array;
}

nb::ndarray<nb::numpy, double> project(Input v, Array<const Index> breakpoints, std::optional<Input> weights,
                                       int degree, bool transposed, unsigned threads, std::optional<Input> x) {
    const auto repeats = static_cast<Index>(v.shape(0)), count = static_cast<Index>(v.shape(1)),
               channels = static_cast<Index>(v.shape(2)), n = static_cast<Index>(v.shape(3)),
               pieces = static_cast<Index>(breakpoints.shape(1)) - 1;
    Output<double> out({repeats, count, channels, n});
    {
        const nb::gil_scoped_release release;
        kspline::project(transposed ? Product::transposed : Product::jacobian,
                         {count, channels, n, pieces, degree, breakpoints.data(),
                          weights ? weights->data() : nullptr, x ? x->data() : nullptr, x ? row_stride(*x) : 0},
                         repeats, v.data(), threads, out.data);
    }
    return out.array;
}

} // namespace

void bind_path(nb::module_& m);
void bind_regions(nb::module_& m);

} // namespace kspline::python

NB_MODULE(_core, m) {
    namespace nb = nanobind;
    using namespace kspline::python;
    using namespace nb::literals;
    m.doc() = "The C++ core of kspline_core. Arguments are trusted; call it through `fit` and `KSpline`.";
    m.def("fit", &fit, "y"_a.noconvert(), "weights"_a.noconvert().none(), "pieces"_a, "degree"_a, "min_size"_a,
          "threads"_a, "instruction_set"_a = "", "progress"_a = nb::none(), "x"_a.noconvert().none() = nb::none(),
          "marks"_a.noconvert().none() = nb::none(), "method"_a = "dense");
    m.def("room", &room, "count"_a, "channels"_a, "length"_a, "weights"_a.noconvert().none(), "marks"_a.noconvert(),
          "min_size"_a);
    m.def("project", &project, "v"_a.noconvert(), "breakpoints"_a.noconvert(), "weights"_a.noconvert().none(),
          "degree"_a, "transposed"_a, "threads"_a, "x"_a.noconvert().none() = nb::none());
    m.def("instruction_sets", &kspline::instruction_sets);
    bind_path(m);
    bind_regions(m);
}
