// The table of kernels of the instruction set NNCORE_ISA; this file is compiled once for each. Only the table
// has external linkage, so the linker cannot use code for a newer processor in the rest of the module.
#include "activation.hpp"
#include "columns.hpp"
#include "conv_pool_gradient.hpp"
#include "depthwise.hpp"
#include "gemm.hpp"
#include "kernels.hpp"
#include "loss.hpp"
#include "metric.hpp"
#include "narrow.hpp"
#include "normalization.hpp"
#include "pool2d.hpp"
#include "random.hpp"
#include "recurrent.hpp"
#include "softmax.hpp"
#include "update.hpp"
#include "winograd.hpp"

#define NNCORE_STRING_(x) #x
#define NNCORE_STRING(x) NNCORE_STRING_(x)

namespace nncore::NNCORE_ISA {

extern const Kernels kernels;
const Kernels kernels = {
    .isa = NNCORE_STRING(NNCORE_ISA),
    .lanes = kLanes,
    .panel = kPanel,
    .gemm_scratch = kGemmScratch,
    .pack = pack,
    .pack_transposed = pack_transposed,
    .gemm = gemm,
    .narrow_product = narrow_product,
    .depthwise = depthwise,
    .depthwise_input_gradient = depthwise_input_gradient,
    .depthwise_gradient = depthwise_gradient,
    .winograd_kernel = winograd_kernel,
    .winograd_kernel_gradient = winograd_kernel_gradient,
    .winograd_input = winograd_input,
    .winograd_input_gradient = winograd_input_gradient,
    .winograd_output = winograd_output,
    .winograd_pooled_output = winograd_pooled_output,
    .winograd_output_gradient = winograd_output_gradient,
    .activation = kActivationKernels,
    .loss = kLossKernels,
    .metric = kMetricKernels,
    .encode = encode,
    .max_pool2d = max_pool2d,
    .max_pool2d_backward = max_pool2d_backward,
    .average_pool2d = average_pool2d,
    .average_pool2d_backward = average_pool2d_backward,
    .conv_pool = conv_pool,
    .conv_pool_gradient = conv_pool_gradient,
    .conv_pool_input_gradient = conv_pool_input_gradient,
    .normalize_rows = normalize_rows,
    .normalize_rows_backward = normalize_rows_backward,
    .dropout = dropout,
    .noise = noise,
    .column_sums = column_sums,
    .column_products = column_products,
    .column_moments = column_moments,
    .column_affine = column_affine,
    .lstm = lstm,
    .lstm_backward = lstm_backward,
    .gru_reset = gru_reset,
    .gru_mix = gru_mix,
    .gru_mix_backward = gru_mix_backward,
    .gru_reset_backward = gru_reset_backward,
    .add = add,
    .add_wide = add_wide,
    .rescale = rescale,
    .update = kUpdateKernels,
};

}  // namespace nncore::NNCORE_ISA
