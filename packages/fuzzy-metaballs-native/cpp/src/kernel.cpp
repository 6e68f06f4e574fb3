// Compiled once per instruction set. Equations: `fuzzy_metaballs/_kernel`, whose names are kept.
#include "metaballs/kernel.hpp"

#include <vector>

#include "lanes.hpp"

namespace metaballs::METABALLS_SET {
namespace {

constexpr int three = 3;  // features of a plain image: its normals

// Rays side by side, copied from their planes; the last block repeats its last ray.
template <class T>
struct Cell {
    typename Lanes<T>::V v;
};

template <class T, int W>
struct Block {
    using V = typename Lanes<T>::V;
    static constexpr int lanes = Lanes<T>::count;
    static constexpr Index size = W * lanes;

    Cell<T> foot[3][W], direction[3][W], start[W];
    Index begin, count;

    Block(const Scene<T>& scene, Index begin_, Index end)
        : begin(begin_), count(end - begin_ < size ? end - begin_ : size) {
        for (int axis = 0; axis < 3; ++axis) {
            load(scene.feet + axis * scene.rays, foot[axis]);
            load(scene.directions + axis * scene.rays, direction[axis]);
        }
        load(scene.start, start);
    }

    void load(const T* plane, Cell<T>* cells) const {
        if (count == size) {
            std::memcpy(cells, plane + begin, sizeof(T) * size);
            return;
        }
        for (Index k = 0; k < size; ++k) {
            const T value = plane[begin + (k < count ? k : count - 1)];
            std::memcpy(reinterpret_cast<char*>(cells) + k * sizeof(T), &value, sizeof(T));
        }
    }

    void store(const Cell<T>* cells, T* plane) const { std::memcpy(plane + begin, cells, sizeof(T) * count); }

    // 0, or NaN where a coordinate is not finite.
    V poison(int w) const {
        V total = start[w].v;
        for (int axis = 0; axis < 3; ++axis) {
            total += foot[axis][w].v + direction[axis][w].v;
        }
        return total * T(0);
    }
};

// The linear rule for one component and a vector of rays.
template <class T>
struct Pair {
    using V = typename Lanes<T>::V;
    V q[3], r[3], a, inverse, tau, t, near, front, mass, weight;

