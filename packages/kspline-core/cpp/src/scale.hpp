// Powers of two: multiplying by them rounds nothing (but for subnormal results).
#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

#include "kspline/kspline.hpp"

namespace kspline {

// Exponent e with 2^e <= x < 2^(e + 1); 0 for x = 0.
inline int exponent(double x) { return x > 0 ? std::ilogb(x) : 0; }

// Numbers whose magnitudes sums and differences can bear: as they are if the greatest lies within 2^-900 to 2^900, else a
// copy, multiplied by 2^shift. Numbers that are not finite are handed on as they are.
class Bearable {
public:
    Bearable(const double* numbers, Index size) : data_(numbers) {
        double greatest = 0;
        for (Index i = 0; i < size; ++i) {
            const double magnitude = std::fabs(numbers[i]);
            greatest = magnitude > greatest && magnitude <= 1.7976931348623157e308 ? magnitude : greatest;
        }
        const int e = exponent(greatest);
        if (e > 900 || e < -900) {
            shift_ = e > 0 ? -200 : 200;
            copy_.resize(static_cast<std::size_t>(size));
            std::transform(numbers, numbers + size, copy_.begin(), [&](double v) { return std::scalbn(v, shift_); });
            data_ = copy_.data();
        }
    }

    const double* data() const { return data_; }
    int shift() const { return shift_; }
    // Takes results of the same unit back to the unit of the numbers.
    void restore(double* results, Index size) const {
        if (shift_ != 0) {
            std::transform(results, results + size, results, [&](double v) { return std::scalbn(v, -shift_); });
        }
    }

private:
    const double* data_;
    int shift_ = 0;
    std::vector<double> copy_;
};

} // namespace kspline
