// Vectors of the instruction set this file is compiled for, by the compiler's vector extension.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__SSE2__)
#include <immintrin.h>
#endif

// One copy per instruction set: nothing here may be shared with code compiled for another.
namespace metaballs::METABALLS_SET {

template <class T>
struct Lanes;

template <>
struct Lanes<float> {
    typedef float V __attribute__((vector_size(METABALLS_BYTES)));
    typedef std::int32_t I __attribute__((vector_size(METABALLS_BYTES)));
    static constexpr int count = METABALLS_BYTES / sizeof(float);
    static constexpr float lowest = -3.0e38F;
    static constexpr float negligible = -25;  // e^-25 = 1.4e-11 of a sum is lost in its rounding, 6e-8
};

template <>
struct Lanes<double> {
    typedef double V __attribute__((vector_size(METABALLS_BYTES)));
    typedef std::int64_t I __attribute__((vector_size(METABALLS_BYTES)));
    static constexpr int count = METABALLS_BYTES / sizeof(double);
    static constexpr double lowest = -1.7e308;
    static constexpr double negligible = -46;  // 1.1e-20 of 1.1e-16
};

template <class I>
inline bool any(I mask) {
#if METABALLS_BYTES == 32 && defined(__AVX2__)
    return _mm256_movemask_epi8((__m256i)mask) != 0;
#elif METABALLS_BYTES == 16 && defined(__SSE2__)
    return _mm_movemask_epi8((__m128i)mask) != 0;
#else
    std::int64_t parts[METABALLS_BYTES / 8], together = 0;
    std::memcpy(parts, &mask, METABALLS_BYTES);
    for (std::int64_t part : parts) {
        together |= part;
    }
    return together != 0;
#endif
}

template <class V>
inline V larger(V x, V y) {
    return x > y ? x : y;
}

template <class T, class V>
inline double sum(V x) {
    double total = 0;
    for (int lane = 0; lane < Lanes<T>::count; ++lane) {
        total += x[lane];
    }
    return total;
}

// e^x with a relative error below 2 units of the last place; 0 below the smallest normal number, and for NaN
// (a ray that sees a NaN is marked apart). x = n log 2 + r with n whole and |r| <= log(2) / 2, where n comes out
// of the last bits of a sum with a large number; log 2 in two parts, the first with zeros at its end.
inline Lanes<float>::V exponential(Lanes<float>::V x) {
    using V = Lanes<float>::V;
    using I = Lanes<float>::I;
    const V shifted = x * 1.44269504088896341F + 12582912.0F;
    const V n = shifted - 12582912.0F;
    const V r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
    V p = r * 1.9875691500e-4F + 1.3981999507e-3F;  // the minimax polynomial of Cephes' expf
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    const V power = (p * r) * r + r + 1.0F;
    const V scaled = (V)((I)power + ((I)shifted << 23));
    return x > -87.3F ? scaled : V{};
}

inline Lanes<double>::V exponential(Lanes<double>::V x) {
    using V = Lanes<double>::V;
    using I = Lanes<double>::I;
    const V shifted = x * 1.44269504088896341 + 6755399441055744.0;
    const V n = shifted - 6755399441055744.0;
    const V r = (x - n * 6.93145751953125e-1) - n * 1.42860682030941723212e-6;
    // Taylor's series: the first term left out is 0.347^14 / 14! = 4e-18.
    constexpr double inverse_factorials[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                                             1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                                             1.0 / 120,        1.0 / 24,        1.0 / 6,        1.0 / 2};
    V p = V{};
    for (double coefficient : inverse_factorials) {
        p = p * r + coefficient;
    }
    const V power = (p * r) * r + r + 1.0;
    const V scaled = (V)((I)power + ((I)shifted << 52));
    return x > -708.0 ? scaled : V{};
}

}  // namespace metaballs::METABALLS_SET
