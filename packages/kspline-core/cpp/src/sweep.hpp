// One tile of the dense dynamic programme: what `dense.cpp` hands to the kernel of an instruction set.
#pragma once

#include "kspline/kspline.hpp"
#include "kspline/recursion.hpp"

namespace kspline {

inline constexpr Index tile_size = 4;    // segment ends handled at once: one load of a level serves four ends
inline constexpr Index block_size = 256; // segment starts per block: four rows of costs stay in the L1 cache
inline constexpr Index max_lanes = 8;    // doubles in the widest vector; arrays are padded by this many
inline constexpr int max_state = weighted_state_size<max_degree + 1>;

// A segment is (start, end]: it covers the samples start, ..., end - 1. Arrays are indexed by start; each is aligned to
// a cache line and padded by tile_size + max_lanes. Channel c of an array lies c * stride further on.
struct Sweep {
    Index n;
    Index channels;
    Index stride;
    // samples
    const double* y;
    const double* x;       // abscissae, one for all channels; null: equally spaced, weight one
    const double* weights; // null with x
    // gains of `uniform_step` for N = n, n - 1, ..., 1, 0 samples: entry [start + n - end]; padded on both sides
    const double* gain[max_degree + 1];
    const double* keep;
    // number j of the state of the recursion of every open segment: state[(channel * states + j) * stride + start]
    double* state;
    double* cost; // of every open segment, all channels together
    // best[level * stride + t]: least cost of the first t samples in level + 1 pieces
    const double* best;
    Index levels; // of `best`, each of them extended by one piece
    Index min_size;
    Index lowest[tile_size]; // segments that end at t0 + 1 + i must not start below lowest[i], which never decreases
    // scratch of tile_size * block_size, and of levels * tile_size * max_lanes, doubles
    double* costs;
    double* lanes;
    // out: minima[level * tile_size + i] over the starts < t0 of best[level] + cost of the segment up to t0 + 1 + i
    double* minima;
};

// Extends all segments that start before t0 to the ends t0 + 1, ..., t0 + tile_size and takes the minima over them.
using SweepTile = void (*)(const Sweep&, Index t0);

struct Kernel {
    const char* name;
    SweepTile uniform[max_degree + 1];
    SweepTile weighted[max_degree + 1];
};

// The kernel of the named instruction set, or the widest that this machine runs if the name is empty.
const Kernel& find_kernel(std::string_view name);

} // namespace kspline
