// Python binding of the core. Thin: `_fit.py` and `_project.py` check every argument before they call.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "reporter.hpp"

namespace kspline::python {
namespace {

nb::tuple fit(Input y, std::optional<Input> weights, Index pieces, int degree, Index min_size, unsigned threads,
              const std::string& instruction_set, const nb::object& progress) {
    const auto batch = static_cast<Index>(y.shape(0)), n = static_cast<Index>(y.shape(1));
    Output<Index> breakpoints({batch, pieces + 1});
    Output<double> coefficients({batch, pieces, degree + 1}), values({batch, n}), cost({batch});
    {
        const nb::gil_scoped_release release;
        Monitor monitor(reporter(progress));
        kspline::fit({n, pieces, degree, min_size, instruction_set}, batch, y.data(),
                     weights ? weights->data() : nullptr, threads, monitor,
                     {breakpoints.data, coefficients.data, values.data, cost.data});
    }
    return nb::make_tuple(breakpoints.array, coefficients.array, values.array, cost.array);
}

nb::ndarray<nb::numpy, double> project(Input v, Array<const Index> breakpoints, std::optional<Input> weights,
                                       int degree, bool transposed, unsigned threads) {
    const auto repeats = static_cast<Index>(v.shape(0)), batch = static_cast<Index>(v.shape(1)),
               n = static_cast<Index>(v.shape(2)), pieces = static_cast<Index>(breakpoints.shape(1)) - 1;
    Output<double> out({repeats, batch, n});
    {
        const nb::gil_scoped_release release;
        kspline::project(transposed ? kspline::Product::transposed : kspline::Product::jacobian, repeats, batch, n,
                         pieces, degree, v.data(), breakpoints.data(), weights ? weights->data() : nullptr, threads,
                         out.data);
    }
    return out.array;
}

} // namespace

void bind_regions(nb::module_& m);

} // namespace kspline::python

NB_MODULE(_core, m) {
    namespace nb = nanobind;
    using namespace kspline::python;
    using namespace nb::literals;
    m.doc() = "The C++ core of kspline_core. Arguments are trusted; call it through `fit` and `KSpline`.";
    m.def("fit", &fit, "y"_a.noconvert(), "weights"_a.noconvert().none(), "pieces"_a, "degree"_a, "min_size"_a,
          "threads"_a, "instruction_set"_a = "", "progress"_a = nb::none());
    m.def("project", &project, "v"_a.noconvert(), "breakpoints"_a.noconvert(), "weights"_a.noconvert().none(),
          "degree"_a, "transposed"_a, "threads"_a);
    m.def("instruction_sets", &kspline::instruction_sets);
    bind_regions(m);
}
