// Rows of a batch, shared out among threads.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "kspline/kspline.hpp"
#include "kspline/monitor.hpp"

namespace kspline {

inline constexpr double steps_per_thread = 1e5; // repay the start of a thread (some 20 microseconds)

// Runs `make_worker()` on each thread and the worker it returns on the rows 0, ..., count - 1, all of them together
// `steps` steps. The calling thread works too, and then waits, polling the monitor, for the others. The first exception
// of any thread stops all of them and is thrown here when they have ended.
template <class MakeWorker>
void for_each_row(Index count, double steps, unsigned threads, Monitor& monitor, MakeWorker make_worker) {
    const double rows = static_cast<double>(count);
    const auto worthwhile = static_cast<Index>(std::min(rows, 1 + steps / steps_per_thread));
    const Index others = std::max<Index>(std::min<Index>(threads, worthwhile) - 1, 0);
    std::atomic<Index> next = 0;
    std::exception_ptr failure;
    std::mutex guard;
    std::condition_variable ended;
    Index running = others;
    const auto guarded = [&](auto work) {
        try {
            work();
        } catch (const Stopped&) {
            next = count; // another thread holds the reason
        } catch (...) {
            next = count;
            monitor.stop();
            const std::lock_guard lock(guard);
            if (!failure) {
                failure = std::current_exception();
            }
        }
    };
    const auto work = [&] {
        guarded([&] {
            auto worker = make_worker();
            for (Index row = next++; row < count; row = next++) {
                worker(row);
            }
        });
    };
    {
        std::vector<std::jthread> pool;
        for (Index i = 0; i < others; ++i) {
            pool.emplace_back([&] {
                work();
                const std::lock_guard lock(guard);
                --running;
                ended.notify_one();
            });
        }
        work();
        guarded([&] {
            std::unique_lock lock(guard);
            while (running > 0 && !monitor.stopped()) {
                ended.wait_for(lock, Monitor::interval);
                lock.unlock();
                monitor.poll();
                lock.lock();
            }
        });
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

} // namespace kspline
