// NumPy arrays in and out, for the bindings.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <vector>

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include "kspline/kspline.hpp"

namespace kspline::python {

namespace nb = nanobind;

template <class T>
using Array = nb::ndarray<T, nb::c_contig, nb::device::cpu>;
using Input = Array<const double>;

template <class T>
struct Output {
    T* data;
    nb::ndarray<nb::numpy, T> array;

    explicit Output(std::initializer_list<Index> extents) : data(nullptr) {
        std::vector<std::size_t> shape;
        std::size_t size = 1;
        for (const Index extent : extents) {
            shape.push_back(static_cast<std::size_t>(extent));
            size *= shape.back();
        }
        data = new T[std::max<std::size_t>(size, 1)];
        nb::capsule owner(data, [](void* p) noexcept { delete[] static_cast<T*>(p); });
        array = nb::ndarray<nb::numpy, T>(data, shape.size(), shape.data(), owner);
    }
};

} // namespace kspline::python
