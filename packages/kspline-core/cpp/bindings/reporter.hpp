// What a long run asks of Python from time to time.
#pragma once

#include <nanobind/nanobind.h>

#include "kspline/monitor.hpp"

namespace kspline::python {

namespace nb = nanobind;

// Looks for signals (Ctrl-C) and calls `progress`; what they raise ends the run. To be called without the GIL.
inline Monitor::Report reporter(const nb::object& progress) {
    return [&progress](double fraction) {
        const nb::gil_scoped_acquire acquired;
        if (PyErr_CheckSignals() != 0) {
            throw nb::python_error();
        }
        if (!progress.is_none()) {
            progress(fraction);
        }
    };
}

} // namespace kspline::python