    template <class Rays>
    Pair(const T* c, const Rays& rays, int w, T depth, T quality) {
        const V vx = rays.direction[0][w].v, vy = rays.direction[1][w].v, vz = rays.direction[2][w].v;
        const V ox = rays.foot[0][w].v, oy = rays.foot[1][w].v, oz = rays.foot[2][w].v;
        q[0] = c[0] * vx + c[1] * vy + c[2] * vz;
        q[1] = c[3] * vy + c[4] * vz;
        q[2] = c[5] * vz;
        const V y0 = c[6] - c[0] * ox - c[1] * oy - c[2] * oz;
        const V y1 = c[7] - c[3] * oy - c[4] * oz;
        const V y2 = c[8] - c[5] * oz;
        a = q[0] * q[0] + q[1] * q[1] + q[2] * q[2];
        inverse = T(1) / a;
        tau = (y0 * q[0] + y1 * q[1] + y2 * q[2]) * inverse;
        t = tau + rays.start[w].v;
        r[0] = y0 - tau * q[0];
        r[1] = y1 - tau * q[1];
        r[2] = y2 - tau * q[2];
        const V half = (r[0] * r[0] + r[1] * r[1] + r[2] * r[2]) * T(0.5);
        const V reach = t * t * a;
        near = t > T(0) ? (reach < T(1) ? reach : V{} + T(1)) : V{};
        front = near * near * (T(3) - T(2) * near);
        const auto seen = front > T(1e-20);
        mass = seen ? c[9] - half : V{} + Lanes<T>::lowest;
        weight = seen ? c[10] - quality * half - depth * t : V{} + Lanes<T>::lowest;
        front = seen ? front : V{};
    }
};

template <class T, int F>
void forward(const Scene<T>& scene, const Sums<T>& sums, Index begin, Index end) {
    using V = typename Lanes<T>::V;
    using I = typename Lanes<T>::I;
    constexpr int W = 16 * 4 / METABALLS_BYTES * (sizeof(T) / 4);  // a group takes half of a first-level cache
    constexpr Index group = 64;
    using Rays = Block<T, W>;
    const Index f = F > 0 ? F : scene.features, columns = fixed_columns + f;
    std::vector<Cell<T>> blended(static_cast<std::size_t>(f * W));
    Cell<T> t[group][W], mass[group][W], weight[group][W], front[group][W];

    for (; begin < end; begin += Rays::size) {
        const Rays rays(scene, begin, end);
        Cell<T> mass_unit[W], weight_unit[W], total_mass[W] = {}, total[W] = {}, depth[W] = {};
        for (int w = 0; w < W; ++w) {
            mass_unit[w].v = weight_unit[w].v = V{} + Lanes<T>::lowest;
        }
        for (Cell<T>& cell : blended) {
            cell.v = V{};
        }
        for (Index first = 0; first < scene.components; first += group) {
            const Index n = scene.components - first < group ? scene.components - first : group;
            Cell<T> mass_before[W], weight_before[W];
            std::memcpy(mass_before, mass_unit, sizeof mass_unit);
            std::memcpy(weight_before, weight_unit, sizeof weight_unit);
            I partly = {};
            for (Index i = 0; i < n; ++i) {
                const T* c = scene.table + (first + i) * columns;
                for (int w = 0; w < W; ++w) {
                    const Pair<T> pair(c, rays, w, scene.depth, scene.quality);
                    t[i][w].v = pair.t;
                    mass[i][w].v = pair.mass;
                    weight[i][w].v = pair.weight;
                    front[i][w].v = pair.front;
                    mass_unit[w].v = larger(mass_unit[w].v, pair.mass);
                    weight_unit[w].v = larger(weight_unit[w].v, pair.weight);
                    partly |= (pair.near > T(0)) & (pair.near < T(1));
                }
            }
            // The largest exponent says nothing of the sum where its component is only partly in front.
            const T least = any(partly) ? 2 * Lanes<T>::lowest : Lanes<T>::negligible;
            if (first > 0) {
                for (int w = 0; w < W; ++w) {
                    total_mass[w].v *= exponential(mass_before[w].v - mass_unit[w].v);
                    const V scale = exponential(weight_before[w].v - weight_unit[w].v);
                    total[w].v *= scale;
                    depth[w].v *= scale;
                    for (Index k = 0; k < f; ++k) {
                        blended[k * W + w].v *= scale;
                    }
                }
            }
            for (Index i = 0; i < n; ++i) {
                const T* features = scene.table + (first + i) * columns + fixed_columns;
                for (int w = 0; w < W; ++w) {
                    const V m = mass[i][w].v - mass_unit[w].v, e = weight[i][w].v - weight_unit[w].v;
                    if (!any(larger(m, e) > least)) {
                        continue;
                    }
                    total_mass[w].v += front[i][w].v * exponential(m);
                    const V share = front[i][w].v * exponential(e);
                    total[w].v += share;
                    depth[w].v += share * t[i][w].v;
                    for (Index k = 0; k < f; ++k) {
                        blended[k * W + w].v += share * features[k];
                    }
                }
            }
        }
        for (int w = 0; w < W; ++w) {
            const V poison = rays.poison(w);
            const V inverse = T(1) / (total[w].v > T(0) ? total[w].v : V{} + T(1));
            total_mass[w].v += poison;
            total[w].v += poison;
            depth[w].v = depth[w].v * inverse + poison;
            for (Index k = 0; k < f; ++k) {
                blended[k * W + w].v = blended[k * W + w].v * inverse + poison;
            }
        }
        rays.store(depth, sums.depth);
        rays.store(total_mass, sums.mass);
        rays.store(mass_unit, sums.mass_unit);
        rays.store(total, sums.weight);
        rays.store(weight_unit, sums.weight_unit);
        for (Index k = 0; k < f; ++k) {
            rays.store(blended.data() + k * W, sums.features + k * scene.rays);
        }
    }
}

template <class T, int F>
void backward(const Scene<T>& scene, const Kept<T>& kept, const Cotangents<T>& cotangents,
              const Gradients<T>& gradients, Index begin, Index end) {
    using V = typename Lanes<T>::V;
    constexpr int W = 256 * 4 / METABALLS_BYTES * (sizeof(T) / 4);
    using Rays = Block<T, W>;
    const Index f = F > 0 ? F : scene.features, columns = fixed_columns + f;
    const T b_depth = scene.depth, b_quality = scene.quality;
    std::vector<Cell<T>> of_features(static_cast<std::size_t>(f * W)), of_feature(static_cast<std::size_t>(f));
    V of_b_depth = V{};

    for (; begin < end; begin += Rays::size) {
        const Rays rays(scene, begin, end);
        Cell<T> depth[W], log_mass[W], log_weight[W], of_depth[W], of_log_mass[W], mean[W], plane[W];
        Cell<T> of_foot[3][W] = {}, of_direction[3][W] = {};
        rays.load(kept.depth, depth);
        rays.load(kept.log_mass, log_mass);
        rays.load(kept.log_weight, log_weight);
        rays.load(cotangents.depth, of_depth);
        rays.load(cotangents.log_mass, of_log_mass);
        const auto silence = [&rays](Cell<T>* cells) {  // the rays that only fill the block up
            if (rays.count < Rays::size) {
                std::memset(reinterpret_cast<char*>(cells) + rays.count * sizeof(T), 0,
                            (Rays::size - rays.count) * sizeof(T));
            }
        };
        silence(of_depth);
        silence(of_log_mass);
        for (int w = 0; w < W; ++w) {
            mean[w].v = of_depth[w].v * depth[w].v;
        }
        for (Index k = 0; k < f; ++k) {
            Cell<T>* of = of_features.data() + k * W;
            rays.load(cotangents.features + k * scene.rays, of);
            silence(of);
            rays.load(kept.features + k * scene.rays, plane);
            for (int w = 0; w < W; ++w) {
                mean[w].v += of[w].v * plane[w].v;
            }
        }
        for (Index i = 0; i < scene.components; ++i) {
            const T* c = scene.table + i * columns;
            const T* features = c + fixed_columns;
            V of[fixed_columns] = {};
            for (Index k = 0; k < f; ++k) {
                of_feature[k].v = V{};
            }
            bool touched = false;
            for (int w = 0; w < W; ++w) {
                const Pair<T> p(c, rays, w, b_depth, b_quality);
                const V m = p.mass - log_mass[w].v, e = p.weight - log_weight[w].v;
                if (!any(larger(m, e) > Lanes<T>::negligible)) {
                    continue;
                }
                touched = true;
                const V weight = exponential(e), share = p.front * weight;
                // Each pair pulls the blended values towards its own: the derivative with respect to log w_i.
                V pull = of_depth[w].v * p.t - mean[w].v;
                for (Index k = 0; k < f; ++k) {
                    const V of_k = of_features[k * W + w].v;
                    pull += features[k] * of_k;
                    of_feature[k].v += of_k * share;
                }
                const V of_weight = share * pull, of_whole_mass = of_log_mass[w].v * exponential(m);
                const V of_mass = p.front * of_whole_mass;
                const V of_near = p.near < T(1) ? (pull * weight + of_whole_mass) * (T(6) * p.near * (T(1) - p.near)) : V{};
                const V of_t = of_depth[w].v * share - b_depth * of_weight + T(2) * of_near * p.t * p.a;
                const V of_r = -(of_mass + b_quality * of_weight), of_tau = of_t * p.inverse;
                const V along = T(2) * of_near * p.t * p.t;
                V of_y[3], of_q[3];
                for (int k = 0; k < 3; ++k) {
                    of_y[k] = of_r * p.r[k] + of_tau * p.q[k];
                    of_q[k] = of_tau * p.r[k] - p.tau * of_y[k] + along * p.q[k];
                    of[6 + k] += of_y[k];
                }
                const V vx = rays.direction[0][w].v, vy = rays.direction[1][w].v, vz = rays.direction[2][w].v;
                const V ox = rays.foot[0][w].v, oy = rays.foot[1][w].v, oz = rays.foot[2][w].v;
                of[0] += of_q[0] * vx - of_y[0] * ox;
                of[1] += of_q[0] * vy - of_y[0] * oy;
                of[2] += of_q[0] * vz - of_y[0] * oz;
                of[3] += of_q[1] * vy - of_y[1] * oy;
                of[4] += of_q[1] * vz - of_y[1] * oz;
                of[5] += of_q[2] * vz - of_y[2] * oz;
                of[9] += of_mass;
                of[10] += of_weight;
                of_b_depth -= of_weight * p.t;
                of_foot[0][w].v -= c[0] * of_y[0];
                of_foot[1][w].v -= c[1] * of_y[0] + c[3] * of_y[1];
                of_foot[2][w].v -= c[2] * of_y[0] + c[4] * of_y[1] + c[5] * of_y[2];
                of_direction[0][w].v += c[0] * of_q[0];
                of_direction[1][w].v += c[1] * of_q[0] + c[3] * of_q[1];
                of_direction[2][w].v += c[2] * of_q[0] + c[4] * of_q[1] + c[5] * of_q[2];
            }
            if (touched) {
                double* row = gradients.table + i * columns;
                for (Index k = 0; k < fixed_columns; ++k) {
                    row[k] += sum<T>(of[k]);
                }
                for (Index k = 0; k < f; ++k) {
                    row[fixed_columns + k] += sum<T>(of_feature[k].v);
                }
            }
        }
        for (int axis = 0; axis < 3; ++axis) {
            for (int w = 0; w < W; ++w) {
                const V poison = rays.poison(w);
                of_foot[axis][w].v += poison;
                of_direction[axis][w].v += poison;
            }
            rays.store(of_foot[axis], gradients.feet + axis * scene.rays);
            rays.store(of_direction[axis], gradients.directions + axis * scene.rays);
        }
    }
    *gradients.depth += sum<T>(of_b_depth);
}

template <class T>
void exponentials(const T* x, T* y, Index count) {
    constexpr int lanes = Lanes<T>::count;
    for (Index k = 0; k < count; k += lanes) {
        const std::size_t size = sizeof(T) * static_cast<std::size_t>(count - k < lanes ? count - k : lanes);
        typename Lanes<T>::V v = {};
        std::memcpy(&v, x + k, size);
        v = exponential(v);
        std::memcpy(y + k, &v, size);
    }
}

// The plain image has its own copy, whose loops over features are unrolled.
template <class T>
void any_forward(const Scene<T>& scene, const Sums<T>& sums, Index begin, Index end) {
    (scene.features == three ? forward<T, three> : forward<T, 0>)(scene, sums, begin, end);
}

template <class T>
void any_backward(const Scene<T>& scene, const Kept<T>& kept, const Cotangents<T>& cotangents,
                  const Gradients<T>& gradients, Index begin, Index end) {
    (scene.features == three ? backward<T, three> : backward<T, 0>)(scene, kept, cotangents, gradients, begin, end);
}

}  // namespace

extern const InstructionSet functions;
const InstructionSet functions = {METABALLS_NAME,
                                  {any_forward<float>, any_backward<float>, exponentials<float>},
                                  {any_forward<double>, any_backward<double>, exponentials<double>}};

}  // namespace metaballs::METABALLS_SET
