"""Bad input: one row a case. Each raises what is said, with a text that helps,
and leaves the model as it was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nncore
from nncore import activations, callbacks, initializers, losses, metrics, models, optimizers, utils
from nncore.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalMaxPooling2D,
    Input,
    LayerNormalization,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)

Row = tuple[str, type[Exception], str, Callable[[], object]]


def Sequential(*layers: Any) -> nncore.Sequential:
    return nncore.Sequential(list(layers))


def image(*layers: Any) -> nncore.Sequential:
    return Sequential(Input((8, 6, 4)), *layers)


# ---- making layers

# fmt: off
LAYERS: list[Row] = [
    ("zero units", ValueError, r"\[Dense\] units must be at least 1, got 0", lambda: Dense(0)),
    ("negative units", ValueError, "units must be at least 1", lambda: Dense(-3)),
    ("fractional units", TypeError, r"units must be an integer, got 2\.5", lambda: Dense(2.5)),
    ("units as text", TypeError, "units must be an integer, got '8'", lambda: Dense("8")),
    ("units as bool", TypeError, "units must be an integer, got True", lambda: Dense(True)),
    ("units of None", TypeError, "units must be an integer, got None", lambda: Dense(None)),
    ("huge units", ValueError, "units must be at most", lambda: Dense(2**40)),
    ("misspelt activation", ValueError, "no activation 'rellu'. Did you mean 'relu'",
     lambda: Dense(2, "rellu")),
    ("unknown activation", ValueError, "no activation 'xyz'. There are: .*elu", lambda: Dense(2, "xyz")),
    ("activation of one's own", TypeError, "function of nncore.activations", lambda: Dense(2, np.sin)),
    ("activation as a number", TypeError, "activation must be a name", lambda: Dense(2, 3)),
    ("use_bias as text", TypeError, "use_bias must be True or False", lambda: Dense(2, use_bias="no")),
    ("misspelt keyword", TypeError, "'activaton'. Did you mean 'activation'",
     lambda: Dense(2, activaton="relu")),
    ("unknown keyword", TypeError, r"\[Dense\] unexpected argument 'foo'", lambda: Dense(2, foo=1)),
    ("misspelt regularizer", ValueError, r"\[Dense\] there is no regularizer 'l3'. There are: L1, ",
     lambda: Dense(2, kernel_regularizer="l3")),
    ("regularizer of one's own", TypeError, r"\[Flatten\] regularizer must be a name or a Regularizer",
     lambda: Flatten(activity_regularizer=lambda x: x)),
    ("misspelt constraint", ValueError, "there is no constraint 'max_form'. Did you mean 'max_norm'",
     lambda: Conv2D(2, 3, bias_constraint="max_form")),
    ("lora", ValueError, "lora_rank=4 is not available yet", lambda: Dense(2, lora_rank=4)),
    ("dtype", ValueError, "dtype='float16' is not available yet", lambda: Dense(2, dtype="float16")),
    ("misspelt initializer", ValueError, "Did you mean 'glorot_uniform'",
     lambda: Dense(2, kernel_initializer="glorot_unifrom")),
    ("initializer of None", TypeError, "bias_initializer must be a name",
     lambda: Dense(2, bias_initializer=None)),
    ("initializer as a function", TypeError, "name or an Initializer",
     lambda: Dense(2, kernel_initializer=np.zeros)),
    ("name as a number", TypeError, "name must be a string, got 3", lambda: Dense(2, name=3)),
    ("name with a slash", ValueError, "name must not be empty or contain '/'", lambda: Dense(2, name="a/b")),
    ("empty name", ValueError, "name must not be empty", lambda: Dense(2, name="")),
    ("trainable as a number", TypeError, "trainable must be True or False", lambda: Dense(2, trainable=2)),
    ("input_shape as a number", TypeError, "input_shape must be a tuple", lambda: Dense(2, input_shape=3)),
    ("input_shape with zero", ValueError, "input_shape must be at least 1",
     lambda: Dense(2, input_shape=(0,))),
    ("input of no samples", ValueError, "batch_size must be at least 1", lambda: Input((3,), batch_size=0)),
    ("input of two batch sizes", ValueError, "batch_size and batch_shape must not be given both",
     lambda: Input(batch_size=2, batch_shape=(2, 3))),
    ("input of time", ValueError, "dtype='datetime64' is not available",
     lambda: Input((3,), dtype="datetime64")),
    ("input of half precision", ValueError, "dtype='float16' is not available",
     lambda: Input((3,), dtype="float16")),
    ("input_shape and input_dim", ValueError, "not be given both",
     lambda: Dense(2, input_shape=(2,), input_dim=2)),
    ("setting changed later", AttributeError, "units is fixed", lambda: setattr(Dense(2), "units", 3)),
    ("no filters", ValueError, "filters must be at least 1", lambda: Conv2D(0, 3)),
    ("kernel of 0", ValueError, "kernel_size must be at least 1, got 0", lambda: Conv2D(2, 0)),
    ("kernel of one size", ValueError, "integer or a pair", lambda: Conv2D(2, (3,))),
    ("kernel of three sizes", ValueError, "integer or a pair", lambda: Conv2D(2, (3, 3, 3))),
    ("kernel as text", TypeError, "kernel_size must be an integer", lambda: Conv2D(2, "3")),
    ("strides of 0", ValueError, "strides must be at least 1", lambda: Conv2D(2, 3, strides=0)),
    ("negative dilation", ValueError, "dilation_rate must be at least 1",
     lambda: Conv2D(2, 3, dilation_rate=-1)),
    ("misspelt padding", ValueError, "got 'valdi'. Did you mean 'valid'",
     lambda: Conv2D(2, 3, padding="valdi")),
    ("padding as a number", TypeError, "padding must be one of", lambda: Conv2D(2, 3, padding=1)),
    ("channels first", ValueError, "data_format='channels_first' is not",
     lambda: Conv2D(2, 3, data_format="channels_first")),
    ("strides and dilation", ValueError, "only one of strides and dilation_rate",
     lambda: Conv2D(2, 3, 2, dilation_rate=2)),
    ("groups and filters", ValueError, "groups must divide filters, got 2 and 3",
     lambda: Conv2D(3, 3, groups=2)),
    ("pool of 0", ValueError, "pool_size must be at least 1", lambda: MaxPooling2D(0)),
    ("pool with wrong strides", TypeError, "strides must be an integer",
     lambda: AveragePooling2D(2, strides=1.5)),
    ("keepdims as a number", TypeError, "keepdims must be True or False",
     lambda: GlobalMaxPooling2D(keepdims=1)),
    ("dropout above 1", ValueError, r"rate must be in \[0, 1\], got 1\.5", lambda: Dropout(1.5)),
    ("negative dropout", ValueError, "rate must be in", lambda: Dropout(-0.1)),
    ("dropout of NaN", ValueError, "rate must be in", lambda: Dropout(float("nan"))),
    ("dropout as text", TypeError, "rate must be a number", lambda: Dropout("0.5")),
    ("dropout with a seed", ValueError, "seed=3 is not available yet", lambda: Dropout(0.5, seed=3)),
    ("two unknown sizes", ValueError, "-1 at most once", lambda: Reshape((-1, -1))),
    ("size of zero", ValueError, "must hold positive sizes", lambda: Reshape((0, 2))),
    ("shape as a number", TypeError, "target_shape must be a tuple", lambda: Reshape(4)),
    ("scale as text", TypeError, "scale must be a number", lambda: Rescaling("1/255")),
    ("infinite offset", ValueError, "offset must be finite", lambda: Rescaling(1.0, np.inf)),
    ("normalization of the batch", ValueError, "axis=0 is the batch axis", lambda: LayerNormalization(0)),
    ("normalization of no axis", ValueError, "one axis or more", lambda: LayerNormalization([])),
    ("normalization with an axis as text", TypeError, "axis must be an integer",
     lambda: LayerNormalization("last")),
    ("normalization with a negative epsilon", ValueError, r"epsilon must be in \[0, inf\), got -1",
     lambda: LayerNormalization(epsilon=-1)),
    ("normalization with gamma of None", TypeError, "gamma_initializer must be a name",
     lambda: LayerNormalization(gamma_initializer=None)),
    ("normalization by the variance alone", ValueError, "rms_scaling=True is not available",
     lambda: LayerNormalization(rms_scaling=True)),
    ("softmax over axis 0", ValueError, "axis=0 is the batch axis", lambda: Softmax(axis=0)),
    ("relu with a low limit", ValueError, "max_value must be above threshold=7, got 6",
     lambda: ReLU(max_value=6, threshold=7)),
    ("negative slope", ValueError, "negative_slope must be in", lambda: ReLU(negative_slope=-1.0)),
    ("slope as text", TypeError, "negative_slope must be a number", lambda: LeakyReLU("a")),
    ("alpha of None", TypeError, "alpha must be a number", lambda: ELU(None)),
    ("no activation at all", TypeError, "activation", lambda: Activation()),
    ("input without a shape", ValueError, "shape must be given", lambda: Input()),
    ("input of a number", TypeError, "shape must be a tuple", lambda: Input(3)),
    ("input of negative size", ValueError, "shape must be at least 1", lambda: Input((3, -1))),
    ("sparse input", ValueError, "sparse=True is not available", lambda: Input((3,), sparse=True)),
]
# fmt: on

# ---- putting them together

# fmt: off
MODELS: list[Row] = [
    ("text as a layer", TypeError, "only layers can be added", lambda: Sequential("dense")),
    ("class as a layer", TypeError, r"an instance is needed: Flatten\(\)", lambda: Sequential(Flatten)),
    ("one layer without a list", TypeError, "layers must be a list", lambda: nncore.Sequential(Dense(2))),
    ("equal names", ValueError, "names must differ",
     lambda: Sequential(Dense(1, name="a"), Dense(1, name="a"))),
    ("layer twice", ValueError, "cannot be added twice", lambda: (lambda d: Sequential(d, d))(Dense(1))),
    ("input in the middle", ValueError, "first item", lambda: Sequential(Dense(1), Input((2,)))),
    ("two inputs", ValueError, "first item", lambda: Sequential(Input((2,)), Input((2,)))),
    ("kernel larger than image", ValueError, "does not fit", lambda: image(Conv2D(2, 9))),
    ("kernel larger with dilation", ValueError, "does not fit", lambda: image(Conv2D(2, 4, dilation_rate=2))),
    ("pool larger than image", ValueError, "does not fit", lambda: image(MaxPooling2D((1, 7)))),
    ("groups and channels", ValueError, "groups=3 must divide", lambda: image(Conv2D(3, 3, groups=3))),
    ("convolution of vectors", ValueError, r"\(height, width, channels\)",
     lambda: Sequential(Input((3,)), Conv2D(1, 1))),
    ("pooling of vectors", ValueError, "height, width, channels",
     lambda: Sequential(Input((3,)), MaxPooling2D())),
    ("reshape that does not fit", ValueError, "cannot reshape",
     lambda: Sequential(Input((6,)), Reshape((4,)))),
    ("reshape with a remainder", ValueError, "cannot reshape",
     lambda: Sequential(Input((6,)), Reshape((-1, 4)))),
    ("normalization of the first axis", ValueError,
     r"\[ln\] axis must name the last axes, .* got \[1\] for samples of shape \(8, 6, 4\): move the axis",
     lambda: image(LayerNormalization([1], name="ln"))),
    ("normalization with a gap", ValueError, r"got \[1, 3\] for", lambda: image(LayerNormalization([1, 3]))),
    ("normalization beyond the axes", ValueError, r"got \[4\] for", lambda: image(LayerNormalization(4))),
    ("normalization of an axis twice", ValueError, r"got \[-1, 3\] for",
     lambda: image(LayerNormalization([-1, 3]))),
    ("normalization of scalars", ValueError, r"got \[-1\] for samples of shape \(\)",
     lambda: Sequential(Input(()), LayerNormalization())),
    ("dense of scalars", ValueError, "at least one feature axis", lambda: Sequential(Input(()), Dense(1))),
    ("pop of nothing", IndexError, "no layer to pop", lambda: Sequential().pop()),
    ("build without layers", ValueError, "has no layers", lambda: Sequential().build((None, 3))),
    ("build without a shape", ValueError, "input_shape must be given", lambda: Sequential(Dense(1)).build()),
    ("build with another shape", ValueError, "is made for samples of shape",
     lambda: Sequential(Input((2,)), Dense(1)).build((None, 3))),
    ("unknown layer name", ValueError, "there is no layer 'x'", lambda: built().get_layer("x")),
    ("layer index too large", ValueError, "none at index 9", lambda: built().get_layer(index=9)),
    ("get_layer of nothing", ValueError, "needs a name or an index", lambda: built().get_layer()),
    ("input_shape before build", AttributeError, "no input shape yet",
     lambda: Sequential(Dense(1)).input_shape),
    ("output_shape before build", AttributeError, "no output shape yet",
     lambda: Sequential(Dense(1)).output_shape),
    ("count before build", ValueError, "is not built", lambda: Sequential(Dense(1)).count_params()),
    ("kernel before build", AttributeError, "is not built", lambda: Dense(1).kernel),
    ("layer count before build", ValueError, "is not built", lambda: Dense(1).count_params()),
    ("set_weights before build", ValueError, "is not built", lambda: Sequential(Dense(1)).set_weights([])),
    ("save_weights before build", ValueError, "is not built", lambda: Sequential(Dense(1)).save_weights("x")),
    ("narrow summary", ValueError, "line_length must be at least", lambda: built().summary(line_length=3)),
]
# fmt: on


def built(**compile_arguments: Any) -> nncore.Sequential:
    model = Sequential(Input((3,)), Dense(4, activation="relu"), Dense(1, activation="sigmoid"))
    if compile_arguments:
        model.compile(**compile_arguments)
    return model


# fmt: off
SETTINGS: list[Row] = [
    ("an optimizer of Keras", ValueError, "'ftrl' is not available yet", lambda: built(optimizer="ftrl")),
    ("misspelt optimizer", ValueError, "'adan'. Did you mean 'adam'", lambda: built(optimizer="adan")),
    ("optimizer class", TypeError, r"an instance: Adam\(\)", lambda: built(optimizer=optimizers.Adam)),
    ("optimizer as a number", TypeError, "name or an Optimizer", lambda: built(optimizer=1)),
    ("misspelt loss", ValueError, "Did you mean 'binary_crossentropy'",
     lambda: built(optimizer="sgd", loss="binary_crosentropy")),
    ("loss of one's own", TypeError, "name, a Loss or a function",
     lambda: built(optimizer="sgd", loss=lambda a, b: 0)),
    ("misspelt metric", ValueError, "'acuracy'. Did you mean 'accuracy'",
     lambda: built(optimizer="sgd", loss="mse", metrics=["acuracy"])),
    ("metric without a list", TypeError, r"must be a list: metrics=\['acc'\]",
     lambda: built(optimizer="sgd", metrics="acc")),
    ("metric called loss", ValueError, "must not use the name 'loss'",
     lambda: built(optimizer="sgd", metrics=[metrics.MeanAbsoluteError(name="loss")])),
    ("metric that is a number", TypeError, "name, a Metric or a function",
     lambda: built(optimizer="sgd", metrics=[3])),
    ("metric of other targets", ValueError, "same kind of targets",
     lambda: built(optimizer="sgd", loss="mse", metrics=["sparse_categorical_accuracy"])),
    ("loss weights as text", TypeError, "loss_weights must be numbers",
     lambda: built(optimizer="sgd", loss="mse", loss_weights="a")),
    ("metrics in third place", TypeError, "did you mean metrics",
     lambda: built().compile("sgd", "mse", ["acc"])),
    ("no steps in one", ValueError, "steps_per_execution must be at least 1",
     lambda: built(optimizer="sgd", steps_per_execution=0)),
    ("unknown compile argument", TypeError, "unexpected argument .losss.. Did you mean .loss.",
     lambda: built(optimizer="sgd", losss="mse")),
    ("negative learning rate", ValueError, "learning_rate must be in", lambda: optimizers.Adam(-1)),
    ("learning rate of NaN", ValueError, "learning_rate must be in", lambda: optimizers.SGD(float("nan"))),
    ("learning rate as text", TypeError, "learning_rate must be a number", lambda: optimizers.Adam("fast")),
    ("schedule", TypeError, "a number or a LearningRateSchedule", lambda: optimizers.Adam(lambda: 0.1)),
    ("momentum of 2", ValueError, "momentum must be in", lambda: optimizers.SGD(momentum=2.0)),
    ("nesterov as text", TypeError, "nesterov must be True or False", lambda: optimizers.SGD(nesterov="yes")),
    ("beta above 1", ValueError, "beta_1 must be in", lambda: optimizers.Adam(beta_1=1.1)),
    ("weight decay below 0", ValueError, "weight_decay must be in", lambda: optimizers.Adam(weight_decay=-1)),
    ("scale of the loss", ValueError, "loss_scale_factor=2.0 is not available",
     lambda: optimizers.SGD(loss_scale_factor=2.0)),
    ("misspelt optimizer argument", TypeError, "Did you mean 'weight_decay'",
     lambda: optimizers.Adam(weight_decy=0)),
    ("smoothing above 1", ValueError, "label_smoothing must be in",
     lambda: losses.BinaryCrossentropy(label_smoothing=2)),
    ("reduction", ValueError, "reduction must be one of",
     lambda: losses.MeanSquaredError(reduction="median")),
    ("reduction of None", ValueError, "a model is trained for one number",
     lambda: built(loss=losses.MeanSquaredError(reduction=None))),
    ("ignored class", ValueError, "ignore_class=0",
     lambda: losses.SparseCategoricalCrossentropy(ignore_class=0)),
    ("threshold", TypeError, "threshold must be a number", lambda: metrics.BinaryAccuracy(threshold="0.3")),
    ("negative stddev", ValueError, "stddev must be in", lambda: initializers.RandomNormal(stddev=-1)),
    ("unknown mode", ValueError, "Did you mean 'fan_avg'",
     lambda: initializers.VarianceScaling(mode="fan_av")),
    ("scale of 0", ValueError, "scale must be in", lambda: initializers.VarianceScaling(scale=0)),
    ("initial seed as text", TypeError, "seed must be an integer", lambda: initializers.HeNormal(seed="a")),
    ("unknown activation name", ValueError, "no activation", lambda: activations.get("nope")),
    ("softmax over rows", ValueError, "axis=0 is not available",
     lambda: activations.softmax(np.eye(2), axis=0)),
    ("seed as text", TypeError, "seed must be an integer", lambda: utils.set_random_seed("1")),
    ("negative seed", ValueError, "seed must be at least 0", lambda: utils.set_random_seed(-1)),
    ("classes of text", TypeError, "must hold whole numbers", lambda: utils.to_categorical(["a"])),
    ("fractional classes", ValueError, "whole numbers", lambda: utils.to_categorical([0.5])),
    ("negative class", ValueError, "must be from 0 to 2", lambda: utils.to_categorical([-1, 2])),
    ("class too large", ValueError, "must be from 0 to 1", lambda: utils.to_categorical([2], num_classes=2)),
    ("no classes at all", ValueError, "num_classes must be given", lambda: utils.to_categorical([])),
    ("callback without a function", TypeError, "must be a function",
     lambda: callbacks.LambdaCallback(on_epoch_end=1)),
    ("misspelt hook", TypeError, "Did you mean 'on_epoch_end'",
     lambda: callbacks.LambdaCallback(on_epoch_ends=print)),
    ("patience below 0", ValueError, "patience must be at least 0",
     lambda: callbacks.EarlyStopping(patience=-1)),
    ("unknown stopping mode", ValueError, "mode must be one of",
     lambda: callbacks.EarlyStopping(mode="best")),
    ("file that is not there", FileNotFoundError, "nowhere",
     lambda: models.load_model("nowhere.safetensors")),
    ("folder as a file", ValueError, "is not a file", lambda: models.load_model(Path(__file__).parent)),
    ("zero threads", ValueError, "threads", lambda: nncore.set_num_threads(0)),
]
# fmt: on


@pytest.mark.parametrize(
    ("_", "error", "text", "call"), LAYERS + MODELS + SETTINGS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_mistakes_in_the_description(
    _: str, error: type[Exception], text: str, call: Callable[[], object]
) -> None:
    with pytest.raises(error, match=text):
        call()


def test_a_layer_that_does_not_fit_is_not_added() -> None:
    model = image(MaxPooling2D(2))
    layer = Conv2D(2, 5)
    with pytest.raises(ValueError, match="does not fit"):
        model.add(layer)
    assert len(model.layers) == 1
    assert model.output_shape == (None, 4, 3, 4)
    assert Sequential(Input((8, 8, 1)), layer).output_shape == (None, 4, 4, 2)  # it is free for another model
