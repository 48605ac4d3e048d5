#include <algorithm>

#include "../kernels/table.hpp"
#include "../runtime/memory.hpp"
#include "../runtime/random.hpp"
#include "layer.hpp"

namespace nncore {
namespace {

// The strides of a mask along (heads, queries, keys); 0 where it has one entry for all.
struct Mask {
  std::size_t size, head, query, key;
};

struct AttentionSizes {
  std::size_t heads, queries, keys, depth, value_depth;
};

// y = dropout(softmax(scale * q @ k^T)) @ v for each head. q (queries, heads * depth), k (keys, heads *
// depth), v (keys, heads * value_depth); then masks, where 0 hides a key. The weights (heads, queries, keys)
// are saved as they are before dropout.
class Attention final : public Layer {
 public:
  Attention(const Shape& q, const AttentionSizes& sizes, std::vector<Mask> masks, const Spec& spec)
      : Layer(q, {sizes.queries, sizes.heads * sizes.value_depth}),
        n_(sizes),
        masks_(std::move(masks)),
        causal_(spec.flag("causal")),
        scale_(spec.single("scale")),
        rate_(spec.single("dropout")) {
    const auto panels = [](std::size_t rows, std::size_t columns) {
      return rows * ((columns + kPanels - 1) / kPanels * kPanels);
    };
    const std::size_t depth = std::max(n_.depth, n_.value_depth), rows = std::max(n_.queries, n_.keys);
    traits_.work = n_.heads * matrix() * (n_.depth + n_.value_depth);
    traits_.saved = n_.heads * matrix();
    traits_.scratch = 2 * aligned(matrix()) + std::max(panels(depth, n_.keys), panels(rows, depth));
  }

  void forward(const Chunk& c) const override {
    for_each_head(c, [&](std::size_t s, std::size_t h) {
      float* const weights = c.saved ? c.saved + (s * n_.heads + h) * matrix() : c.scratch;
      by_columns(c, weights, query(c, s, h), key(c, s, h), n_.depth);
      c.kernels.rescale(weights, weights, scale_, 0.0f, matrix());
      hide(c, s, h, weights);
      softmax(c).forward(weights, weights, nullptr, n_.queries, n_.keys);
      by_rows(c, {c.y + s * output_size() + h * n_.value_depth, n_.heads * n_.value_depth}, n_.queries,
              {dropped(c, s, h, weights, second(c)), n_.keys, 1}, n_.keys, value(c, s, h));
    });
  }

  void backward(const Chunk& c) const override {
    for (std::size_t i = kMasks; i < kMasks + masks_.size(); ++i)
      if (c.dxs[i]) std::fill_n(c.dxs[i], c.samples * masks_[i - kMasks].size, 0.0f);
    if (!c.dxs[0] && !c.dxs[1] && !c.dxs[2]) return;
    for_each_head(c, [&](std::size_t s, std::size_t h) {
      const float* const weights = c.saved + (s * n_.heads + h) * matrix();
      const Columns dy{c.dy + s * output_size() + h * n_.value_depth, n_.heads * n_.value_depth,
                       n_.value_depth};
      if (c.dxs[2])
        by_rows(c, to(c.dxs[2], s, h, value(c, s, h)), n_.keys,
                {dropped(c, s, h, weights, second(c)), 1, n_.keys}, n_.queries, dy);
      if (!c.dxs[0] && !c.dxs[1]) return;
      float* const d = c.scratch;  // by the weights, then by the scores
      by_columns(c, d, dy, value(c, s, h), n_.value_depth);
      dropped(c, s, h, d, d);
      softmax(c).backward(d, d, weights, nullptr, n_.queries, n_.keys);
      c.kernels.rescale(d, d, scale_, 0.0f, matrix());
      if (c.dxs[0])
        by_rows(c, to(c.dxs[0], s, h, query(c, s, h)), n_.queries, {d, n_.keys, 1}, n_.keys, key(c, s, h));
      if (c.dxs[1])
        by_rows(c, to(c.dxs[1], s, h, key(c, s, h)), n_.keys, {d, 1, n_.keys}, n_.queries, query(c, s, h));
    });
  }

 private:
  static constexpr std::size_t kMasks = 3;  // the first input that is a mask

  // Some columns of a matrix whose rows are `row` floats apart.
  struct Columns {
    const float* data;
    std::size_t row, count, rows = 0;
  };
  struct Target {
    float* data;
    std::size_t row;
  };
  struct Strided {
    const float* data;
    std::size_t row, column;
  };

  std::size_t matrix() const { return n_.queries * n_.keys; }
  float* second(const Chunk& c) const { return c.scratch + aligned(matrix()); }
  float* panels(const Chunk& c) const { return c.scratch + 2 * aligned(matrix()); }

  template <class Body>
  void for_each_head(const Chunk& c, Body body) const {
    for (std::size_t s = 0; s < c.samples; ++s)
      for (std::size_t h = 0; h < n_.heads; ++h) body(s, h);
  }

  Columns head(const float* x, std::size_t s, std::size_t h, std::size_t rows, std::size_t depth) const {
    const std::size_t row = n_.heads * depth;
    return {x + s * rows * row + h * depth, row, depth, rows};
  }
  Columns query(const Chunk& c, std::size_t s, std::size_t h) const {
    return head(c.xs[0], s, h, n_.queries, n_.depth);
  }
  Columns key(const Chunk& c, std::size_t s, std::size_t h) const {
    return head(c.xs[1], s, h, n_.keys, n_.depth);
  }
  Columns value(const Chunk& c, std::size_t s, std::size_t h) const {
    return head(c.xs[2], s, h, n_.keys, n_.value_depth);
  }
  // The place in dx of the head `x` of an input.
  static Target to(float* dx, std::size_t s, std::size_t h, const Columns& x) {
    return {dx + s * x.rows * x.row + h * x.count, x.row};
  }

