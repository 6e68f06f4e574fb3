// Connected components by union-find on runs: stretches of a row that belong together. Wu, Otoo & Suzuki, "Optimizing
// two-pass connected-component labeling algorithms" (2009), with runs in place of pixels.
#include "kspline/regions.hpp"

#include <algorithm>
#include <vector>

#include "rows.hpp"

namespace kspline {
namespace {

using Label = std::int32_t;

// Sets with the least member as the root, so that a parent never comes after its child.
class DisjointSets {
public:
    void add() { parent_.push_back(static_cast<Label>(parent_.size())); }
    void clear() { parent_.clear(); }
    Index size() const { return static_cast<Index>(parent_.size()); }

    void unite(Label a, Label b) {
        a = root(a);
        b = root(b);
        parent_[static_cast<std::size_t>(std::max(a, b))] = std::min(a, b);
    }

    // Numbers the sets in the order of their roots; the number of each member in `labels`. Returns their count.
    Label number(std::vector<Label>& labels) const {
        labels.resize(parent_.size());
        Label count = 0;
        for (std::size_t i = 0; i < parent_.size(); ++i) {
            const auto parent = static_cast<std::size_t>(parent_[i]);
            labels[i] = parent == i ? count++ : labels[parent];
        }
        return count;
    }

private:
    std::vector<Label> parent_;

    Label root(Label i) {
        while (parent_[static_cast<std::size_t>(i)] != i) { // path halving
            Label& parent = parent_[static_cast<std::size_t>(i)];
            parent = parent_[static_cast<std::size_t>(parent)];
            i = parent;
        }
        return i;
    }
};

// One image after the other; the memory is kept from one to the next.
template <class T, class Key>
class Labeller {
public:
    explicit Labeller(const LevelPartition<T>& partition)
        : p_(partition), keys_(static_cast<std::size_t>(p_.width + 1)),
          starts_(static_cast<std::size_t>(p_.height * p_.width + 1)), run_keys_(starts_.size()),
          first_run_(static_cast<std::size_t>(p_.height + 1)) {}

    void operator()(const T* image, const std::int64_t* groups, Label* labels) {
        find_runs(image, groups);
        sets_.clear();
        for (Label run = 0; run < first_run_.back(); ++run) {
            sets_.add();
        }
        for (Index row = 1; row < p_.height; ++row) {
            for_each_pair_above(row, [&](Label above, Label run) {
                if (run_keys_[static_cast<std::size_t>(above)] == run_keys_[static_cast<std::size_t>(run)]) {
                    sets_.unite(above, run);
                }
            });
        }
        Label count = sets_.number(run_labels_);
        while (p_.min_size > 1 && count > 1 && merge_small(count)) {
            count = relabel();
        }
        write(labels);
    }

private:
    const LevelPartition<T> p_;
    std::vector<Key> keys_;        // of the pixels of one row, and one more
    std::vector<Label> starts_;    // first column of each run, row after row
    std::vector<Key> run_keys_;
    std::vector<Label> first_run_; // of each row; and the number of runs
    DisjointSets sets_;            // of runs; then of regions
    std::vector<Label> run_labels_, region_labels_;
    std::vector<Index> sizes_;
    std::vector<Label> largest_; // the neighbour that a region joins; itself: none

    void find_runs(const T* image, const std::int64_t* groups) {
        const Index width = p_.width;
        std::size_t count = 0;
        for (Index row = 0; row < p_.height; ++row) {
            first_run_[static_cast<std::size_t>(row)] = static_cast<Label>(count);
            classify(image + row * width, groups ? groups + row * width : nullptr);
            for (Index j = 0; j < width; ++j) { // no branch: what is written inside a run is overwritten, up to its end
                const auto column = static_cast<std::size_t>(j);
                starts_[count] = static_cast<Label>(j);
                run_keys_[count] = keys_[column];
                count += static_cast<std::size_t>((j + 1 == width) | (keys_[column + 1] != keys_[column]));
            }
        }
        first_run_.back() = static_cast<Label>(count);
        for (Index row = 0; row < p_.height; ++row) { // so far the last column of each run
            Label start = 0;
            for (Label run = first(row); run < first(row + 1); ++run) {
                std::swap(starts_[static_cast<std::size_t>(run)], start);
                ++start;
            }
        }
    }

    void classify(const T* image, const std::int64_t* groups) {
        const Index width = p_.width;
        if (groups) {
            const auto classes = static_cast<Key>(p_.levels.size() + 1);
            for (Index j = 0; j < width; ++j) {
                keys_[static_cast<std::size_t>(j)] = static_cast<Key>(groups[j]) * classes;
            }
        } else {
            std::fill(keys_.begin(), keys_.end(), Key{0});
        }
        Key* keys = keys_.data();
        for (const T level : p_.levels) {
            for (Index j = 0; j < width; ++j) {
                keys[j] += image[j] >= level;
            }
        }
    }

