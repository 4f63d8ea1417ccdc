#include "fastpgs/network.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace fastpgs {

namespace {

using Size = Network::Size;

constexpr std::size_t kPixels =
    1 << 14;  // of crops whose maps are there at a time: twice as many are no faster

// The middle `height` x `width` of what is seen of maps.
View middle(View view, std::size_t height, std::size_t width) {
    view.top = (view.height * view.times - height) / 2;
    view.left = (view.width * view.times - width) / 2;
    return view;
}

// Whole maps as they are seen: where they lie, or written out to `held`.
const float* whole(const View& view, std::size_t n, Block<float>& held) {
    if (view.times == 1) return view.x;
    const std::size_t line = view.times * view.width * view.channels;
    held = Block<float>(n * view.height * view.times * line);
    const float* x = view.x;
    float* y = held.data();
    for (std::size_t row = 0; row < n * view.height; ++row) {
        const float* start = y;
        for (std::size_t column = 0; column < view.width; ++column, x += view.channels)
            for (std::size_t copy = 0; copy < view.times; ++copy) y = std::copy_n(x, view.channels, y);
        for (std::size_t copy = 1; copy < view.times; ++copy) y = std::copy_n(start, line, y);
    }
    return held.data();
}

// Means of the channels of one crop's map. Rows first: sums of few numbers each are rounded less.
void means(const float* x, const Size& size, float* row, float* total) {
    const std::size_t channels = size.channels;
    for (std::size_t r = 0; r < size.height; ++r) {
        float* sum = r == 0 ? total : row;
        std::copy_n(x, channels, sum);
        x += channels;
        for (std::size_t column = 1; column < size.width; ++column, x += channels)
            for (std::size_t c = 0; c < channels; ++c) sum[c] += x[c];
        if (r > 0)
            for (std::size_t c = 0; c < channels; ++c) total[c] += row[c];
    }
    const auto pixels = static_cast<float>(size.height * size.width);
    for (std::size_t c = 0; c < channels; ++c) total[c] /= pixels;
}

// Memory that a thread keeps for the maps of its next run: fresh pages would cost more than the sums.
class Memory {
  public:
    // A place for n values, and its number.
    float* take(std::size_t n, std::size_t& number) {
        number = places_.size();
        for (std::size_t i = 0; i < places_.size(); ++i) {
            if (places_[i].taken) continue;
            // The smallest that is large enough, else the largest, which then grows.
            const auto fits = [&](std::size_t j) { return places_[j].room >= n; };
            if (number == places_.size() ||
                (fits(i) ? !fits(number) || places_[i].room < places_[number].room
                         : !fits(number) && places_[i].room > places_[number].room))
                number = i;
        }
        if (number == places_.size()) places_.emplace_back();
        Place& place = places_[number];
        if (place.room < n) {
            place.values = Block<float>();  // before the next: they need not be there together
            place.values = Block<float>(n);
            place.room = n;
        }
        place.taken = true;
        return place.values.data();
    }
    void give(std::size_t number) { places_[number].taken = false; }
    // Ends a run, after an error, too.
    void give_all() {
        std::size_t total = 0;
        for (Place& place : places_) {
            place.taken = false;
            total += place.room;
        }
        if (total > kMost) places_.clear();
    }

  private:
    static constexpr std::size_t kMost = std::size_t{1} << 24;  // values that are kept
    struct Place {
        Block<float> values;
        std::size_t room = 0;
        bool taken = false;
    };
    std::vector<Place> places_;
};

Memory& own_memory() {
    static thread_local Memory memory;
    memory.give_all();
    return memory;
}

void expect(bool fits, const std::string& what) {
    if (!fits) throw std::invalid_argument(what);
}

}  // namespace

Network::Network(std::size_t channels) : channels_{channels}, last_use_{0} {}

std::size_t Network::channels_of(std::size_t map) const {
    expect(map < channels_.size(), "expected maps of number 0 to " + std::to_string(channels_.size() - 1) +
                                       ", got " + std::to_string(map));
    return channels_[map];
}

void Network::read_by(std::size_t map, std::size_t step) {
    last_use_[map] = step;
    // Who reads an enlarged map reads the one that it was made of.
    if (map > 0 && steps_[map - 1].kind == Kind::enlarge) read_by(steps_[map - 1].from, step);
}

std::size_t Network::add(const Step& step, std::size_t channels) {
    read_by(step.from, steps_.size());
    if (step.second != kNone) read_by(step.second, steps_.size());
    steps_.push_back(step);
    channels_.push_back(channels);
    last_use_.push_back(steps_.size() - 1);
    return channels_.size() - 1;
}

