"""Bad input: one row a case. Each raises what is said, with a text that helps, and leaves the model as it was."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nncore
import numpy as np
import pandas as pd
import pytest
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
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
)

Row = tuple[str, type[Exception], str, Callable[[], object]]

X = np.linspace(0, 1, 60, dtype=np.float32).reshape(20, 3)
Y1 = np.arange(20) % 2
Y4 = np.arange(20) % 4
HOT = np.eye(4)[Y4]


def Sequential(*layers: Any) -> nncore.Sequential:
    return nncore.Sequential(list(layers))


def image(*layers: Any) -> nncore.Sequential:
    return Sequential(Input((8, 6, 4)), *layers)


# ---- making layers

LAYERS: list[Row] = [
    ("zero units", ValueError, r"\[Dense\] units must be at least 1, got 0", lambda: Dense(0)),
    ("negative units", ValueError, "units must be at least 1", lambda: Dense(-3)),
    ("fractional units", TypeError, r"units must be an integer, got 2\.5", lambda: Dense(2.5)),
    ("units as text", TypeError, "units must be an integer, got '8'", lambda: Dense("8")),
    ("units as bool", TypeError, "units must be an integer, got True", lambda: Dense(True)),
    ("units of None", TypeError, "units must be an integer, got None", lambda: Dense(None)),
    ("huge units", ValueError, "units must be at most", lambda: Dense(2**40)),
    ("misspelt activation", ValueError, "no activation 'rellu'. Did you mean 'relu'", lambda: Dense(2, "rellu")),
    ("unknown activation", ValueError, "no activation 'xyz'. There are: elu", lambda: Dense(2, "xyz")),
    ("activation of one's own", TypeError, "function of nncore.activations", lambda: Dense(2, np.tanh)),
    ("activation as a number", TypeError, "activation must be a name", lambda: Dense(2, 3)),
    ("use_bias as text", TypeError, "use_bias must be True or False", lambda: Dense(2, use_bias="no")),
    ("misspelt keyword", TypeError, "'activaton'. Did you mean 'activation'", lambda: Dense(2, activaton="relu")),
    ("unknown keyword", TypeError, r"\[Dense\] unexpected argument 'foo'", lambda: Dense(2, foo=1)),
    ("regularizer", ValueError, "kernel_regularizer='l2' is not available yet", lambda: Dense(2, kernel_regularizer="l2")),
    ("constraint", ValueError, "bias_constraint='x' is not available", lambda: Conv2D(2, 3, bias_constraint="x")),
    ("activity regularizer", ValueError, "activity_regularizer", lambda: Flatten(activity_regularizer="l1")),
    ("lora", ValueError, "lora_rank=4 is not available yet", lambda: Dense(2, lora_rank=4)),
    ("dtype", ValueError, "dtype='float16' is not available yet", lambda: Dense(2, dtype="float16")),
    ("misspelt initializer", ValueError, "Did you mean 'glorot_uniform'", lambda: Dense(2, kernel_initializer="glorot_unifrom")),
    ("initializer of None", TypeError, "bias_initializer must be a name", lambda: Dense(2, bias_initializer=None)),
    ("initializer as a function", TypeError, "name or an Initializer", lambda: Dense(2, kernel_initializer=np.zeros)),
    ("name as a number", TypeError, "name must be a string, got 3", lambda: Dense(2, name=3)),
    ("name with a slash", ValueError, "name must not be empty or hold '/'", lambda: Dense(2, name="a/b")),
    ("empty name", ValueError, "name must not be empty", lambda: Dense(2, name="")),
    ("trainable as a number", TypeError, "trainable must be True or False", lambda: Dense(2, trainable=2)),
    ("input_shape as a number", TypeError, "input_shape must be a tuple", lambda: Dense(2, input_shape=3)),
    ("input_shape with None", ValueError, "must have known sizes", lambda: Dense(2, input_shape=(None, 3))),
    ("input_shape with zero", ValueError, "input_shape must be at least 1", lambda: Dense(2, input_shape=(0,))),
    ("input_shape and input_dim", ValueError, "not be given both", lambda: Dense(2, input_shape=(2,), input_dim=2)),
    ("setting changed later", AttributeError, "units is fixed", lambda: setattr(Dense(2), "units", 3)),
    ("no filters", ValueError, "filters must be at least 1", lambda: Conv2D(0, 3)),
    ("kernel of 0", ValueError, "kernel_size must be at least 1, got 0", lambda: Conv2D(2, 0)),
    ("kernel of one size", ValueError, "integer or a pair", lambda: Conv2D(2, (3,))),
    ("kernel of three sizes", ValueError, "integer or a pair", lambda: Conv2D(2, (3, 3, 3))),
    ("kernel as text", TypeError, "kernel_size must be an integer", lambda: Conv2D(2, "3")),
    ("strides of 0", ValueError, "strides must be at least 1", lambda: Conv2D(2, 3, strides=0)),
    ("negative dilation", ValueError, "dilation_rate must be at least 1", lambda: Conv2D(2, 3, dilation_rate=-1)),
    ("misspelt padding", ValueError, "got 'valdi'. Did you mean 'valid'", lambda: Conv2D(2, 3, padding="valdi")),
    ("padding as a number", TypeError, "padding must be one of", lambda: Conv2D(2, 3, padding=1)),
    ("channels first", ValueError, "data_format='channels_first' is not", lambda: Conv2D(2, 3, data_format="channels_first")),
    ("strides and dilation", ValueError, "only one of strides and dilation_rate", lambda: Conv2D(2, 3, 2, dilation_rate=2)),
    ("groups and filters", ValueError, "groups must divide filters, got 2 and 3", lambda: Conv2D(3, 3, groups=2)),
    ("pool of 0", ValueError, "pool_size must be at least 1", lambda: MaxPooling2D(0)),
    ("pool with wrong strides", TypeError, "strides must be an integer", lambda: AveragePooling2D(2, strides=1.5)),
    ("keepdims as a number", TypeError, "keepdims must be True or False", lambda: GlobalMaxPooling2D(keepdims=1)),
    ("dropout above 1", ValueError, r"rate must be in \[0, 1\), got 1\.5", lambda: Dropout(1.5)),
    ("dropout of everything", ValueError, "rate must be in", lambda: Dropout(1.0)),
    ("negative dropout", ValueError, "rate must be in", lambda: Dropout(-0.1)),
    ("dropout of NaN", ValueError, "rate must be in", lambda: Dropout(float("nan"))),
    ("dropout as text", TypeError, "rate must be a number", lambda: Dropout("0.5")),
    ("dropout with a seed", ValueError, "seed=3 is not available yet", lambda: Dropout(0.5, seed=3)),
    ("two unknown sizes", ValueError, "-1 at most once", lambda: Reshape((-1, -1))),
    ("size of zero", ValueError, "must hold positive sizes", lambda: Reshape((0, 2))),
    ("shape as a number", TypeError, "target_shape must be a tuple", lambda: Reshape(4)),
    ("scale as text", TypeError, "scale must be a number", lambda: Rescaling("1/255")),
    ("infinite offset", ValueError, "offset must be finite", lambda: Rescaling(1.0, np.inf)),
    ("softmax over axis 0", ValueError, "axis=0 is not available yet", lambda: Softmax(axis=0)),
    ("relu with a limit", ValueError, "max_value=6", lambda: ReLU(max_value=6)),
    ("negative slope", ValueError, "negative_slope must be in", lambda: ReLU(negative_slope=-1.0)),
    ("slope as text", TypeError, "negative_slope must be a number", lambda: LeakyReLU("a")),
    ("alpha of None", TypeError, "alpha must be a number", lambda: ELU(None)),
    ("no activation at all", TypeError, "activation", lambda: Activation()),
    ("input without a shape", ValueError, "shape must be given", lambda: Input()),
    ("input of a number", TypeError, "shape must be a tuple", lambda: Input(3)),
    ("input of negative size", ValueError, "shape must be at least 1", lambda: Input((3, -1))),
    ("input with a batch size", ValueError, "batch_size=32 is not available", lambda: Input((3,), batch_size=32)),
    ("sparse input", ValueError, "sparse=True is not available", lambda: Input((3,), sparse=True)),
]  # fmt: skip

# ---- putting them together

MODELS: list[Row] = [
    ("text as a layer", TypeError, "only layers can be added", lambda: Sequential("dense")),
    ("class as a layer", TypeError, r"an instance is needed: Flatten\(\)", lambda: Sequential(Flatten)),
    ("one layer without a list", TypeError, "layers must be a list", lambda: nncore.Sequential(Dense(2))),
    ("equal names", ValueError, "names must differ", lambda: Sequential(Dense(1, name="a"), Dense(1, name="a"))),
    ("layer twice", ValueError, "cannot be twice", lambda: (lambda d: Sequential(d, d))(Dense(1))),
    ("input in the middle", ValueError, "first item", lambda: Sequential(Dense(1), Input((2,)))),
    ("two inputs", ValueError, "first item", lambda: Sequential(Input((2,)), Input((2,)))),
    ("kernel larger than image", ValueError, "does not fit", lambda: image(Conv2D(2, 9))),
    ("kernel larger with dilation", ValueError, "does not fit", lambda: image(Conv2D(2, 4, dilation_rate=2))),
    ("pool larger than image", ValueError, "does not fit", lambda: image(MaxPooling2D((1, 7)))),
    ("groups and channels", ValueError, "groups=3 must divide", lambda: image(Conv2D(3, 3, groups=3))),
    ("convolution of vectors", ValueError, r"\(height, width, channels\)", lambda: Sequential(Input((3,)), Conv2D(1, 1))),
    ("pooling of vectors", ValueError, "height, width, channels", lambda: Sequential(Input((3,)), MaxPooling2D())),
    ("reshape that does not fit", ValueError, "cannot reshape", lambda: Sequential(Input((6,)), Reshape((4,)))),
    ("reshape with a remainder", ValueError, "cannot reshape", lambda: Sequential(Input((6,)), Reshape((-1, 4)))),
    ("dense of scalars", ValueError, "at least one feature axis", lambda: Sequential(Input(()), Dense(1))),
    ("contradicting input_shape", ValueError, "its input_shape", lambda: Sequential(Dense(4, input_shape=(2,)), Dense(1, input_shape=(3,)))),
    ("pop of nothing", IndexError, "no layer to pop", lambda: Sequential().pop()),
    ("build without layers", ValueError, "has no layers", lambda: Sequential().build((None, 3))),
    ("build without a shape", ValueError, "input_shape must be given", lambda: Sequential(Dense(1)).build()),
    ("build with another shape", ValueError, "is made for samples of shape", lambda: Sequential(Input((2,)), Dense(1)).build((None, 3))),
    ("unknown layer name", ValueError, "there is no layer 'x'", lambda: built().get_layer("x")),
    ("layer index too large", ValueError, "none at index 9", lambda: built().get_layer(index=9)),
    ("get_layer of nothing", ValueError, "needs a name or an index", lambda: built().get_layer()),
    ("input_shape before build", AttributeError, "no input shape yet", lambda: Sequential(Dense(1)).input_shape),
    ("output_shape before build", AttributeError, "no output shape yet", lambda: Sequential(Dense(1)).output_shape),
    ("count before build", ValueError, "is not built", lambda: Sequential(Dense(1)).count_params()),
    ("kernel before build", AttributeError, "is not built", lambda: Dense(1).kernel),
    ("layer count before build", ValueError, "is not built", lambda: Dense(1).count_params()),
    ("set_weights before build", ValueError, "is not built", lambda: Sequential(Dense(1)).set_weights([])),
    ("save_weights before build", ValueError, "is not built", lambda: Sequential(Dense(1)).save_weights("x")),
    ("narrow summary", ValueError, "line_length must be at least", lambda: built().summary(line_length=3)),
]  # fmt: skip


def built(**compile_arguments: Any) -> nncore.Sequential:
    model = Sequential(Input((3,)), Dense(4, activation="relu"), Dense(1, activation="sigmoid"))
    if compile_arguments:
        model.compile(**compile_arguments)
    return model


SETTINGS: list[Row] = [
    ("no optimizer", ValueError, "'rmsprop' is not available yet", lambda: built().compile(loss="mse")),
    ("misspelt optimizer", ValueError, "'adan'. Did you mean 'adam'", lambda: built(optimizer="adan")),
    ("optimizer class", TypeError, r"an instance: Adam\(\)", lambda: built(optimizer=optimizers.Adam)),
    ("optimizer as a number", TypeError, "name or an Optimizer", lambda: built(optimizer=1)),
    ("misspelt loss", ValueError, "Did you mean 'binary_crossentropy'", lambda: built(optimizer="sgd", loss="binary_crosentropy")),
    ("loss of one's own", TypeError, "name, a Loss or a function", lambda: built(optimizer="sgd", loss=lambda a, b: 0)),
    ("misspelt metric", ValueError, "'acuracy'. Did you mean 'accuracy'", lambda: built(optimizer="sgd", loss="mse", metrics=["acuracy"])),
    ("metric without a list", TypeError, r"must be a list: metrics=\['acc'\]", lambda: built(optimizer="sgd", metrics="acc")),
    ("metric called loss", ValueError, "must not use the name 'loss'", lambda: built(optimizer="sgd", metrics=[metrics.MeanAbsoluteError(name="loss")])),
    ("metric of one's own", TypeError, "name, a Metric or a function", lambda: built(optimizer="sgd", metrics=[max])),
    ("metric of other targets", ValueError, "same kind of targets", lambda: built(optimizer="sgd", loss="mse", metrics=["sparse_categorical_accuracy"])),
    ("loss weights", ValueError, "loss_weights=2.0 is not available", lambda: built(optimizer="sgd", loss="mse", loss_weights=2.0)),
    ("metrics in third place", ValueError, "did you mean metrics", lambda: built().compile("sgd", "mse", ["acc"])),
    ("eager", ValueError, "run_eagerly", lambda: built(optimizer="sgd", run_eagerly=True)),
    ("several steps in one", ValueError, "steps_per_execution=4", lambda: built(optimizer="sgd", steps_per_execution=4)),
    ("unknown compile argument", TypeError, "unexpected keyword", lambda: built(optimizer="sgd", losss="mse")),
    ("negative learning rate", ValueError, "learning_rate must be in", lambda: optimizers.Adam(-1)),
    ("learning rate of NaN", ValueError, "learning_rate must be in", lambda: optimizers.SGD(float("nan"))),
    ("learning rate as text", TypeError, "learning_rate must be a number", lambda: optimizers.Adam("fast")),
    ("schedule", TypeError, "schedules are not available yet", lambda: optimizers.Adam(lambda: 0.1)),
    ("momentum of 2", ValueError, "momentum must be in", lambda: optimizers.SGD(momentum=2.0)),
    ("momentum of 1", ValueError, "momentum must be in", lambda: optimizers.SGD(momentum=1.0)),
    ("nesterov as text", TypeError, "nesterov must be True or False", lambda: optimizers.SGD(nesterov="yes")),
    ("beta above 1", ValueError, "beta_1 must be in", lambda: optimizers.Adam(beta_1=1.1)),
    ("weight decay", ValueError, "weight_decay=0.1 is not available", lambda: optimizers.Adam(weight_decay=0.1)),
    ("clipping", ValueError, "clipnorm=1.0 is not available", lambda: optimizers.SGD(clipnorm=1.0)),
    ("amsgrad", ValueError, "amsgrad=True is not available", lambda: optimizers.Adam(amsgrad=True)),
    ("misspelt optimizer argument", TypeError, "Did you mean 'weight_decay'", lambda: optimizers.Adam(weight_decy=0)),
    ("smoothing above 1", ValueError, "label_smoothing must be in", lambda: losses.BinaryCrossentropy(label_smoothing=2)),
    ("reduction", ValueError, "reduction='sum' is not available", lambda: losses.MeanSquaredError(reduction="sum")),
    ("reduction of None", ValueError, "reduction=None is not available", lambda: losses.MeanSquaredError(reduction=None)),
    ("ignored class", ValueError, "ignore_class=0", lambda: losses.SparseCategoricalCrossentropy(ignore_class=0)),
    ("threshold", ValueError, "threshold=0.3", lambda: metrics.BinaryAccuracy(threshold=0.3)),
    ("negative stddev", ValueError, "stddev must be in", lambda: initializers.RandomNormal(stddev=-1)),
    ("unknown mode", ValueError, "Did you mean 'fan_avg'", lambda: initializers.VarianceScaling(mode="fan_av")),
    ("scale of 0", ValueError, "scale must be in", lambda: initializers.VarianceScaling(scale=0)),
    ("initial seed as text", TypeError, "seed must be an integer", lambda: initializers.HeNormal(seed="a")),
    ("unknown activation name", ValueError, "no activation", lambda: activations.get("nope")),
    ("softmax over rows", ValueError, "axis=0 is not available", lambda: activations.softmax(np.eye(2), axis=0)),
    ("seed as text", TypeError, "seed must be an integer", lambda: utils.set_random_seed("1")),
    ("negative seed", ValueError, "seed must be at least 0", lambda: utils.set_random_seed(-1)),
    ("classes of text", TypeError, "must hold whole numbers", lambda: utils.to_categorical(["a"])),
    ("fractional classes", ValueError, "whole numbers", lambda: utils.to_categorical([0.5])),
    ("negative class", ValueError, "must be from 0 to 2", lambda: utils.to_categorical([-1, 2])),
    ("class too large", ValueError, "must be from 0 to 1", lambda: utils.to_categorical([2], num_classes=2)),
    ("no classes at all", ValueError, "num_classes must be given", lambda: utils.to_categorical([])),
    ("callback without a function", TypeError, "must be a function", lambda: callbacks.LambdaCallback(on_epoch_end=1)),
    ("misspelt hook", TypeError, "Did you mean 'on_epoch_end'", lambda: callbacks.LambdaCallback(on_epoch_ends=print)),
    ("patience below 0", ValueError, "patience must be at least 0", lambda: callbacks.EarlyStopping(patience=-1)),
    ("unknown stopping mode", ValueError, "mode must be one of", lambda: callbacks.EarlyStopping(mode="best")),
    ("file that is not there", FileNotFoundError, "nowhere", lambda: models.load_model("nowhere.safetensors")),
    ("folder as a file", ValueError, "is not a file", lambda: models.load_model(Path(__file__).parent)),
    ("zero threads", ValueError, "threads", lambda: nncore.set_num_threads(0)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("_", "error", "text", "call"), LAYERS + MODELS + SETTINGS, ids=lambda v: v if isinstance(v, str) else ""
)
def test_mistakes_in_the_description(
    _: str, error: type[Exception], text: str, call: Callable[[], object]
) -> None:
    with pytest.raises(error, match=text):
        call()


# ---- data: the row gives arguments of a method of a model with 4 classes, or with one output

Case = tuple[str, type[Exception], str, str, tuple[Any, ...], dict[str, Any]]


def batches(*items: Any) -> Any:
    return iter(items)


DATA: list[Case] = [
    ("too few columns", ValueError, r"samples of shape \(3,\), got \(2,\)", "fit", (X[:, :2], Y4), {}),
    ("too many axes", ValueError, "samples of shape", "fit", (X[:, None, None], Y4), {}),
    ("one sample without its axis", ValueError, "samples of shape|same number", "fit", (X[0], Y4[:3]), {}),
    ("a number", ValueError, "must have an axis of samples", "fit", (3.0, Y4), {}),
    ("None", TypeError, "x must be an array of numbers, got NoneType", "fit", (None, Y4), {}),
    ("a text", TypeError, "x must be an array of numbers, got str", "fit", ("data.csv", Y4), {}),
    ("a dict", TypeError, "x must be an array of numbers, got dict", "fit", ({"a": X}, Y4), {}),
    ("array of texts", TypeError, "real numbers, got text", "fit", (np.full((20, 3), "a"), Y4), {}),
    ("array of bytes", TypeError, "real numbers, got bytes", "fit", (np.full((20, 3), b"a"), Y4), {}),
    ("array of objects", TypeError, "real numbers, got objects", "fit", (X.astype(object), Y4), {}),
    ("complex numbers", TypeError, "real numbers, got complex", "predict", (X.astype(complex),), {}),
    ("dates", TypeError, "real numbers, got dates", "predict", (np.zeros((2, 3), "datetime64[s]"),), {}),
    ("records", TypeError, "real numbers, got records", "predict", (np.zeros(3, [("a", "f4")]),), {}),
    ("ragged lists", ValueError, "rows of equal length", "fit", ([[1, 2, 3], [4, 5]], [0, 1]), {}),
    ("masked values", TypeError, "masked values", "predict", (np.ma.masked_less(X, 0.5),), {}),
    ("text column", TypeError, r"'b' \(", "fit", (pd.DataFrame({"a": [1, 2], "b": ["x", "y"], "c": [1, 2]}), [0, 1]), {}),
    ("category column", TypeError, "category", "predict", (pd.DataFrame({"a": pd.Categorical(["x"]), "b": [1], "c": [1]}),), {}),
    ("no samples", ValueError, "x has no samples", "fit", (X[:0], Y4[:0]), {}),
    ("empty list", ValueError, "has no samples", "fit", ([], []), {}),
    ("no samples to evaluate", ValueError, "x has no samples", "evaluate", (X[:0], Y4[:0]), {}),
    ("no targets", ValueError, "y must be given", "fit", (X,), {}),
    ("fewer targets", ValueError, "same number of samples, got 20 and 19", "fit", (X, Y4[:-1]), {}),
    ("targets of text", TypeError, "y must hold real numbers", "fit", (X, np.full(20, "cat")), {}),
    ("one-hot targets for the sparse loss", ValueError, "class numbers", "fit", (X, HOT), {}),
    ("class too large", ValueError, "from 0 to 3.*got 4", "fit", (X, np.full(20, 4)), {}),
    ("last class too large", ValueError, "for sample 19", "fit", (X, np.r_[Y4[:-1], 7]), {}),
    ("negative class", ValueError, "got -1", "fit", (X, Y4 - 1), {}),
    ("fractional class", ValueError, "whole numbers", "fit", (X, Y4 + 0.5), {}),
    ("class of NaN", ValueError, "whole numbers", "fit", (X, np.full(20, np.nan)), {}),
    ("class of infinity", ValueError, "whole numbers", "evaluate", (X, np.full(20, np.inf)), {}),
    ("wrong classes in a batch", ValueError, "whole numbers", "train_on_batch", (X, Y4 + 9), {}),
    ("wrong columns in a batch", ValueError, "samples of shape", "test_on_batch", (X[:, :1], Y4), {}),
    ("wrong columns in a call", ValueError, "samples of shape", "__call__", (X[:, :1],), {}),
    ("wrong columns to predict", ValueError, "samples of shape", "predict", (X.T,), {}),
    ("batch size of 0", ValueError, "batch_size must be at least 1", "fit", (X, Y4), {"batch_size": 0}),
    ("fractional batch size", TypeError, "batch_size must be an integer", "fit", (X, Y4), {"batch_size": 1.5}),
    ("negative batch size", ValueError, "batch_size must be at least 1", "predict", (X,), {"batch_size": -1}),
    ("negative epochs", ValueError, "epochs must be at least 0", "fit", (X, Y4), {"epochs": -1}),
    ("epochs as text", TypeError, "epochs must be an integer", "fit", (X, Y4), {"epochs": "3"}),
    ("negative first epoch", ValueError, "initial_epoch must be", "fit", (X, Y4), {"initial_epoch": -1}),
    ("verbose of 3", ValueError, "verbose must be 0, 1, 2 or 'auto'", "fit", (X, Y4), {"verbose": 3}),
    ("verbose as text", ValueError, "verbose must be", "evaluate", (X, Y4), {"verbose": "yes"}),
    ("shuffle as text", TypeError, "shuffle must be True or False", "fit", (X, Y4), {"shuffle": "batch"}),
    ("callback as text", TypeError, "callbacks must be instances", "fit", (X, Y4), {"callbacks": ["a"]}),
    ("callback class", TypeError, r"History\(\) is needed", "fit", (X, Y4), {"callbacks": [callbacks.History]}),
    ("stopping by an unknown name", ValueError, "mode must be 'min' or 'max'", "fit", (X, Y4), {"callbacks": [callbacks.EarlyStopping("gain")]}),
    ("split of 1", ValueError, "validation_split must be in", "fit", (X, Y4), {"validation_split": 1.0}),
    ("negative split", ValueError, "validation_split must be in", "fit", (X, Y4), {"validation_split": -0.1}),
    ("split as text", TypeError, "validation_split must be a number", "fit", (X, Y4), {"validation_split": "a"}),
    ("split of one sample", ValueError, "leaves a part empty", "fit", (X[:1], Y4[:1]), {"validation_split": 0.5}),
    ("split of an iterator", ValueError, "validation_split needs arrays", "fit", (batches((X, Y4)),), {"validation_split": 0.5}),
    ("validation of an array", TypeError, r"validation_data must be \(x, y\)", "fit", (X, Y4), {"validation_data": X}),
    ("validation of four", ValueError, "got 4 items", "fit", (X, Y4), {"validation_data": (X, Y4, Y4, Y4)}),
    ("validation without targets", ValueError, "y must be given", "fit", (X, Y4), {"validation_data": (X,)}),
    ("validation of other columns", ValueError, "samples of shape", "fit", (X, Y4), {"validation_data": (X[:, :2], Y4)}),
    ("validation with wrong classes", ValueError, "whole numbers", "fit", (X, Y4), {"validation_data": (X, Y4 + 1)}),
    ("endless validation", ValueError, "validation_steps must be given", "fit", (X, Y4), {"validation_data": batches((X, Y4))}),
    ("validation every 0 epochs", ValueError, "validation_freq must be at least 1", "fit", (X, Y4), {"validation_freq": 0}),
    ("validation at epoch 'a'", TypeError, "validation_freq must be an integer", "fit", (X, Y4), {"validation_freq": ["a"]}),
    ("too few weights", ValueError, "one value for each of the 20 samples", "fit", (X, Y4), {"sample_weight": np.ones(19)}),
    ("weights of text", TypeError, "sample_weight must hold real numbers", "fit", (X, Y4), {"sample_weight": ["a"] * 20}),
    ("weights for columns", ValueError, "one value for each", "evaluate", (X, Y4), {"sample_weight": np.ones((20, 2))}),
    ("both kinds of weights", ValueError, "not be given both", "fit", (X, Y4), {"sample_weight": np.ones(20), "class_weight": {0: 1}}),
    ("class weights in a list", TypeError, "must be a dict", "fit", (X, Y4), {"class_weight": [1, 2]}),
    ("class weight by name", TypeError, "class numbers as keys", "fit", (X, Y4), {"class_weight": {"cat": 1}}),
    ("class weight as text", TypeError, "numbers as values", "fit", (X, Y4), {"class_weight": {0: "a"}}),
    ("zero steps", ValueError, "steps must be at least 1", "fit", (X, Y4), {"steps_per_epoch": 0}),
    ("fractional steps", TypeError, "steps must be an integer", "evaluate", (X, Y4), {"steps": 0.5}),
    ("iterator of nothing", ValueError, "yields no batch", "fit", (batches(),), {}),
    ("iterator and targets", ValueError, "y must not be given", "fit", (batches((X, Y4)), Y4), {}),
    ("iterator and batch size", ValueError, "batch_size must not be given", "fit", (batches((X, Y4)),), {"batch_size": 3}),
    ("iterator of arrays only", ValueError, "y must be given", "fit", (batches(X),), {}),
    ("iterator of dicts", TypeError, "got a dict", "fit", (batches({"x": X}),), {}),
    ("iterator of wrong shapes", ValueError, "samples of shape", "fit", (batches((X[:, :2], Y4)),), {}),
    ("iterator of empty batches", ValueError, "has no samples", "fit", (batches((X[:0], Y4[:0])),), {}),
    ("training as text", TypeError, "training must be True or False", "__call__", (X, "yes"), {}),
    ("weights missing", ValueError, "expected 4 weights, got 1", "set_weights", ([np.zeros((3, 5))],), {}),
    ("weights of other shapes", ValueError, r"expected weights of shape \(3, 5\)", "set_weights", ([np.zeros((2, 2))] * 4,), {}),
    ("weights of texts", TypeError, "weights must be numbers", "set_weights", ([np.full((3, 5), "a")] * 4,), {}),
    ("unknown argument", TypeError, "unexpected keyword", "fit", (X, Y4), {"epoch": 3}),
]  # fmt: skip


def state(model: nncore.Sequential) -> list[Any]:
    return [w.tobytes() for w in model.get_weights()] + [
        model.optimizer and model.optimizer.iterations,
        model.optimizer and model.optimizer.learning_rate,
        model.built,
        model.input_shape if model.built else None,
        [layer.built for layer in model.layers],
    ]


@pytest.mark.parametrize("deferred", [False, True], ids=["built", "not built"])
@pytest.mark.parametrize(
    ("_", "error", "text", "method", "arguments", "options"), DATA, ids=[row[0] for row in DATA]
)
def test_mistakes_in_the_data_leave_the_model_as_it_was(
    _: str, error: type[Exception], text: str, method: str, arguments: Any, options: Any, deferred: bool
) -> None:
    model = Sequential(Dense(5, activation="relu"), Dense(4, activation="softmax"))
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    if not deferred:
        model.fit(X, Y4, verbose=0)
    elif "samples of shape" in text or method == "set_weights" or "|" in text:
        pytest.skip("any shape is right for a model that is not built")
    before = state(model)
    # An iterator is used up by the first of both tests.
    arguments = tuple(
        iter([X, Y4]) if hasattr(a, "__next__") and "yields no" not in text and a is None else a
        for a in arguments
    )
    with warnings.catch_warnings(), pytest.raises(error, match=text):
        warnings.simplefilter("error")
        getattr(model, method)(*arguments, **options)
    assert state(model) == before


SINGLE: list[Row] = [
    ("two columns for one output", ValueError, "expected targets", lambda: one().fit(X, np.zeros((20, 2)), verbose=0)),
    ("fit before compile", ValueError, "call compile", lambda: built().fit(X, Y1)),
    ("evaluate before compile", ValueError, "call compile", lambda: built().evaluate(X, Y1)),
    ("train_on_batch before compile", ValueError, "call compile", lambda: built().train_on_batch(X, Y1)),
    ("test_on_batch before compile", ValueError, "call compile", lambda: built().test_on_batch(X, Y1)),
    ("fit without a loss", ValueError, "there is no loss", lambda: built(optimizer="sgd").fit(X, Y1)),
    ("fit without layers", ValueError, "has no layers", lambda: compiled(Sequential()).fit(X, Y1)),
    ("predict without layers", ValueError, "has no layers", lambda: Sequential().predict(X)),
    ("predict with data that do not fit", ValueError, "height, width", lambda: Sequential(Conv2D(1, 3)).predict(X)),
    ("layer of another model", ValueError, "belongs to the model", lambda: (lambda m: Sequential(m.layers[0]))(built())),
    ("learning rate set to text", TypeError, "learning_rate must be", lambda: set_rate("a")),
    ("learning rate set below 0", ValueError, "learning_rate must be", lambda: set_rate(-1.0)),
    ("kernel of another shape", ValueError, "expected weights", lambda: built().layers[0].kernel.assign(np.zeros(3))),
    ("layer weights missing", ValueError, "expected 2 weights", lambda: built().layers[0].set_weights([])),
    ("prediction of an empty iterator", ValueError, "yields no batch", lambda: one().predict(iter(()))),
    ("prediction with iterator and batch size", ValueError, "batch_size", lambda: one().predict(iter([X]), batch_size=2)),
    ("file that is there", FileExistsError, "overwrite is False", lambda: built().save(__file__, overwrite=False)),
    ("file in no folder", FileNotFoundError, "nowhere", lambda: built().save("/nowhere/at/all/model.safetensors")),
    ("custom objects", ValueError, "custom_objects", lambda: models.load_model("x", custom_objects={"a": 1})),
]  # fmt: skip


def one() -> nncore.Sequential:
    return built(optimizer="sgd", loss="mse")


def compiled(model: nncore.Sequential) -> nncore.Sequential:
    model.compile("sgd", "mse")
    return model


def set_rate(rate: Any) -> None:
    one().optimizer.learning_rate = rate  # type: ignore[union-attr]


@pytest.mark.parametrize(("_", "error", "text", "call"), SINGLE, ids=[row[0] for row in SINGLE])
def test_other_mistakes(_: str, error: type[Exception], text: str, call: Callable[[], object]) -> None:
    with pytest.raises(error, match=text):
        call()


def test_there_are_many_rows() -> None:
    assert len(LAYERS) + len(MODELS) + len(SETTINGS) + len(DATA) + len(SINGLE) >= 120


def test_a_layer_that_does_not_fit_is_not_added() -> None:
    model = image(MaxPooling2D(2))
    layer = Conv2D(2, 5)
    with pytest.raises(ValueError, match="does not fit"):
        model.add(layer)
    assert len(model.layers) == 1
    assert model.output_shape == (None, 4, 3, 4)
    assert Sequential(Input((8, 8, 1)), layer).output_shape == (None, 4, 4, 2)  # it is free for another model


def test_a_refused_compile_keeps_the_old_one() -> None:
    model = one()
    model.fit(X, Y1, verbose=0)
    with pytest.raises(ValueError, match="same kind of targets"):
        model.compile("adam", "mse", metrics=["sparse_categorical_accuracy"])
    assert isinstance(model.optimizer, optimizers.SGD)
    assert model.optimizer.iterations == 1
    assert model.metrics_names == ["loss"]


def test_an_optimizer_serves_one_model() -> None:
    optimizer = optimizers.SGD()
    first = built(optimizer=optimizer, loss="mse")
    second = built()
    with pytest.raises(ValueError, match="make a new one"):
        second.compile(optimizer, "mse")
    del first
    second.compile(optimizer, "mse")
    assert second.fit(X, Y1, verbose=0).epoch == [0]


def test_an_error_in_a_later_batch_leaves_the_steps_before_it() -> None:
    model = one()
    before = model.get_weights()
    with pytest.raises(ValueError, match="samples of shape"):
        model.fit(iter([(X, Y1), (X[:, :2], Y1)]), verbose=0)
    assert model.optimizer is not None
    assert model.optimizer.iterations == 1
    assert any(not np.array_equal(a, b) for a, b in zip(before, model.get_weights()))
    assert model.fit(X, Y1, verbose=0).epoch == [0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e38])
def test_strange_numbers_train_without_a_crash(bad: float) -> None:
    x = X.copy()
    x[3, 1] = bad
    model = one()
    history = model.fit(x, Y1, batch_size=5, verbose=0)
    assert len(history.history["loss"]) == 1
    assert model.predict(x).shape == (20, 1)
