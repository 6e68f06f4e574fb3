// The kernel as calls that XLA makes, and the Python module that hands them to JAX. `_trace.py` prepares the buffers.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>
#include <vector>

#include "chunks.hpp"

namespace nb = nanobind;
namespace ffi = xla::ffi;

namespace metaballs::python {
namespace {

template <class T>
constexpr ffi::DataType type = sizeof(T) == 4 ? ffi::F32 : ffi::F64;
template <class T>
using Argument = ffi::Buffer<type<T>>;
template <class T>
using Result = ffi::Result<ffi::Buffer<type<T>>>;

const InstructionSet& set_number(Index number) {
    const InstructionSet* sets = nullptr;
    const Index count = instruction_sets(&sets);
    if (number < 0 || number >= count) {
        throw std::invalid_argument("fuzzy_metaballs_native: this machine has no instruction set " +
                                    std::to_string(number));
    }
    return sets[number];
}

template <class T>
const Kernel<T>& kernel(Index number) {
    if constexpr (sizeof(T) == 4) {
        return set_number(number).single;
    } else {
        return set_number(number).twofold;
    }
}

template <class T>
Scene<T> scene(const Argument<T>& table, const Argument<T>& feet, const Argument<T>& directions,
               const Argument<T>& start, const Argument<T>& depth, double quality) {
    return {table.dimensions()[0],    table.dimensions()[1] - fixed_columns,
            start.dimensions()[0],    table.typed_data(),
            feet.typed_data(),        directions.typed_data(),
            start.typed_data(),       depth.typed_data()[0],
            static_cast<T>(quality)};
}

// XLA cannot be thrown at.
template <class Work>
ffi::Error guarded(const Work& work) {
    try {
        work();
        return ffi::Error::Success();
    } catch (const std::exception& error) {
        return ffi::Error::Internal(error.what());
    }
}

template <class T>
ffi::Error forward(ffi::ThreadPool pool, Argument<T> table, Argument<T> feet, Argument<T> directions,
                   Argument<T> start, Argument<T> depth, Result<T> depths, Result<T> mass, Result<T> mass_unit,
                   Result<T> weight, Result<T> weight_unit, Result<T> features, double quality, Index number,
                   Index threads) {
    return guarded([&] {
        const auto given = scene<T>(table, feet, directions, start, depth, quality);
        const Sums<T> sums{depths->typed_data(), mass->typed_data(),        mass_unit->typed_data(),
                           weight->typed_data(), weight_unit->typed_data(), features->typed_data()};
        const Kernel<T>& functions = kernel<T>(number);
        const Chunks chunks(given.rays, given.components);
        for_each_chunk(chunks, pool, threads,
                       [&](Index k) { functions.forward(given, sums, chunks.begin(k), chunks.end(k)); });
    });
}

template <class T>
ffi::Error backward(ffi::ThreadPool pool, Argument<T> table, Argument<T> feet, Argument<T> directions,
                    Argument<T> start, Argument<T> depth, Argument<T> depths, Argument<T> log_mass,
                    Argument<T> log_weight, Argument<T> features, Argument<T> of_depths, Argument<T> of_log_mass,
                    Argument<T> of_features, Result<T> of_table, Result<T> of_feet, Result<T> of_directions,
                    Result<T> of_depth, double quality, Index number, Index threads) {
    return guarded([&] {
        const auto given = scene<T>(table, feet, directions, start, depth, quality);
        const Kept<T> kept{depths.typed_data(), log_mass.typed_data(), log_weight.typed_data(), features.typed_data()};
        const Cotangents<T> cotangents{of_depths.typed_data(), of_log_mass.typed_data(), of_features.typed_data()};
        const Kernel<T>& functions = kernel<T>(number);
        const Chunks chunks(given.rays, given.components);
        const Index size = given.components * (fixed_columns + given.features) + 1;
        std::vector<double> sums(static_cast<std::size_t>(size * chunks.count));  // the last of each is of_depth
        for_each_chunk(chunks, pool, threads, [&](Index k) {
            double* mine = sums.data() + k * size;
            const Gradients<T> gradients{mine, mine + size - 1, of_feet->typed_data(), of_directions->typed_data()};
            functions.backward(given, kept, cotangents, gradients, chunks.begin(k), chunks.end(k));
        });
        for (Index column = 0; column < size; ++column) {
            double total = 0;
            for (Index k = 0; k < chunks.count; ++k) {
                total += sums[static_cast<std::size_t>(k * size + column)];
            }
            T* place = column + 1 < size ? of_table->typed_data() + column : of_depth->typed_data();
            *place = static_cast<T>(total);
        }
    });
}

template <class T>
constexpr auto scene_binding() {
    using A = Argument<T>;
    return ffi::Ffi::Bind()
        .template Ctx<ffi::ThreadPool>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>();
}

template <class T>
auto forward_binding() {
    using R = ffi::Buffer<type<T>>;
    return scene_binding<T>()
        .template Ret<R>()
        .template Ret<R>()
        .template Ret<R>()
        .template Ret<R>()
        .template Ret<R>()
        .template Ret<R>()
        .template Attr<double>("quality")
        .template Attr<Index>("instruction_set")
        .template Attr<Index>("threads");
}

template <class T>
auto backward_binding() {
    using A = Argument<T>;
    return scene_binding<T>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Arg<A>()
        .template Ret<A>()
        .template Ret<A>()
        .template Ret<A>()
        .template Ret<A>()
        .template Attr<double>("quality")
        .template Attr<Index>("instruction_set")
        .template Attr<Index>("threads");
}

XLA_FFI_DEFINE_HANDLER(forward_single, forward<float>, forward_binding<float>());
XLA_FFI_DEFINE_HANDLER(forward_double, forward<double>, forward_binding<double>());
XLA_FFI_DEFINE_HANDLER(backward_single, backward<float>, backward_binding<float>());
XLA_FFI_DEFINE_HANDLER(backward_double, backward<double>, backward_binding<double>());

nb::dict targets() {
    nb::dict all;
    const auto add = [&all](const char* name, auto* handler) {
        all[name] = nb::capsule(reinterpret_cast<void*>(handler));
    };
    add("fuzzy_metaballs_forward_float32", forward_single);
    add("fuzzy_metaballs_forward_float64", forward_double);
    add("fuzzy_metaballs_backward_float32", backward_single);
    add("fuzzy_metaballs_backward_float64", backward_double);
    return all;
}

std::vector<std::string> names() {
    const InstructionSet* sets = nullptr;
    const Index count = instruction_sets(&sets);
    std::vector<std::string> all;
    for (Index k = 0; k < count; ++k) {
        all.emplace_back(sets[k].name);
    }
    return all;
}

template <class T>
void exponential(nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu> x,
                 nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu> y, Index number) {
    if (x.size() != y.size()) {
        throw std::invalid_argument("x and y must have the same length");
    }
    kernel<T>(number).exponential(x.data(), y.data(), static_cast<Index>(x.size()));
}

}  // namespace
}  // namespace metaballs::python

NB_MODULE(_core, m) {
    namespace python = metaballs::python;
    m.def("targets", &python::targets);
    m.def("instruction_sets", &python::names);
    m.def("exponential", &python::exponential<float>, nb::arg("x"), nb::arg("y"), nb::arg("instruction_set"));
    m.def("exponential", &python::exponential<double>, nb::arg("x"), nb::arg("y"), nb::arg("instruction_set"));
}
