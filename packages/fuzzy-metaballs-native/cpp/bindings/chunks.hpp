// Rays in pieces of a size that depends on the work alone, so that the answer does not depend on the threads.
#pragma once
#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>

#include "metaballs/kernel.hpp"
#include "xla/ffi/api/ffi.h"

namespace metaballs::python {

struct Chunks {
    Index rays, size, count;

    Chunks(Index rays_, Index components) : rays(rays_) {
        constexpr Index block = 256, pieces = 16, worth_a_thread = 1 << 17;  // pairs: 0.1 ms
        const Index least = worth_a_thread / std::max<Index>(components, 1);
        size = std::max({(rays + pieces - 1) / pieces, least, Index{1}});
        size = (size + block - 1) / block * block;
        count = std::max<Index>((rays + size - 1) / size, 1);
    }

    Index begin(Index k) const { return k * size; }
    Index end(Index k) const { return std::min((k + 1) * size, rays); }
};

// Calls `work(k)` for each chunk, on this thread and on as many of XLA's as are free. This thread takes chunks too
// and waits only for those that another has begun, so a pool without a free thread cannot hold it up.
template <class Work>
void for_each_chunk(const Chunks& chunks, xla::ffi::ThreadPool pool, Index threads, const Work& work) {
    struct State {
        std::atomic<Index> next = 0;
        Index done = 0;
        std::mutex mutex;
        std::condition_variable finished;
        std::exception_ptr error;
    };
    const auto state = std::make_shared<State>();
    const auto take = [state, count = chunks.count, &work] {
        for (Index k; (k = state->next.fetch_add(1)) < count;) {
            std::exception_ptr error;
            try {
                work(k);
            } catch (...) {
                error = std::current_exception();
            }
            const std::lock_guard lock(state->mutex);
            if (error) {
                state->error = error;
            }
            if (++state->done == count) {
                state->finished.notify_all();
            }
        }
    };
    const Index allowed = threads > 0 ? threads : pool.num_threads();
    for (Index k = 1; k < std::min(allowed, chunks.count); ++k) {
        pool.Schedule(std::function<void()>(take));
    }
    take();
    std::unique_lock lock(state->mutex);
    state->finished.wait(lock, [&] { return state->done == chunks.count; });
    if (state->error) {
        std::rethrow_exception(state->error);
    }
}

}  // namespace metaballs::python
