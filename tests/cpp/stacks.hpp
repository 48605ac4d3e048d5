// Stacks of layers that the tests of networks run: every kind of layer with one input is in one of them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../../cpp/core/spec.hpp"
#include "../../cpp/kernels/table.hpp"

namespace nncore::test {
namespace {

using Specs = std::vector<Spec>;

Spec with(Spec spec, const std::string& activation) {
  spec.attributes["activation"] = activation;
  return spec;
}
Spec activation(const std::string& name) { return with({"activation", {}}, name); }
Spec dense(std::int64_t units, const std::string& activation = "linear", bool use_bias = true) {
  return with({"dense", {{"units", units}, {"use_bias", use_bias}}}, activation);
}

std::vector<std::int64_t> both(std::int64_t n) { return {n, n}; }

struct Window {
  std::int64_t size = 3, strides = 1;
  std::string padding = "valid";
  std::int64_t dilation = 1, groups = 1;
};
Spec conv2d(std::int64_t filters, const std::string& activation, const Window& w = {}) {
  return with({"conv2d",
               {{"filters", filters},
                {"kernel_size", both(w.size)},
                {"strides", both(w.strides)},
                {"padding", w.padding},
                {"dilation_rate", both(w.dilation)},
                {"groups", w.groups},
                {"use_bias", true}}},
              activation);
}
Spec pooling(const std::string& kind, const Window& w) {
  return {kind, {{"pool_size", both(w.size)}, {"strides", both(w.strides)}, {"padding", w.padding}}};
}
Spec layer_normalization(std::vector<std::int64_t> axis, bool has_weights) {
  return {"layer_normalization",
          {{"axis", std::move(axis)}, {"epsilon", 1e-3}, {"center", has_weights}, {"scale", has_weights}}};
}
Spec batch_normalization(std::int64_t axis, bool has_weights) {
  return with({"batch_normalization",
               {{"axis", axis},
                {"momentum", 0.9},
                {"epsilon", 1e-3},
                {"center", has_weights},
                {"scale", has_weights}}},
              "linear");
}
Spec global_pooling(const std::string& kind) { return {kind, {{"keepdims", true}}}; }
const Spec kFlatten{"flatten", {}};

const std::vector<double> kFactors{-0.2, 0.2};
Spec random(const std::string& kind, const std::vector<const char*>& factors) {
  Spec spec{kind,
            {{"fill_mode", std::string("reflect")},
             {"interpolation", std::string("bilinear")},
             {"fill_value", 0.0}}};
  for (const char* factor : factors) spec.attributes[factor] = kFactors;
  return spec;
}
Spec recurrent(const std::string& kind, std::int64_t units) {
  return {kind,
          {{"units", units},
           {"use_bias", true},
           {"dropout", 0.1},
           {"recurrent_dropout", 0.1},
           {"return_sequences", true},
           {"go_backwards", false},
           {"reset_after", true},
           {"recurrent_activation", std::string("sigmoid")},
           {"cell_activation", std::string("tanh")},
           {"is_joined", false}}};
}

const Window kPairs{.size = 2, .strides = 2};
const Shape kImage{13, 11, 4};

Specs activations() {
  Specs all;
  for (const ActivationRow& row : kActivations) all.push_back(activation(row.name));
  return all;
}

struct Stack {
  const char* name;
  Specs specs;  // from kImage; a flatten and a dense layer follow
};
std::vector<Stack> stacks_of_sizes() {
  return {
      {"sizes",
       {{"zero_padding", {{"padding", std::vector<std::int64_t>{1, 2, 0, 1}}}},
        with({"conv2d_transpose",
              {{"filters", std::int64_t{3}},
               {"kernel_size", both(3)},
               {"strides", both(2)},
               {"padding", std::string("same")},
               {"output_padding", both(-1)},
               {"dilation_rate", both(1)},
               {"use_bias", true}}},
             "relu"),
        {"cropping", {{"cropping", std::vector<std::int64_t>{1, 0, 2, 1}}}},
        {"up_sampling", {{"size", both(2)}, {"interpolation", std::string("bilinear")}}},
        {"resizing",
         {{"height", std::int64_t{9}},
          {"width", std::int64_t{8}},
          {"interpolation", std::string("bilinear")},
          {"fill_value", 0.0},
          {"fit", std::string("stretch")}}},
        {"center_crop", {{"height", std::int64_t{7}}, {"width", std::int64_t{6}}}},
        {"softmax", {{"axis", std::vector<std::int64_t>{1}}}}}},
      {"random images",
       {{"random_flip", {{"mode", std::string("horizontal_and_vertical")}}},
        random("random_rotation", {"factor"}),
        random("random_zoom", {"height_factor"}),
        random("random_translation", {"height_factor", "width_factor"}),
        {"random_contrast", {{"factor", kFactors}, {"value_range", std::vector<double>{0.0, 255.0}}}},
        {"random_brightness", {{"factor", kFactors}, {"value_range", std::vector<double>{0.0, 255.0}}}},
        {"random_crop", {{"height", std::int64_t{9}}, {"width", std::int64_t{8}}}},
        {"normalization",
         {{"axis", std::vector<std::int64_t>{-1}},
          {"mean", std::vector<double>{10.0, 20.0, 30.0, 40.0}},
          {"variance", std::vector<double>{100.0, 200.0, 300.0, 400.0}},
          {"invert", false}}}}},
  };
}
std::vector<Stack> stacks_of_steps() {
  return {
      {"steps",
       {{"reshape", {{"target_shape", std::vector<std::int64_t>{11, 52}}}},
        {"masking", {{"mask_value", 0.0}}},
        recurrent("lstm", 5),
        recurrent("gru", 6),
        {"permute", {{"dims", std::vector<std::int64_t>{2, 1}}}},
        with({"time_distributed",
              {{"layer", std::string("dense")}, {"units", std::int64_t{4}}, {"use_bias", true}}},
             "tanh"),
        recurrent("simple_rnn", 7),
        kFlatten,
        {"repeat_vector", {{"n", std::int64_t{2}}}}}},
      {"embedding",
       {{"embedding",
         {{"input_dim", std::int64_t{256}},
          {"output_dim", std::int64_t{2}},
          {"name", std::string("table")}}}}},
  };
}
std::vector<Stack> plain_stacks() {
  return {
      {"dense", {kFlatten, dense(65, "relu"), dense(70, "gelu", false), dense(9, "tanh")}},
      {"activations", activations()},
      {"conv2d", {conv2d(17, "relu"), conv2d(5, "silu", {.size = 2, .strides = 2})}},
      {"conv2d same", {conv2d(9, "silu", {.padding = "same"}), conv2d(4, "linear")}},
      {"conv2d dilated", {conv2d(8, "elu", {.padding = "same", .dilation = 2})}},
      {"conv2d groups", {conv2d(8, "linear", {.groups = 2})}},
      {"conv2d depthwise", {conv2d(4, "relu", {.padding = "same", .groups = 4})}},
      {"conv2d and pooling", {conv2d(16, "relu"), pooling("max_pooling2d", kPairs)}},
      {"deep conv2d and pooling",
       {conv2d(8, "relu", {.padding = "same"}), conv2d(16, "linear"), pooling("max_pooling2d", kPairs)}},
      {"max_pooling2d", {conv2d(6, "linear", {.size = 1}), pooling("max_pooling2d", {.strides = 2})}},
      {"average_pooling2d",
       {conv2d(6, "linear", {.size = 1}), pooling("average_pooling2d", {.padding = "same"})}},
      {"global pooling", {conv2d(33, "relu"), global_pooling("global_average_pooling2d")}},
      {"global max pooling", {conv2d(33, "relu"), global_pooling("global_max_pooling2d")}},
      {"batch_normalization",
       {conv2d(9, "linear"), batch_normalization(-1, true), activation("relu"), batch_normalization(1, false),
        batch_normalization(-1, true), kFlatten, dense(50), batch_normalization(-1, false)}},
      {"layer_normalization",
       {layer_normalization({1, 2, 3}, false), conv2d(6, "relu"), layer_normalization({-1}, true), kFlatten,
        dense(50), layer_normalization({-1}, true)}},
      {"dropout", {{"dropout", {{"rate", 0.3}}}, kFlatten, dense(50, "relu"), {"dropout", {{"rate", 0.5}}}}},
      {"noise",
       {{"gaussian_noise", {{"stddev", 0.3}}},
        {"prelu", {{"shared_axes", both(1)}}},
        {"alpha_dropout", {{"rate", 0.2}}},
        {"gaussian_dropout", {{"rate", 0.2}}}}},
      {"views",
       {{"reshape", {{"target_shape", std::vector<std::int64_t>{11, -1, 4}}}},
        {"rescaling", {{"scale", 0.5}, {"offset", -1.0}}}}},
  };
}
const std::vector<Stack>& stacks() {
  static const std::vector<Stack> all = [] {
    std::vector<Stack> each = plain_stacks();
    for (const auto& more : {stacks_of_sizes(), stacks_of_steps()})
      each.insert(each.end(), more.begin(), more.end());
    return each;
  }();
  return all;
}

}  // namespace
}  // namespace nncore::test
