// The core against brute force, without Python: built with -DKSPLINE_TESTS=ON, and meant for the sanitizers
// (-DKSPLINE_SANITIZE=ON) as much as for the answers. Prints the number of checks; returns 1 if any fails.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "kspline/kspline.hpp"
#include "kspline/path.hpp"

namespace {

using kspline::Index;
using kspline::Mark;

long checks = 0, failures = 0;

void check(bool holds, const char* what, int line) {
    ++checks;
    if (!holds) {
        ++failures;
        std::fprintf(stderr, "line %d: %s\n", line, what);
    }
}
#define CHECK(condition) check((condition), #condition, __LINE__)

struct Case {
    Index n, channels, pieces, min_size;
    int degree;
    std::vector<double> y, weights, x;
    std::vector<Mark> marks;

    kspline::Signal signal() const {
        return {n, channels, y.data(), weights.empty() ? nullptr : weights.data(), x.empty() ? nullptr : x.data(),
                marks.empty() ? nullptr : marks.data()};
    }
    kspline::Signals batch() const {
        const kspline::Signal s = signal();
        return {1, s.y, s.weights, s.x, 0, s.marks, 0};
    }
    double weight(Index c, Index j) const { return weights.empty() ? 1.0 : weights[static_cast<std::size_t>(c * n + j)]; }
    double place(Index j) const { return x.empty() ? static_cast<double>(j) : x[static_cast<std::size_t>(j)]; }
    Mark mark(Index j) const { return marks.empty() ? Mark::free : marks[static_cast<std::size_t>(j)]; }
};

// Gram-Schmidt, twice over, in extended precision.
long double residual(const Case& c, Index channel, Index start, Index stop) {
    std::vector<long double> z, root;
    std::vector<std::vector<long double>> basis;
    std::vector<double> at;
    for (Index j = start; j < stop; ++j) {
        if (c.weight(channel, j) > 0) {
            root.push_back(std::sqrt(static_cast<long double>(c.weight(channel, j))));
            z.push_back(root.back() * c.y[static_cast<std::size_t>(channel * c.n + j)]);
            at.push_back(c.place(j));
        }
    }
    if (z.size() <= static_cast<std::size_t>(c.degree + 1)) {
        return 0;
    }
    const auto remove = [](std::vector<long double>& v, const std::vector<long double>& q) {
        long double dot = 0;
        for (std::size_t i = 0; i < v.size(); ++i) {
            dot += v[i] * q[i];
        }
        for (std::size_t i = 0; i < v.size(); ++i) {
            v[i] -= dot * q[i];
        }
    };
    const auto squares = [](const std::vector<long double>& v) {
        long double sum = 0;
        for (const long double a : v) {
            sum += a * a;
        }
        return sum;
    };
    for (int m = 0; m <= c.degree; ++m) {
        std::vector<long double> p(z.size());
        for (std::size_t i = 0; i < z.size(); ++i) {
            p[i] = root[i] * std::pow(static_cast<long double>(at[i]) - (at.front() + at.back()) / 2, m);
        }
        for (int twice = 0; twice < 2; ++twice) {
            for (const auto& q : basis) {
                remove(p, q);
            }
        }
        const long double norm = std::sqrt(squares(p));
        for (long double& v : p) {
            v /= norm;
        }
        basis.push_back(p);
        remove(z, basis.back());
    }
    return squares(z);
}

Index seen(const Case& c, Index start, Index stop) {
    Index count = 0;
    for (Index j = start; j < stop; ++j) {
        bool any = false;
        for (Index k = 0; k < c.channels; ++k) {
            any = any || c.weight(k, j) > 0;
        }
        count += any ? 1 : 0;
    }
    return count;
}

// Whether [start, stop) may be a piece.
bool allowed(const Case& c, Index start, Index stop) {
    for (Index j = start + 1; j < stop; ++j) {
        if (c.mark(j) == Mark::fixed) {
            return false;
        }
    }
    return seen(c, start, stop) >= c.min_size && (start == 0 || c.mark(start) != Mark::forbidden);
}

double cost_of(const Case& c, Index start, Index stop) {
    long double sum = 0;
    for (Index k = 0; k < c.channels; ++k) {
        sum += residual(c, k, start, stop);
    }
    return static_cast<double>(sum);
}

// By recursion over all partitions; infinite where there is none.
double brute_force(const Case& c, Index stop, Index pieces) {
    double least = std::numeric_limits<double>::infinity();
    if (pieces == 1) {
        return allowed(c, 0, stop) ? cost_of(c, 0, stop) : least;
    }
    for (Index start = 1; start < stop; ++start) {
        if (allowed(c, start, stop)) {
            least = std::min(least, brute_force(c, start, pieces - 1) + cost_of(c, start, stop));
        }
    }
    return least;
}

Case random_case(std::mt19937& random, Index n) {
    std::uniform_real_distribution<double> unit(0, 1);
    const auto up_to = [&](Index high) { return std::uniform_int_distribution<Index>(1, high)(random); };
    Case c{n, up_to(2), up_to(n), up_to(2), static_cast<int>(up_to(4)) - 1, {}, {}, {}, {}};
    for (Index i = 0; i < c.channels * n; ++i) {
        c.y.push_back(std::round(20 * unit(random)) / 4);
    }
    if (unit(random) < 0.5) {
        for (Index i = 0; i < c.channels * n; ++i) {
            c.weights.push_back(unit(random) < 0.2 ? 0.0 : 0.1 + unit(random));
        }
    }
    if (unit(random) < 0.5) {
        for (Index i = 0; i < n; ++i) {
            c.x.push_back((i ? c.x.back() : -3.0) + 0.1 + unit(random));
        }
    }
    if (unit(random) < 0.5) {
        for (Index i = 0; i < n; ++i) {
            const double u = unit(random);
            c.marks.push_back(i == 0 || u < 0.7 ? Mark::free : u < 0.8 ? Mark::fixed : Mark::forbidden);
        }
    }
    return c;
}

struct Result {
    std::vector<Index> breakpoints;
    std::vector<double> coefficients, values, cost;
    double lower = 0;
};

Result solve(const Case& c, std::string_view instruction_set, kspline::Method method = kspline::Method::dense) {
    const auto size = [](Index count) { return static_cast<std::size_t>(count); };
    Result r{std::vector<Index>(size(c.pieces + 1)), std::vector<double>(size(c.channels * c.pieces * (c.degree + 1))),
             std::vector<double>(size(c.channels * c.n)), std::vector<double>(1)};
    kspline::Monitor nobody;
    kspline::fit({c.n, c.pieces, c.degree, c.min_size, instruction_set, c.channels, method}, c.batch(), 1, nobody,
                 {r.breakpoints.data(), r.coefficients.data(), r.values.data(), r.cost.data(), &r.lower});
    return r;
}

void test_against_brute_force() {
    std::mt19937 random(20210);
    for (int trial = 0; trial < 400; ++trial) {
        const Case c = random_case(random, 1 + trial % 9);
        const double want = brute_force(c, c.n, c.pieces);
        const kspline::Room room = kspline::room(c.signal(), c.min_size);
        const bool possible = room.least <= c.pieces && c.pieces <= room.most;
        CHECK(possible == (want < std::numeric_limits<double>::infinity()));
        if (!possible) {
            continue;
        }
        for (const std::string& set : kspline::instruction_sets()) {
            const Result r = solve(c, set);
            // sums of at most 18 terms up to 25, and conditions of abscissae no worse than 1e3
            CHECK(std::fabs(r.cost[0] - want) <= 1e-10 * want + 1e-20);
            double own = 0;
            for (Index i = 0; i < c.pieces; ++i) {
                const Index start = r.breakpoints[static_cast<std::size_t>(i)];
                const Index stop = r.breakpoints[static_cast<std::size_t>(i + 1)];
                CHECK(allowed(c, start, stop));
                own += cost_of(c, start, stop);
            }
            CHECK(std::fabs(own - want) <= 1e-10 * want + 1e-20);
        }
    }
}

// Sizes around tiles, vectors and blocks: the same bits on every instruction set, and a projector that fixes the fit.
void test_sizes() {
    std::mt19937 random(7);
    for (const Index n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256, 257, 263, 300}) {
        for (int degree = 0; degree <= kspline::max_degree; ++degree) {
            Case c = random_case(random, n);
            c.marks.clear();
            c.degree = degree;
            c.min_size = 1;
            const Index most = kspline::room(c.signal(), 1).most;
            if (most == 0) {
                continue;
            }
            c.pieces = std::clamp<Index>(c.pieces, 1, std::min<Index>(most, 11));
            const Result first = solve(c, "baseline");
            for (const std::string& set : kspline::instruction_sets()) {
                const Result r = solve(c, set);
                CHECK(r.breakpoints == first.breakpoints);
                CHECK(r.values == first.values);
                CHECK(r.cost == first.cost);
            }
            const kspline::Signals batch = c.batch();
            std::vector<double> again(first.values.size());
            kspline::project(kspline::Product::jacobian,
                             {1, c.channels, n, c.pieces, degree, first.breakpoints.data(), batch.weights, batch.x, 0}, 1,
                             first.values.data(), 1, again.data());
            double worst = 0;
            for (std::size_t i = 0; i < again.size(); ++i) {
                worst = std::max(worst, std::fabs(again[i] - first.values[i]) / (1 + std::fabs(first.values[i])));
            }
            CHECK(worst < 1e-8); // extrapolated to missing samples, digits are lost
        }
    }
}

