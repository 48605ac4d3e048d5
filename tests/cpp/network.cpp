// Networks without Python: steps allocate nothing, and all numbers of threads compute the same bits. Built
// with ThreadSanitizer, this looks for data races instead of allocations.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <set>

#include "../../cpp/engine/network.hpp"
#include "../../cpp/engine/one_node.hpp"
#include "../../cpp/runtime/parallel.hpp"
#include "stacks.hpp"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

[[maybe_unused]] void count_allocation() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

#if defined(__SANITIZE_THREAD__)
constexpr bool kCounts = false;
#else
constexpr bool kCounts = true;

// Replace glibc's functions to count all allocations of this process, those of runtime libraries included.
#define NNCORE_EXPORT __attribute__((visibility("default")))
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* old, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

NNCORE_EXPORT void* malloc(std::size_t size) noexcept {
  count_allocation();
  return __libc_malloc(size);
}
NNCORE_EXPORT void* calloc(std::size_t count, std::size_t size) noexcept {
  count_allocation();
  return __libc_calloc(count, size);
}
NNCORE_EXPORT void* realloc(void* old, std::size_t size) noexcept {
  count_allocation();
  return __libc_realloc(old, size);
}
NNCORE_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  count_allocation();
  return __libc_memalign(alignment, size);
}
NNCORE_EXPORT int posix_memalign(void** to, std::size_t alignment, std::size_t size) noexcept {
  count_allocation();
  *to = __libc_memalign(alignment, size);
  return *to ? 0 : ENOMEM;
}
}
#endif

namespace nncore::test {
namespace {

constexpr std::size_t kSamples = 288, kBatch = 96, kClasses = 10;

// Training data: byte images, class numbers, sample weights and an order of the samples.
struct Data {
  std::vector<std::uint8_t> images;
  std::vector<std::int64_t> labels, order;
  std::vector<float> weights;
  const float* weight = nullptr;
  Source x, y;

  Data()
      : images(kSamples * size_of(kImage)),
        labels(kSamples),
        order(kSamples),
        weights(kSamples, 0.5f),
        x(images.data(), 'u', 1, false, {kSamples, kImage[0], kImage[1], kImage[2]},
          {offset(size_of(kImage)), offset(kImage[1] * kImage[2]), offset(kImage[2]), 1}),
        y(labels.data(), 'i', sizeof(std::int64_t), false, {kSamples}, {sizeof(std::int64_t)}) {
    std::uint64_t random = 1;
    for (auto& byte : images)
      byte = static_cast<std::uint8_t>((random = random * 6364136223846793005u + 1442695040888963407u) >> 40);
    weight = weights.data();
    for (std::size_t i = 0; i < kSamples; ++i) {
      labels[i] = static_cast<std::int64_t>(i % kClasses);
      order[i] = static_cast<std::int64_t>((i * 7) % kSamples);
    }
  }
  // From `start` on; batches of kBatch.
  Samples samples(std::size_t start, bool weighted) const {
    return {&x, &y, weighted ? &weight : nullptr, order.data(), start, kSamples, kBatch};
  }
};

class Tests {
 public:
  void check(bool good, const std::string& what) {
    ++(good ? passed : failed);
    if (!good) std::printf("FAILED %s\n", what.c_str());
  }

  // Runs step() once, so that all buffers grow, then again: the second run must not allocate.
  template <class Step>
  void expect_no_allocation(const std::string& what, Step step) {
    step();
    allocations = 0;
    counting = true;
    step();
    counting = false;
    check(allocations == 0, what + " allocates " + std::to_string(allocations) + " times");
  }