  // to (queries, keys) = a (queries, depth) @ transpose of b (keys, depth)
  void by_columns(const Chunk& c, float* to, const Columns& a, const Columns& b, std::size_t depth) const {
    const std::size_t panel = c.kernels.panel;
    c.kernels.pack_transposed(panels(c), depth * panel, b.data, depth, n_.keys, b.row);
    c.kernels.gemm({.c = {to, n_.keys},
                    .a = {a.data, offset(a.row)},
                    .b = {panels(c), panel, depth * panel},
                    .size = {n_.queries, n_.keys, depth},
                    .scratch = c.gemm_scratch});
  }
  // to (rows, b.count) = a (rows, sum) @ b (sum, b.count)
  void by_rows(const Chunk& c, const Target& to, std::size_t rows, const Strided& a, std::size_t sum,
               const Columns& b) const {
    const std::size_t panel = c.kernels.panel;
    c.kernels.pack(panels(c), sum * panel, b.data, sum, b.count, b.row);
    c.kernels.gemm({.c = {to.data, to.row},
                    .a = {a.data, offset(a.row), offset(a.column)},
                    .b = {panels(c), panel, sum * panel},
                    .size = {rows, b.count, sum},
                    .scratch = c.gemm_scratch});
  }

  static const ActivationKernels& softmax(const Chunk& c) {
    return c.kernels.activation[static_cast<std::size_t>(Activation::softmax)];
  }
  // x with dropout, at `room`, which may be x; x itself outside training.
  const float* dropped(const Chunk& c, std::size_t s, std::size_t h, const float* x, float* room) const {
    if (!c.saved || rate_ == 0.0f) return x;
    c.kernels.dropout(room, x, mix(c.key), ((c.first + s) * n_.heads + h) * matrix(), rate_, matrix());
    return room;
  }
  // Replaces the scores of keys that are hidden from a query. Softmax makes 0 of them; if all are hidden, it
  // makes equal weights.
  void hide(const Chunk& c, std::size_t s, std::size_t h, float* x) const {
    constexpr float kHidden = -1e9f;
    for (std::size_t i = 0; i < n_.queries; ++i, x += n_.keys) {
      for (std::size_t m = 0; m < masks_.size(); ++m) {
        const Mask& mask = masks_[m];
        const float* const valid = c.xs[kMasks + m] + s * mask.size + h * mask.head + i * mask.query;
        for (std::size_t j = 0; j < n_.keys; ++j)
          if (valid[j * mask.key] == 0.0f) x[j] = kHidden;
      }
      for (std::size_t j = i + 1; causal_ && j < n_.keys; ++j) x[j] = kHidden;
    }
  }

  AttentionSizes n_;
  std::vector<Mask> masks_;
  bool causal_;
  float scale_, rate_;
};

// A mask of shape (keys), (queries, keys) or (heads, queries, keys), with sizes of 1 for all.
Mask mask_of(const Spec& spec, const Shape& shape, const AttentionSizes& n) {
  Shape given = shape;
  const Shape wanted = {n.heads, n.queries, n.keys};
  given.insert(given.begin(), wanted.size() - std::min(given.size(), wanted.size()), 1);
  Shape stride(wanted.size());
  for (std::size_t axis = wanted.size(), step = 1; axis-- > 0; step *= given[axis]) {
    if (given.size() != wanted.size() || (given[axis] != 1 && given[axis] != wanted[axis]))
      spec.fail("expected a mask of shape (" + std::to_string(n.queries) + ", " + std::to_string(n.keys) +
                "), or (" + std::to_string(n.heads) + ", " + std::to_string(n.queries) + ", " +
                std::to_string(n.keys) + ") for the heads, got " + to_string(shape));
    stride[axis] = given[axis] == 1 ? 0 : step;
  }
  return {size_of(shape), stride[0], stride[1], stride[2]};
}

}  // namespace

std::unique_ptr<Layer> make_attention(const Spec& spec, const std::vector<Shape>& inputs) {
  constexpr std::size_t kFewest = 3;
  if (inputs.size() < kFewest)
    spec.fail("takes query, key and value, got " + std::to_string(inputs.size()) + " inputs");
  for (std::size_t i = 0; i < kFewest; ++i)
    if (inputs[i].size() != 2 || size_of(inputs[i]) == 0)
      spec.fail("expected samples of shape (steps, features), got " + to_string(inputs[i]));
  const Shape &q = inputs[0], &k = inputs[1], &v = inputs[2];
  const std::size_t heads = spec.positive("heads");
  if (q[1] != k[1] || k[0] != v[0])
    spec.fail("expected queries and keys of one size, and as many keys as values, got query " + to_string(q) +
              ", key " + to_string(k) + " and value " + to_string(v));
  if (q[1] % heads || v[1] % heads) spec.fail("heads must divide the features");
  const float rate = spec.single("dropout");
  if (!(rate >= 0.0f && rate <= 1.0f)) spec.fail("dropout must be in [0, 1], got " + std::to_string(rate));
  constexpr std::size_t kMost = std::size_t{1} << 27;
  if (q[0] > kMost / k[0] || heads > kMost / (q[0] * k[0]))
    spec.fail("the weights of a sample have more than " + std::to_string(kMost) + " elements");
  const AttentionSizes sizes{heads, q[0], k[0], q[1] / heads, v[1] / heads};
  std::vector<Mask> masks;
  for (std::size_t i = kFewest; i < inputs.size(); ++i) masks.push_back(mask_of(spec, inputs[i], sizes));
  return std::make_unique<Attention>(q, sizes, std::move(masks), spec);
}

}  // namespace nncore