// Steps, noise, a random walk, or few distinct values, with many ties; weights (some zero) and abscissae or none.
Case long_case(std::mt19937& random, Index n, int kind) {
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> unit(0, 1);
    Case c{n, 1, 1, 1, 0, {}, {}, {}, {}};
    double level = 0, walk = 0;
    for (Index i = 0; i < n; ++i) {
        level = unit(random) < 0.01 ? 5 * normal(random) : level;
        walk += normal(random);
        c.y.push_back(kind == 0 ? level + normal(random) : kind == 1 ? normal(random) : kind == 2 ? walk : std::round(level));
    }
    if (unit(random) < 0.4) {
        for (Index i = 0; i < n; ++i) {
            c.weights.push_back(unit(random) < 0.1 ? 0.0 : 0.1 + unit(random));
        }
    }
    if (unit(random) < 0.4) {
        for (Index i = 0; i < n; ++i) {
            c.x.push_back((i ? c.x.back() : -3.0) + 0.1 + unit(random));
        }
    }
    return c;
}

// What rounding may leave between two sums over all samples: relative, and of an exact fit.
bool alike(double a, double b, const Case& c) {
    double scale = 0;
    for (const double y : c.y) {
        scale = std::max(scale, std::fabs(y));
    }
    return std::fabs(a - b) <= 1e-9 * std::max(a, b) + static_cast<double>(c.n) * std::pow(1e-13 * scale, 2);
}