  // Trains, tests and predicts without allocation; returns the trained parameters.
  std::vector<float> run(const std::string& graph_name, const Graph& graph, const Spec& optimizer,
                         const Spec& rules, bool fuse, int threads, bool penalized) {
    const std::string name = graph_name + (fuse ? "" : " not fused") + ", " + optimizer.kind + ", " +
                             std::to_string(threads) + " threads: ";
    set_num_threads(threads);
    Network network(graph, fuse);
    network.seed = 3;
    std::vector<float> parameters(network.weights().flat_size());
    for (std::size_t i = 0; i < parameters.size(); ++i)
      parameters[i] = static_cast<float>((i * 37) % 101) / 1010.0f - 0.05f;
    network.write("parameters", parameters.data());
    const Spec accuracy{"sparse_categorical_accuracy", {}};
    std::vector<WeightRule> regularizers, constraints;
    for (const FlatParameter& p : network.weights().flat_parameters()) {
      const Parameter& parameter = network.weights().parameter(p);
      if (!penalized || parameter.is_state) continue;
      const bool is_matrix = parameter.shape.size() == 2;
      regularizers.push_back({p.layer, p.index, {is_matrix ? "orthogonal_regularizer" : "l1_l2", {}}});
      constraints.push_back({p.layer, p.index, {"max_norm", {{"axis", std::vector<std::int64_t>{0}}}}});
    }
    network.compile({{Spec{"sparse_categorical_crossentropy", {}}, 1.0, {accuracy}, {accuracy}}}, optimizer,
                    std::vector<bool>(graph.layers.size(), true), regularizers, constraints, rules);
    std::vector<float> out(kSamples * kClasses);
    float* const to = out.data();
    Sums sums{std::vector<double>(3), std::vector<double>(3), {}, {}};
    constexpr double kAllBatches = 1e9;
    expect_no_allocation(name + "train", [&] { network.train(data_.samples(0, true), kAllBatches, sums); });
    expect_no_allocation(name + "test", [&] { network.test(data_.samples(0, false), kAllBatches, sums); });
    expect_no_allocation(name + "predict",
                         [&] { network.predict(&to, data_.samples(0, false), kAllBatches); });
    // With a smaller last batch, and after passes of other kinds.
    expect_no_allocation(name + "train again",
                         [&] { network.train(data_.samples(10, false), kAllBatches, sums); });
    network.read("parameters", parameters.data());
    return parameters;
  }

  // A chain of all merging layers without settings, on inputs of equal and of broadcast shapes.
  static Graph merges() {
    Graph graph{{kImage},
                {conv2d(6, "relu", {.padding = "same"}), {"global_average_pooling2d", {{"keepdims", false}}}},
                {},
                {}};
    graph.calls = {{0, {0}}, {1, {1}}};
    std::size_t value = 1, last = 2;
    const auto call = [&](Spec spec, std::vector<std::size_t> inputs) {
      graph.calls.push_back({graph.layers.size(), std::move(inputs)});
      graph.layers.push_back(std::move(spec));
      return ++last;
    };
    for (const std::string& kind : layer_kinds()) {
      try {
        make_layer({kind, {}}, {Shape{2}, Shape{2}});
      } catch (const std::invalid_argument&) {
        continue;
      }
      value = call({kind, {}}, {value, value % 2 ? std::size_t{1} : std::size_t{2}});
    }
    const std::size_t flat = call(kFlatten, {value});
    const std::size_t product = call({"dot", {{"axes", std::vector<std::int64_t>{0, 0}}}}, {2, 2});
    const std::size_t both = call({"concatenate", {{"axis", std::int64_t{0}}}}, {flat, product});
    const std::size_t steps = call({"reshape", {{"target_shape", std::vector<std::int64_t>{13, 66}}}}, {1});
    const std::size_t mask = call({"mask", {{"value", 0.0}, {"of_features", true}}}, {steps});
    const std::size_t attended =
        call({"attention", {{"heads", std::int64_t{2}}, {"scale", 0.2}, {"dropout", 0.1}, {"causal", true}}},
             {steps, steps, steps});
    const std::size_t selected = call({"select", {}}, {mask, attended, steps});
    const std::size_t mean = call({"masked_average", {{"keepdims", false}}}, {selected, mask});
    const std::size_t every = call({"concatenate", {{"axis", std::int64_t{0}}}}, {both, mean});
    graph.outputs = {call(dense(kClasses, "softmax"), {every})};
    return graph;
  }

  // Every stack, a graph whose values have several readers and whose layers have several calls, and merges().
  static std::vector<std::pair<std::string, Graph>> graphs() {
    std::vector<std::pair<std::string, Graph>> all;
    for (const Stack& stack : stacks()) {
      Specs specs = stack.specs;
      specs.push_back(kFlatten);
      specs.push_back(dense(kClasses, "softmax"));
      all.emplace_back(stack.name, Graph::chain(kImage, specs));
    }
    const Specs specs{conv2d(6, "relu", {.padding = "same"}),
                      conv2d(6, "silu", {.padding = "same"}),
                      {"add", {}},
                      {"concatenate", {{"axis", std::int64_t{2}}}},
                      pooling("max_pooling2d", kPairs),
                      kFlatten,
                      dense(kClasses, "softmax")};
    // Values 1 to 8: layer 0, layer 1 twice, the sum of these, its concatenation with value 1, ..., classes.
    const std::vector<Call> calls{{0, {0}},    {1, {1}}, {1, {2}}, {2, {1, 2, 3}},
                                  {3, {4, 1}}, {4, {5}}, {5, {6}}, {6, {7}}};
    all.emplace_back("graph", Graph{{kImage}, specs, calls, {8}});
    all.emplace_back("merges", merges());
    return all;
  }

