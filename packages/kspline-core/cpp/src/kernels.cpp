// Which instruction set to run: asked of the processor once.
#include <stdexcept>

#include "segments.hpp"
#include "sweep.hpp"

namespace kspline {

extern const Kernel baseline_kernel;
extern const SegmentKernels baseline_segment_kernels;
#ifdef KSPLINE_HAS_AVX2
extern const Kernel avx2_kernel;
extern const SegmentKernels avx2_segment_kernels;
#endif
#ifdef KSPLINE_HAS_AVX512
extern const Kernel avx512_kernel;
extern const SegmentKernels avx512_segment_kernels;
#endif

namespace {

std::vector<const Kernel*> detect() {
    std::vector<const Kernel*> found;
#ifdef KSPLINE_HAS_AVX512
    if (__builtin_cpu_supports("avx512f")) {
        found.push_back(&avx512_kernel);
    }
#endif
#ifdef KSPLINE_HAS_AVX2
    if (__builtin_cpu_supports("avx2")) {
        found.push_back(&avx2_kernel);
    }
#endif
    found.push_back(&baseline_kernel);
    return found;
}

const std::vector<const Kernel*>& kernels() {
    static const std::vector<const Kernel*> found = detect();
    return found;
}

} // namespace

const Kernel& find_kernel(std::string_view name) {
    for (const Kernel* kernel : kernels()) {
        if (name.empty() || name == kernel->name) {
            return *kernel;
        }
    }
    throw std::invalid_argument("this machine does not run the instruction set " + std::string(name));
}

const SegmentKernels& find_segment_kernels(std::string_view name) {
    const Kernel* kernel = &find_kernel(name);
#ifdef KSPLINE_HAS_AVX512
    if (kernel == &avx512_kernel) {
        return avx512_segment_kernels;
    }
#endif
#ifdef KSPLINE_HAS_AVX2
    if (kernel == &avx2_kernel) {
        return avx2_segment_kernels;
    }
#endif
    return baseline_segment_kernels;
}

std::vector<std::string> instruction_sets() {
    std::vector<std::string> names;
    for (const Kernel* kernel : kernels()) {
        names.emplace_back(kernel->name);
    }
    return names;
}

} // namespace kspline
