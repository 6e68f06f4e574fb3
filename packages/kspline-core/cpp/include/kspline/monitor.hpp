// Long runs: how far they are, and the wish to end them. One mechanism for every solver.
//
// The caller makes a Monitor, and hands it down. A solver tells it what work to expect and, through a Progress of its own,
// what it has done, at least every few milliseconds. `report` is called on the caller's thread alone, some ten times a
// second; if it throws, every thread ends at its next `add`, and the caller gets that exception.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>

namespace kspline {

// Thrown by `Monitor::add` on the other threads when one has failed. Never reaches the caller.
struct Stopped {};

class Monitor {
public:
    using Report = std::function<void(double)>; // gets the fraction done, never less than the time before

    static constexpr std::chrono::milliseconds interval{100};

    Monitor() = default; // nobody watches: nothing is called
    explicit Monitor(Report report) : report_(std::move(report)) {}
    Monitor(const Monitor&) = delete;
    Monitor& operator=(const Monitor&) = delete;

    // From any thread: so much more work (in steps of about a nanosecond) is ahead.
    void expect(double work) { expected_.fetch_add(work, std::memory_order_relaxed); }

    // From any thread: so much of it is done. Ends the thread by an exception if the run is to end.
    void add(double work) {
        done_.fetch_add(work, std::memory_order_relaxed);
        if (stopped_.load(std::memory_order_relaxed)) {
            throw Stopped{};
        }
        poll();
    }

    // Calls `report` if this is the caller's thread and it is time.
    void poll() {
        if (!report_ || std::this_thread::get_id() != caller_) {
            return;
        }
        const auto now = Clock::now();
        if (now - last_ < interval) {
            return;
        }
        last_ = now;
        const double expected = expected_.load(std::memory_order_relaxed);
        const double fraction = expected > 0 ? done_.load(std::memory_order_relaxed) / expected : 0.0;
        reported_ = fraction < reported_ ? reported_ : (fraction > 1.0 ? 1.0 : fraction);
        report_(reported_);
    }

    void stop() noexcept { stopped_.store(true, std::memory_order_relaxed); }
    bool stopped() const noexcept { return stopped_.load(std::memory_order_relaxed); }

private:
    using Clock = std::chrono::steady_clock;

    const Report report_;
    const std::thread::id caller_ = std::this_thread::get_id();
    std::atomic<double> expected_ = 0.0, done_ = 0.0;
    std::atomic<bool> stopped_ = false;
    Clock::time_point last_ = Clock::now(); // of the caller's thread
    double reported_ = 0.0;
};

// One solver's way to its Monitor: gathers small steps, so that telling costs nothing that can be measured.
class Progress {
public:
    explicit Progress(Monitor& monitor) : monitor_(&monitor) {}

    void add(double work) {
        gathered_ += work;
        if (gathered_ >= grain) {
            monitor_->add(std::exchange(gathered_, 0.0));
        }
    }

private:
    static constexpr double grain = 1e6; // about a millisecond

    Monitor* monitor_;
    double gathered_ = 0.0;
};

} // namespace kspline
