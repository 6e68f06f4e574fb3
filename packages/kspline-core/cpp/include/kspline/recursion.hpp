// Recursive least squares: from the best polynomial of a segment to that of the segment with one more sample.
//
// Both steps add e^2 (1 - leverage) >= 0 to the cost, so nothing cancels and a cost never decreases. Samples are given
// relative to one sample of the segment itself: an offset, however large, drops out before the first rounding.
// V is double, or a vector of starts that move in step.
#pragma once

namespace kspline {

// Equally spaced samples of weight one. `theta` holds the Taylor coefficients of the polynomial at the newest sample.
// With N samples, the gain is the reproducing kernel g of degree < P on {0, -1, ..., 1 - N} at 0, as coefficients;
// keep = 1 - g(0). For N < P the closed form of g still interpolates the samples it has (g(0) = 1, g(-1) = 0, ...).
template <int P, class V>
inline void uniform_step(V (&theta)[P], V& cost, V sample, const V (&gain)[P], V keep) {
    for (int j = 0; j + 1 < P; ++j) { // p(u) -> p(u + 1)
        for (int i = P - 2; i >= j; --i) {
            theta[i] = theta[i] + theta[i + 1];
        }
    }
    const V error = sample - theta[0];
    cost = cost + error * error * keep;
    for (int j = 0; j < P; ++j) {
        theta[j] = theta[j] + gain[j] * error;
    }
}

// Any abscissae, any weights: Givens rotations without square roots (Gentleman, 1973) keep the factors of the normal
// equations, D (P numbers), unit upper triangular R (P (P - 1) / 2, by rows) and the rotated samples (P), one after
// the other in `state`. `u` is the distance from a fixed sample of the segment.
template <int P>
inline constexpr int weighted_state_size = P + P * (P - 1) / 2 + P;

template <int P, class V>
inline void weighted_step(V (&state)[weighted_state_size<P>], V& cost, V sample, V u, V weight) {
    V* diagonal = state;
    V* upper = state + P;
    V* rotated = upper + P * (P - 1) / 2;
    V row[P];
    row[0] = weight - weight + 1.0;
    for (int j = 1; j < P; ++j) {
        row[j] = row[j - 1] * u;
    }
    for (int i = 0; i < P; ++i) {
        const V x = row[i];
        const V grown = diagonal[i] + weight * x * x;
        const V safe = grown > 0.0 ? grown : weight - weight + 1.0; // 0 / 0 only where x and the diagonal are both zero
        const V cosine = grown > 0.0 ? diagonal[i] / safe : weight - weight + 1.0;
        const V sine = weight * x / safe;
        diagonal[i] = grown;
        weight = weight * cosine;
        for (int j = i + 1; j < P; ++j, ++upper) {
            const V r = *upper;
            *upper = cosine * r + sine * row[j];
            row[j] = row[j] - x * r;
        }
        const V z = rotated[i];
        rotated[i] = cosine * z + sine * sample;
        sample = sample - x * z;
    }
    cost = cost + weight * sample * sample;
}

} // namespace kspline
