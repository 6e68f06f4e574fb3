// The linear rule for all pairs of rays and components, and its gradient. Knows neither Python nor XLA.
#pragma once
#include <cstdint>

namespace metaballs {

using Index = std::int64_t;

// A row of `table` for each component: the six entries of L^T (00, 01, 02, 11, 12, 22), the three of L^T mean,
// log mass, log quality, then its features. Rays are planes: three of feet, three of directions, one of starts.
constexpr Index fixed_columns = 11;

template <class T>
struct Scene {
    Index components, features, rays;
    const T* table;
    const T* feet;
    const T* directions;
    const T* start;
    T depth, quality;  // the blend's constants
};

// What a ray sees: the mean depth and features, and the two sums as a number and the logarithm of its unit.
template <class T>
struct Sums {
    T *depth, *mass, *mass_unit, *weight, *weight_unit, *features;
};

// The same as it comes back for the gradient.
template <class T>
struct Kept {
    const T *depth, *log_mass, *log_weight, *features;
};

template <class T>
struct Cotangents {
    const T *depth, *log_mass, *features;
};

// Of the table and the blend's depth constant: added up in double precision. Of the rays: written.
template <class T>
struct Gradients {
    double *table, *depth;
    T *feet, *directions;
};

// One instruction set's functions; rays `begin` to `end` alone are looked at.
template <class T>
struct Kernel {
    void (*forward)(const Scene<T>&, const Sums<T>&, Index begin, Index end);
    void (*backward)(const Scene<T>&, const Kept<T>&, const Cotangents<T>&, const Gradients<T>&, Index begin, Index end);
    void (*exponential)(const T* x, T* y, Index count);
};

struct InstructionSet {
    const char* name;
    Kernel<float> single;
    Kernel<double> twofold;
};

// Those that this machine runs, the fastest first.
Index instruction_sets(const InstructionSet** found);

}  // namespace metaballs