// Every exact method finds the cost of the dense programme; the greedy one stands between its bound and itself.
void test_methods() {
    using kspline::Method;
    std::mt19937 random(11);
    for (const Index n : {1, 2, 5, 17, 64, 65, 300, 1500}) {
        for (int kind = 0; kind < 4; ++kind) {
            for (int degree = 0; degree <= kspline::max_degree; ++degree) {
                Case c = long_case(random, n, kind);
                const Index most = kspline::room(c.signal(), 1).most;
                if (most == 0) {
                    continue;
                }
                c.degree = degree;
                for (const Index pieces : {1, 2, 7, 20}) {
                    c.pieces = std::min(pieces, most);
                    const double want = solve(c, {}).cost[0];
                    CHECK(alike(solve(c, {}, Method::lagrangian).cost[0], want, c));
                    if (degree == 0) {
                        CHECK(alike(solve(c, {}, Method::functional).cost[0], want, c));
                    }
                    const Result greedy = solve(c, {}, Method::greedy);
                    CHECK(greedy.cost[0] >= want || alike(greedy.cost[0], want, c));
                    CHECK(greedy.lower <= want || alike(greedy.lower, want, c));
                }
            }
        }
    }
    for (int kind = 0; kind < 4; ++kind) {
        Case c = long_case(random, 20000, kind);
        c.pieces = 30;
        CHECK(alike(solve(c, {}, Method::functional).cost[0], solve(c, {}, Method::lagrangian).cost[0], c));
    }
}

