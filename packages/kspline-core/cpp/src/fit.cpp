// Batches: one solver per thread, rows handed out one by one.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <mutex>
#include <thread>

#include "dense.hpp"
#include "projection.hpp"

namespace kspline {
namespace {

constexpr double steps_per_thread = 1e5; // repay the start of a thread (some 20 microseconds)

// Runs `make_worker()` on each thread and the worker it returns on the rows 0, ..., count - 1, each of `steps` steps. The
// first exception of any thread is thrown here, when all have ended.
template <class MakeWorker>
void for_each_row(Index count, double steps, unsigned threads, MakeWorker make_worker) {
    const double rows = static_cast<double>(count);
    const auto worthwhile = static_cast<Index>(std::min(rows, 1 + rows * steps / steps_per_thread));
    std::atomic<Index> next = 0;
    std::exception_ptr failure;
    std::mutex guard;
    const auto work = [&] {
        try {
            auto worker = make_worker();
            for (Index row = next++; row < count; row = next++) {
                worker(row);
            }
        } catch (...) {
            next = count;
            const std::lock_guard lock(guard);
            if (!failure) {
                failure = std::current_exception();
            }
        }
    };
    {
        std::vector<std::jthread> pool;
        for (Index i = 1; i < std::min<Index>(threads, worthwhile); ++i) {
            pool.emplace_back(work);
        }
        work();
    }
    if (failure) {
        std::rethrow_exception(failure);
    }
}

// Exponent e with 2^e <= x < 2^(e + 1), for x > 0.
int exponent(double x) { return std::ilogb(x); }

} // namespace

void Samples::assign(const double* signal, const double* signal_weights, Index length) {
    y.clear();
    x.clear();
    weights.clear();
    if (!signal_weights) {
        y.assign(signal, signal + length);
    } else {
        const double heaviest = *std::max_element(signal_weights, signal_weights + length);
        const int shift = -exponent(heaviest);
        for (Index i = 0; i < length; ++i) {
            if (signal_weights[i] > 0) {
                y.push_back(signal[i]);
                x.push_back(static_cast<double>(i));
                weights.push_back(std::scalbn(signal_weights[i], shift));
            }
        }
    }
    const auto [low, high] = std::minmax_element(y.begin(), y.end());
    const double half_range = *high / 2 - *low / 2; // halves: the range itself may overflow
    if (half_range > 0) {
        const int shift = -exponent(half_range);
        for (double& value : y) {
            value = std::scalbn(value, shift);
        }
    }
}

void fit(const Problem& problem, Index batch, const double* y, const double* weights, unsigned threads, const Fit& out) {
    const Index n = problem.length, pieces = problem.pieces;
    const double cells = static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(pieces) / 16;
    for_each_row(batch, cells, threads, [&] {
        return [&, solver = DenseSolver(problem), samples = Samples()](Index row) mutable {
            const double* signal = y + row * n;
            const double* signal_weights = weights ? weights + row * n : nullptr;
            Index* breakpoints = out.breakpoints + row * (pieces + 1);
            samples.assign(signal, signal_weights, n);
            solver.solve(samples, breakpoints);
            for (Index i = 0; i < pieces; ++i) {
                breakpoints[i] = samples.end_of(breakpoints[i]);
            }
            breakpoints[pieces] = n;
            fit_pieces(pieces, problem.degree, signal, signal_weights, breakpoints,
                       out.coefficients + row * pieces * (problem.degree + 1), out.values + row * n, out.cost + row);
        };
    });
}

void project(Product product, Index repeats, Index batch, Index length, Index pieces, int degree, const double* v,
             const Index* breakpoints, const double* weights, unsigned threads, double* out) {
    for_each_row(repeats * batch, static_cast<double>(length * (degree + 1)), threads, [&] {
        return [&](Index row) {
            const Index signal = row % batch;
            project_pieces(product, pieces, degree, v + row * length, breakpoints + signal * (pieces + 1),
                           weights ? weights + signal * length : nullptr, out + row * length);
        };
    });
}

} // namespace kspline