std::size_t Network::conv(const Conv3& layer, std::size_t padding, std::size_t from) {
    return conv(layer, padding, from, kNone);
}

std::size_t Network::conv(const Conv3& layer, std::size_t padding, std::size_t from, std::size_t second) {
    const std::size_t channels = channels_of(from) + (second == kNone ? 0 : channels_of(second));
    expect(channels == layer.c_in(), "expected maps of " + std::to_string(layer.c_in()) +
                                         " channels for the convolution, got " + std::to_string(channels));
    expect(padding <= 1, "padding must be 0 or 1, got " + std::to_string(padding));
    convolutions_.push_back(layer);
    return add({Kind::conv, convolutions_.size() - 1, from, second, padding, 0}, layer.c_out());
}

std::size_t Network::up(const Up2& layer, std::size_t from) {
    expect(channels_of(from) == layer.c_in(), "expected maps of " + std::to_string(layer.c_in()) +
                                                  " channels, got " + std::to_string(channels_of(from)));
    ups_.push_back(layer);
    return add({Kind::up, ups_.size() - 1, from, kNone, 0, 2}, layer.c_out());
}

std::size_t Network::pool(std::size_t from) {
    return add({Kind::pool, 0, from, kNone, 0, 0}, channels_of(from));
}

std::size_t Network::enlarge(std::size_t from, std::size_t times) {
    expect(times >= 1, "expected to enlarge maps at least once, got 0");
    return add({Kind::enlarge, 0, from, kNone, 0, times}, channels_of(from));
}

void Network::head(const std::vector<std::size_t>& from, Dense first, std::vector<float> slope,
                   Dense second) {
    std::size_t channels = 0;
    for (const std::size_t map : from) channels += channels_of(map);
    const std::size_t hidden = first.bias.size(), classes = second.bias.size();
    expect(first.weight.size() == channels * hidden && slope.size() == hidden &&
               second.weight.size() == hidden * classes,
           "expected weights of the head of " + std::to_string(channels) + " channels");
    for (const std::size_t map : from) read_by(map, steps_.size());
    heads_ = from;
    first_ = std::move(first);
    slope_ = std::move(slope);
    second_ = std::move(second);
}

void Network::pixelwise(std::size_t from, std::vector<float> weight, float bias) {
    expect(channels_of(from) == weight.size(), "expected " + std::to_string(channels_of(from)) +
                                                   " weights, got " + std::to_string(weight.size()));
    read_by(from, steps_.size());
    masked_ = from;
    mask_weight_ = std::move(weight);
    mask_bias_ = bias;
}

Size Network::mask_size(std::size_t height, std::size_t width) const {
    expect(masked_ != kNone, "the network has no mask");
    return sizes(height, width)[masked_];
}

std::vector<Size> Network::sizes(std::size_t height, std::size_t width) const {
    std::vector<Size> sizes{{height, width, channels_[0]}};
    for (const Step& step : steps_) {
        Size size = sizes[step.from];
        size.channels = channels_[sizes.size()];
        if (step.second != kNone) {
            size.height = std::min(size.height, sizes[step.second].height);
            size.width = std::min(size.width, sizes[step.second].width);
        }
        if (step.kind == Kind::conv) {
            const std::size_t border = 2 - 2 * step.padding;
            size.height = size.height > border ? size.height - border : 0;
            size.width = size.width > border ? size.width - border : 0;
        } else if (step.kind == Kind::pool) {
            size.height /= 2;
            size.width /= 2;
        } else {
            size.height *= step.times;
            size.width *= step.times;
        }
        expect(size.height > 0 && size.width > 0, "crops of " + std::to_string(height) + " x " +
                                                      std::to_string(width) +
                                                      " pixels are too small for the network");
        sizes.push_back(size);
    }
    return sizes;
}

void Network::run(const float* x, std::size_t n, std::size_t height, std::size_t width,
                  const Outputs& out) const {
    const std::vector<Size> all = sizes(height, width);
    in_groups(n, all, out, [&](std::size_t start, std::size_t count, const Outputs& own) {
        run_on(x + start * all[0].values(), count, all, own);
    });
}

void Network::run(const std::uint8_t* crops, const float* table, std::size_t n, std::size_t height,
                  std::size_t width, const Outputs& out) const {
    const std::vector<Size> all = sizes(height, width);
    const std::size_t channels = all[0].channels;
    std::vector<float> numbers;
    in_groups(n, all, out, [&](std::size_t start, std::size_t count, const Outputs& own) {
        numbers.resize(count * all[0].values());
        const std::uint8_t* level = crops + start * all[0].values();
        float* y = numbers.data();
        for (std::size_t i = 0; i < count * height * width; ++i)
            for (std::size_t c = 0; c < channels; ++c) *y++ = table[*level++ * channels + c];
        run_on(numbers.data(), count, all, own);
    });
}