// All numbers of pieces at once, and under a penalty.
void test_paths() {
    using kspline::Method;
    std::mt19937 random(13);
    kspline::Monitor nobody;
    for (const Index n : {1, 3, 16, 65, 300, 1500}) {
        for (int kind = 0; kind < 4; ++kind) {
            for (int degree = 0; degree <= kspline::max_degree; ++degree) {
                Case c = long_case(random, n, kind);
                const Index most = std::min<Index>(kspline::room(c.signal(), 1).most, 12);
                if (most == 0) {
                    continue;
                }
                c.degree = degree;
                std::vector<double> first;
                for (const Method method : {Method::dense, Method::functional}) {
                    if (method == Method::functional && degree > 0) {
                        continue;
                    }
                    const kspline::Problem problem{n, most, degree, 1, {}, 1, method};
                    std::vector<Index> breakpoints(static_cast<std::size_t>(most * (most + 3) / 2));
                    std::vector<double> cost(static_cast<std::size_t>(most));
                    kspline::fit_path(problem, c.signal(), nobody, breakpoints.data(), cost.data());
                    for (Index k = 1; k <= most; ++k) {
                        c.pieces = k;
                        CHECK(alike(cost[static_cast<std::size_t>(k - 1)], solve(c, {}).cost[0], c));
                    }
                    for (const double penalty : {1e-3, 3.0, 1e6}) {
                        const std::vector<Index> found = kspline::fit_penalized(problem, penalty, c.signal(), nobody);
                        CHECK(found.front() == 0 && found.back() == n);
                        double total = -penalty;
                        for (std::size_t i = 1; i < found.size(); ++i) {
                            total += penalty + cost_of(c, found[i - 1], found[i]);
                        }
                        for (std::size_t k = 0; k < cost.size(); ++k) {
                            const double other = cost[k] + penalty * static_cast<double>(k);
                            CHECK(total <= other || alike(total, other, c));
                        }
                    }
                }
            }
        }
    }
}

void test_threads_and_monitor() {
    std::mt19937 random(3);
    const Index n = 600, count = 12;
    std::normal_distribution<double> normal;
    std::vector<double> y(static_cast<std::size_t>(n * count));
    std::generate(y.begin(), y.end(), [&] { return normal(random); });
    const auto run = [&](unsigned threads, kspline::Monitor& monitor) {
        Result r{std::vector<Index>(count * 6), std::vector<double>(count * 5 * 3), std::vector<double>(y.size()),
                 std::vector<double>(count)};
        kspline::fit({n, 5, 2}, {count, y.data()}, threads, monitor,
                     {r.breakpoints.data(), r.coefficients.data(), r.values.data(), r.cost.data()});
        return r;
    };
    kspline::Monitor nobody;
    const Result one = run(1, nobody), many = run(4, nobody);
    CHECK(one.breakpoints == many.breakpoints);
    CHECK(one.values == many.values);

    y.resize(4 * 20000);
    std::generate(y.begin(), y.end(), [&] { return normal(random); });
    Result r{std::vector<Index>(4 * 31), std::vector<double>(4 * 30 * 4), std::vector<double>(y.size()),
             std::vector<double>(4)};
    for (const unsigned threads : {1U, 3U}) {
        int calls = 0;
        kspline::Monitor impatient([&](double fraction) {
            ++calls;
            CHECK(fraction >= 0 && fraction <= 1);
            throw std::runtime_error("enough");
        });
        bool thrown = false;
        try {
            kspline::fit({20000, 30, 3}, {4, y.data()}, threads, impatient,
                         {r.breakpoints.data(), r.coefficients.data(), r.values.data(), r.cost.data()});
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown);
        CHECK(calls == 1);
    }
}

} // namespace

int main() {
    test_against_brute_force();
    test_sizes();
    test_methods();
    test_paths();
    test_threads_and_monitor();
    std::printf("%ld checks, %ld failed\n", checks, failures);
    return failures == 0 ? 0 : 1;
}
