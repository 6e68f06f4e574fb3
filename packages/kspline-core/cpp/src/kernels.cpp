// Which instruction set to run: asked of the processor once.
#include <stdexcept>

#include "envelope.hpp"
#include "segments.hpp"
#include "sweep.hpp"

namespace kspline {

extern const Kernel baseline_kernel;
extern const SegmentKernels baseline_segment_kernels;
extern const PruningPass baseline_pruning;
#ifdef KSPLINE_HAS_AVX2
extern const Kernel avx2_kernel;
extern const SegmentKernels avx2_segment_kernels;
extern const PruningPass avx2_pruning;
#endif
#ifdef KSPLINE_HAS_AVX512
extern const Kernel avx512_kernel;
extern const SegmentKernels avx512_segment_kernels;
extern const PruningPass avx512_pruning;
#endif

namespace {

// All that is compiled once per instruction set.
struct InstructionSet {
    const Kernel* sweep;
    const SegmentKernels* segments;
    const PruningPass* pruning;
};

std::vector<InstructionSet> detect() {
    std::vector<InstructionSet> found;
#ifdef KSPLINE_HAS_AVX512
    if (__builtin_cpu_supports("avx512f")) {
        found.push_back({&avx512_kernel, &avx512_segment_kernels, &avx512_pruning});
    }
#endif
#ifdef KSPLINE_HAS_AVX2
    if (__builtin_cpu_supports("avx2")) {
        found.push_back({&avx2_kernel, &avx2_segment_kernels, &avx2_pruning});
    }
#endif
    found.push_back({&baseline_kernel, &baseline_segment_kernels, &baseline_pruning});
    return found;
}

const std::vector<InstructionSet>& all() {
    static const std::vector<InstructionSet> found = detect();
    return found;
}

const InstructionSet& find(std::string_view name) {
    for (const InstructionSet& set : all()) {
        if (name.empty() || name == set.sweep->name) {
            return set;
        }
    }
    throw std::invalid_argument("this machine does not run the instruction set " + std::string(name));
}

} // namespace

const Kernel& find_kernel(std::string_view name) { return *find(name).sweep; }

const SegmentKernels& find_segment_kernels(std::string_view name) { return *find(name).segments; }

PruningPass find_pruning(std::string_view name) { return *find(name).pruning; }

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const InstructionSet& set : all()) {
        names.emplace_back(set.sweep->name);
    }
    return names;
}

} // namespace kspline