template <class Run>
void Network::in_groups(std::size_t n, const std::vector<Size>& sizes, const Outputs& out,
                        const Run& run) const {
    expect(out.mask == nullptr || masked_ != kNone, "the network has no mask");
    const Size& mask = sizes[masked_ == kNone ? 0 : masked_];
    const std::size_t most = std::max<std::size_t>(1, kPixels / (sizes[0].height * sizes[0].width));
    for (std::size_t start = 0; start < n; start += most)
        run(start, std::min(most, n - start),
            Outputs{out.logits + start * classes(), out.embeddings + start * hidden(),
                    out.mask == nullptr ? nullptr : out.mask + start * mask.height * mask.width});
}

void Network::run_on(const float* x, std::size_t n, const std::vector<Size>& sizes,
                     const Outputs& out) const {
    Memory& memory = own_memory();
    std::vector<std::size_t> places(channels_.size(), kNone);
    std::vector<View> maps(channels_.size());
    const auto stored = [&](std::size_t map, const float* values) {
        maps[map].x = values;
        maps[map].height = sizes[map].height;
        maps[map].width = sizes[map].width;
        maps[map].channels = sizes[map].channels;
    };
    stored(0, x);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
        const std::size_t made = i + 1;
        if (steps_[i].kind == Kind::enlarge) {  // read where it lies
            maps[made] = maps[steps_[i].from];
            maps[made].times *= steps_[i].times;
        } else {
            float* y = memory.take(n * sizes[made].values(), places[made]);
            step(steps_[i], n, maps, sizes[made], y);
            stored(made, y);
        }
        for (std::size_t map = 1; map <= made; ++map)
            if (last_use_[map] == i && places[map] != kNone) memory.give(places[map]);
    }
    judge(maps, sizes, n, out);
    if (out.mask == nullptr) return;
    Block<float> held;
    const Size& mask = sizes[masked_];
    dense(whole(maps[masked_], n, held), n * mask.height * mask.width, mask.channels, mask_weight_.data(),
          &mask_bias_, 1, out.mask);
}

void Network::step(const Step& step, std::size_t n, const std::vector<View>& maps, const Size& size,
                   float* y) const {
    const View& from = maps[step.from];
    if (step.kind == Kind::conv) {
        const std::size_t border = 2 - 2 * step.padding;
        Conv3Maps used{};
        used.height = size.height + border;
        used.width = size.width + border;
        used.first = middle(from, used.height, used.width);
        if (step.second != kNone) used.second = middle(maps[step.second], used.height, used.width);
        used.y = y;
        used.n = n;
        used.padding = step.padding;
        convolutions_[step.layer].run(used);
        return;
    }
    Block<float> held;
    const float* x = whole(from, n, held);
    const std::size_t height = from.height * from.times, width = from.width * from.times;
    if (step.kind == Kind::up)
        ups_[step.layer].run(x, n, height, width, y);
    else
        pool2(x, n, height, width, from.channels, y);
}

void Network::judge(const std::vector<View>& maps, const std::vector<Size>& sizes, std::size_t n,
                    const Outputs& out) const {
    std::vector<Block<float>> held(heads_.size());
    std::vector<const float*> values;
    for (std::size_t i = 0; i < heads_.size(); ++i) values.push_back(whole(maps[heads_[i]], n, held[i]));
    std::size_t channels = 0;
    for (const std::size_t map : heads_) channels += sizes[map].channels;
    std::vector<float> mean(channels), row(channels);
    for (std::size_t i = 0; i < n; ++i) {
        float* to = mean.data();
        for (std::size_t j = 0; j < heads_.size(); ++j) {
            const Size& size = sizes[heads_[j]];
            means(values[j] + i * size.values(), size, row.data(), to);
            to += size.channels;
        }
        float* embedding = out.embeddings + i * hidden();
        dense(mean.data(), 1, channels, first_.weight.data(), first_.bias.data(), hidden(), embedding);
        for (std::size_t j = 0; j < hidden(); ++j)
            embedding[j] = embedding[j] > 0.0F ? embedding[j] : slope_[j] * embedding[j];
        dense(embedding, 1, hidden(), second_.weight.data(), second_.bias.data(), classes(),
              out.logits + i * classes());
    }
}

}  // namespace fastpgs