  void all() {
    std::set<std::string> kinds;
    const auto every = graphs();
    for (std::size_t i = 0; i < every.size(); ++i) {
      const std::string& name = every[i].first;
      Graph graph = every[i].second;
      if (i % 3 == 0) graph.penalized = {{graph.values() / 2, {"l1", {}}}};
      for (const Spec& spec : graph.layers) kinds.insert(spec.kind);
      const Spec optimizer{kOptimizers[i % kOptimizers.size()].name,
                           {{"momentum", 0.9}, {"weight_decay", 0.1}}};
      const Spec rules = i % 2 == 0 ? Spec{}
                                    : Spec{"rules",
                                           {{i % 4 == 1 ? "clipnorm" : "global_clipnorm", 0.1},
                                            {"use_ema", 1.0},
                                            {"ema_momentum", 0.9},
                                            {"ema_overwrite_frequency", 2.0},
                                            {"gradient_accumulation_steps", 2.0}}};
      for (const bool fuse : {true, false}) {
        const bool penalized = i % 3 == 0;
        const auto one = run(name, graph, optimizer, rules, fuse, 1, penalized);
        check(std::all_of(one.begin(), one.end(), [](float v) { return v - v == 0.0f; }),
              name + ": finite parameters");
        for (const int threads : {2, 3})
          check(run(name, graph, optimizer, rules, fuse, threads, penalized) == one,
                name + ": the bits of one thread with " + std::to_string(threads));
      }
    }
    const std::vector<std::string> known = layer_kinds();
    check(kinds == std::set(known.begin(), known.end()), "every kind of layer is used");
  }

  // y, dx and the gradients of a layer between arrays.
  std::vector<std::vector<float>> run_alone(const Spec& spec, const Shape& input, int threads) {
    const auto made = make_layer(spec, {input});
    const Layer& layer = *made;
    set_num_threads(threads);
    const std::size_t in = kSamples * size_of(layer.input()), out = kSamples * size_of(layer.output());
    const auto numbers = [](std::size_t size, std::size_t factor) {
      std::vector<float> values(size);
      for (std::size_t i = 0; i < size; ++i) values[i] = static_cast<float>(i * factor % 211) / 211.0f - 0.5f;
      return values;
    };
    const std::vector<float> x = numbers(in, 37), dy = numbers(out, 53);
    std::vector<std::vector<float>> parameters,
        results{std::vector<float>(out + kSlack), std::vector<float>(in + kSlack)};
    for (const Parameter& p : layer.parameters()) {
      parameters.push_back(numbers(size_of(p.shape), 71));
      results.emplace_back(size_of(p.shape) + kSlack);
    }
    std::vector<const float*> held;
    std::vector<float*> gradients;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      held.push_back(parameters[i].data());
      if (!layer.parameters()[i].is_state) gradients.push_back(results[i + 2].data());
    }
    const ArrayCall call{held, x.data(), kSamples, 5};
    (*OneNode(spec, input, false)).forward(call, results[0].data(), true);
    (*OneNode(spec, input, true)).backward(call, dy.data(), results[1].data(), gradients);
    return results;
  }

  void layers_alone() {
    for (const Stack& stack : stacks()) {
      Shape input = kImage;
      for (const Spec& spec : stack.specs) {
        if (spec.kind == "embedding") break;  // reads whole numbers
        const auto one = run_alone(spec, input, 1);
        for (const int threads : {2, 3})
          check(run_alone(spec, input, threads) == one, std::string(stack.name) + ", " + spec.kind +
                                                            " alone: the bits of one thread with " +
                                                            std::to_string(threads));
        input = make_layer(spec, {input})->output();
      }
    }
  }

  void counter() {
    if (!kCounts) return;
    allocations = 0;
    counting = true;
    delete new std::vector<float>(1000);
    const Buffer buffer(1000);
    std::free(std::calloc(1, 1000));
    counting = false;
    check(allocations == 4, "the counter sees 4 allocations, not " + std::to_string(allocations));
  }

  int passed = 0, failed = 0;

 private:
  Data data_;
};

}  // namespace
}  // namespace nncore::test

int main() {
  nncore::test::Tests tests;
  tests.counter();
  tests.all();
  tests.layers_alone();
  std::printf("networks: %d passed, %d failed%s\n", tests.passed, tests.failed,
              kCounts ? "" : " (allocations are not counted)");
  return tests.failed == 0 ? 0 : 1;
}
