// Names of methods.
#pragma once

#include <stdexcept>
#include <string>

#include "kspline/kspline.hpp"

namespace kspline::python {

inline Method method_of(const std::string& name) {
    if (name == "dense") {
        return Method::dense;
    }
    if (name == "functional") {
        return Method::functional;
    }
    if (name == "lagrangian") {
        return Method::lagrangian;
    }
    if (name == "greedy") {
        return Method::greedy;
    }
    throw std::invalid_argument("there is no method " + name);
}

} // namespace kspline::python
