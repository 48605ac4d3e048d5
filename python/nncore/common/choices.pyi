# Written by tests/test_types.py: the names of each family, for type checkers
# fmt: off
from typing import Any, Literal

Several = list[Any] | tuple[Any, ...] | dict[str, Any]

Activation = Literal[
    "elu", "gelu", "leaky_relu", "linear", "mish", "relu", "selu", "sigmoid", "silu", "softmax", "softplus",
    "swish", "tanh"
]

Constraint = Literal[
    "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "max_norm", "min_max_norm", "non_neg", "unit_norm"
]

Initializer = Literal[
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform",
    "Ones", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "constant",
    "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "normal",
    "one", "ones", "random_normal", "random_uniform", "truncated_normal", "uniform", "variance_scaling",
    "zero", "zeros"
]

Loss = Literal[
    "BCE", "BinaryCrossentropy", "CategoricalCrossentropy", "Huber", "KLD", "KLDivergence", "MAE", "MSE",
    "MeanAbsoluteError", "MeanSquaredError", "SparseCategoricalCrossentropy", "bce", "binary_crossentropy",
    "categorical_crossentropy", "huber", "kl_divergence", "kld", "mae", "mean_absolute_error",
    "mean_squared_error", "mse", "sparse_categorical_crossentropy"
]

Optimizer = Literal[
    "Adam", "AdamW", "Nadam", "RMSprop", "SGD", "adam", "adamw", "nadam", "rmsprop", "sgd"
]

Regularizer = Literal[
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "l1", "l1_l2", "l1l2", "l2", "orthogonal_regularizer"
]
