// Which instruction set to run: asked of the processor once.
#include <vector>

#include "metaballs/kernel.hpp"

namespace metaballs {
namespace baseline {
extern const InstructionSet functions;
}
#ifdef METABALLS_HAS_AVX2
namespace avx2 {
extern const InstructionSet functions;
}
#endif

Index instruction_sets(const InstructionSet** found) {
    static const std::vector<InstructionSet> all = [] {
        std::vector<InstructionSet> sets;
#ifdef METABALLS_HAS_AVX2
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            sets.push_back(avx2::functions);
        }
#endif
        sets.push_back(baseline::functions);
        return sets;
    }();
    *found = all.data();
    return static_cast<Index>(all.size());
}

}  // namespace metaballs
