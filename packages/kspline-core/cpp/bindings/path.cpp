// Binding of `path.hpp`. Thin: `_path.py` and `_penalized.py` check every argument before they call.
#include "kspline/path.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "arrays.hpp"
#include "methods.hpp"
#include "reporter.hpp"

namespace kspline::python {
namespace {

Signal signal(const Input& y, const std::optional<Input>& weights, const std::optional<Input>& x) {
    return {static_cast<Index>(y.shape(0)), 1, y.data(), weights ? weights->data() : nullptr, x ? x->data() : nullptr,
            nullptr};
}

nb::tuple fit_path(Input y, std::optional<Input> weights, std::optional<Input> x, Index max_pieces, int degree,
                   Index min_size, const std::string& method, const nb::object& progress) {
    Output<Index> breakpoints({max_pieces * (max_pieces + 3) / 2});
    Output<double> cost({max_pieces});
    const Signal given = signal(y, weights, x);
    const Problem problem{given.length, max_pieces, degree, min_size, {}, 1, method_of(method)};
    {
        const nb::gil_scoped_release release;
        Monitor monitor(reporter(progress));
        kspline::fit_path(problem, given, monitor, breakpoints.data, cost.data);
    }
    return nb::make_tuple(breakpoints.array, cost.array);
}

nb::ndarray<nb::numpy, Index> fit_penalized(Input y, std::optional<Input> weights, std::optional<Input> x,
                                            double penalty, int degree, Index min_size, const std::string& method,
                                            const nb::object& progress) {
    const Signal given = signal(y, weights, x);
    const Problem problem{given.length, 1, degree, min_size, {}, 1, method_of(method)};
    std::vector<Index> found;
    {
        const nb::gil_scoped_release release;
        Monitor monitor(reporter(progress));
        found = kspline::fit_penalized(problem, penalty, given, monitor);
    }
    Output<Index> breakpoints({static_cast<Index>(found.size())});
    std::copy(found.begin(), found.end(), breakpoints.data);
    return breakpoints.array;
}

nb::tuple fit_given(Input y, std::optional<Input> weights, std::optional<Input> x, Array<const Index> breakpoints,
                    int degree) {
    const Signal given = signal(y, weights, x);
    const auto pieces = static_cast<Index>(breakpoints.shape(0)) - 1;
    Output<Index> own({pieces + 1});
    std::copy(breakpoints.data(), breakpoints.data() + pieces + 1, own.data);
    Output<double> coefficients({pieces, degree + 1}), values({given.length}), cost({1});
    {
        const nb::gil_scoped_release release;
        kspline::fit_given({given.length, pieces, degree}, given,
                           {own.data, coefficients.data, values.data, cost.data});
    }
    return nb::make_tuple(coefficients.array, values.array, cost.array);
}

} // namespace

void bind_path(nb::module_& m) {
    using namespace nb::literals;
    m.def("fit_path", &fit_path, "y"_a.noconvert(), "weights"_a.noconvert().none(), "x"_a.noconvert().none(),
          "max_pieces"_a, "degree"_a, "min_size"_a, "method"_a, "progress"_a = nb::none());
    m.def("fit_penalized", &fit_penalized, "y"_a.noconvert(), "weights"_a.noconvert().none(), "x"_a.noconvert().none(),
          "penalty"_a, "degree"_a, "min_size"_a, "method"_a, "progress"_a = nb::none());
    m.def("fit_given", &fit_given, "y"_a.noconvert(), "weights"_a.noconvert().none(), "x"_a.noconvert().none(),
          "breakpoints"_a, "degree"_a);
}

} // namespace kspline::python