    Label first(Index row) const { return first_run_[static_cast<std::size_t>(row)]; }

    // Where run `run` of `row` ends.
    Label end(Index row, Label run) const {
        return run + 1 < first(row + 1) ? starts_[static_cast<std::size_t>(run + 1)] : static_cast<Label>(p_.width);
    }

    // Calls visit(run of the row above, run of `row`) for the runs that are neighbours. Runs tile both rows, so the two
    // that the walk stands at always overlap.
    template <class Visit>
    void for_each_pair_above(Index row, Visit visit) const {
        Label above = first(row - 1), run = first(row);
        while (true) {
            visit(above, run);
            const Label end_above = end(row - 1, above), end_run = end(row, run);
            if (end_above == end_run) {
                if (end_run == p_.width) {
                    return;
                }
                if (p_.diagonal) {
                    visit(above, run + 1);
                    visit(above + 1, run);
                }
            }
            above += end_above <= end_run;
            run += end_run <= end_above;
        }
    }

    // One round: every region that is too small joins its largest neighbour (of several, the first), all at once. The
    // choices form trees with at most a pair of regions that choose each other at the root, so nothing depends on the order.
    bool merge_small(Label count) {
        sizes_.assign(static_cast<std::size_t>(count), 0);
        for (Index row = 0; row < p_.height; ++row) {
            for (Label run = first(row); run < first(row + 1); ++run) {
                sizes_[label(run)] += end(row, run) - starts_[static_cast<std::size_t>(run)];
            }
        }
        if (*std::min_element(sizes_.begin(), sizes_.end()) >= p_.min_size) {
            return false;
        }
        largest_.resize(static_cast<std::size_t>(count));
        for (Label region = 0; region < count; ++region) {
            largest_[static_cast<std::size_t>(region)] = region;
        }
        const auto meet = [&](Label a, Label b) {
            offer(label(a), label(b));
            offer(label(b), label(a));
        };
        for (Index row = 0; row < p_.height; ++row) {
            for (Label run = first(row) + 1; run < first(row + 1); ++run) {
                meet(run - 1, run);
            }
            if (row > 0) {
                for_each_pair_above(row, meet);
            }
        }
        sets_.clear();
        for (Label region = 0; region < count; ++region) {
            sets_.add();
        }
        for (Label region = 0; region < count; ++region) {
            sets_.unite(region, largest_[static_cast<std::size_t>(region)]);
        }
        return true;
    }

    std::size_t label(Label run) const {
        return static_cast<std::size_t>(run_labels_[static_cast<std::size_t>(run)]);
    }

    // Shows region `a`, if it is too small, its neighbour `b`.
    void offer(std::size_t a, std::size_t b) {
        if (a == b || sizes_[a] >= p_.min_size) {
            return;
        }
        const auto best = static_cast<std::size_t>(largest_[a]);
        if (best == a || sizes_[b] > sizes_[best] || (sizes_[b] == sizes_[best] && b < best)) {
            largest_[a] = static_cast<Label>(b);
        }
    }

    Label relabel() {
        const Label count = sets_.number(region_labels_);
        for (Label& run_label : run_labels_) {
            run_label = region_labels_[static_cast<std::size_t>(run_label)];
        }
        return count;
    }

    void write(Label* labels) const {
        for (Index row = 0; row < p_.height; ++row) {
            for (Label run = first(row); run < first(row + 1); ++run) {
                std::fill(labels + row * p_.width + starts_[static_cast<std::size_t>(run)],
                          labels + row * p_.width + end(row, run), static_cast<Label>(label(run)));
            }
        }
    }
};

template <class Key, class T>
void label_with_keys(const LevelPartition<T>& partition, Index batch, const T* image, const std::int64_t* groups,
                     unsigned threads, Label* labels) {
    const Index size = partition.height * partition.width;
    Monitor unwatched;
    for_each_row(batch, static_cast<double>(8 * size * batch), threads, unwatched, [&] {
        return [&, labeller = Labeller<T, Key>(partition)](Index i) mutable {
            labeller(image + i * size, groups ? groups + i * size : nullptr, labels + i * size);
        };
    });
}

} // namespace

template <class T>
void label_regions(const LevelPartition<T>& partition, Index batch, const T* image, const std::int64_t* groups,
                   unsigned threads, std::int32_t* labels) {
    if (partition.height * partition.width == 0) {
        return;
    }
    if (groups) {
        label_with_keys<std::int64_t>(partition, batch, image, groups, threads, labels);
    } else {
        label_with_keys<std::int32_t>(partition, batch, image, groups, threads, labels);
    }
}

template void label_regions<float>(const LevelPartition<float>&, Index, const float*, const std::int64_t*, unsigned,
                                   std::int32_t*);
template void label_regions<double>(const LevelPartition<double>&, Index, const double*, const std::int64_t*, unsigned,
                                    std::int32_t*);

} // namespace kspline
