// Binding of `regions.hpp`. Thin: `_regions.py` checks every argument before it calls.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "arrays.hpp"
#include "kspline/regions.hpp"

namespace kspline::python {
namespace {

template <class T>
nb::ndarray<nb::numpy, std::int32_t> label_regions(Array<const T> image, const std::vector<double>& levels,
                                                   std::optional<Array<const std::int64_t>> groups, bool diagonal,
                                                   Index min_size, unsigned threads) {
    const auto batch = static_cast<Index>(image.shape(0)), height = static_cast<Index>(image.shape(1)),
               width = static_cast<Index>(image.shape(2));
    std::vector<T> rounded;
    for (const double level : levels) {
        rounded.push_back(static_cast<T>(level));
    }
    Output<std::int32_t> labels({batch, height, width});
    {
        const nb::gil_scoped_release release;
        kspline::label_regions<T>({height, width, rounded, diagonal, min_size}, batch, image.data(),
                                  groups ? groups->data() : nullptr, threads, labels.data);
    }
    return labels.array;
}

nb::ndarray<nb::numpy, double> project_regions(const std::string& product, Input v, Array<const std::int32_t> labels,
                                               std::optional<Input> weights, Index count, int degree,
                                               unsigned threads) {
    const auto repeats = static_cast<Index>(v.shape(0)), batch = static_cast<Index>(v.shape(1)),
               height = static_cast<Index>(v.shape(2)), width = static_cast<Index>(v.shape(3));
    Output<double> out({repeats, batch, height, width});
    {
        const nb::gil_scoped_release release;
        const auto kind = product == "values"     ? kspline::RegionProduct::values
                          : product == "jacobian" ? kspline::RegionProduct::jacobian
                                                  : kspline::RegionProduct::transposed;
        kspline::project_regions(kind, degree, {height, width, count}, repeats, batch, v.data(), labels.data(),
                                 weights ? weights->data() : nullptr, threads, out.data);
    }
    return out.array;
}

} // namespace

void bind_regions(nb::module_& m) {
    using namespace nb::literals;
    m.def("label_regions", &label_regions<float>, "image"_a.noconvert(), "levels"_a, "groups"_a.noconvert().none(),
          "diagonal"_a, "min_size"_a, "threads"_a);
    m.def("label_regions", &label_regions<double>, "image"_a.noconvert(), "levels"_a, "groups"_a.noconvert().none(),
          "diagonal"_a, "min_size"_a, "threads"_a);
    m.def("project_regions", &project_regions, "product"_a, "v"_a.noconvert(), "labels"_a.noconvert(),
          "weights"_a.noconvert().none(), "count"_a, "degree"_a, "threads"_a);
}

} // namespace kspline::python
