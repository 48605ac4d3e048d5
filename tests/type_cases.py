"""Usual programs for `test_types`, which does not run them. A line that ends in "wrong" is to be an error."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

import nncore
from nncore import (
    Model,
    Sequential,
    activations,
    callbacks,
    constraints,
    datasets,
    initializers,
    keras,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    regularizers,
    utils,
)
from nncore.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
)
from nncore.optimizers import SGD, Adam, schedules

# ---- a lesson

(x, y), (x_test, y_test) = datasets.mnist.load_data()
x = x.reshape(-1, 28, 28, 1).astype("float32") / 255
utils.set_random_seed(1)
model = Sequential(
    [
        Input(shape=(28, 28, 1)),
        Conv2D(8, [3, 3], activation="relu", padding="same", strides=2, kernel_regularizer="l2"),
        Conv2D(filters=8, kernel_size=(3, 3), kernel_initializer="he_normal", name="second"),
        MaxPooling2D((2, 2), padding="valid", name="pool", trainable=False),
        BatchNormalization(momentum=0.9, name="norm"),
        LeakyReLU(alpha=0.1),
        Flatten(),
        Dropout(0.5, name="drop"),
        Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.summary()
history = model.fit(x, y, batch_size=64, epochs=2, validation_split=0.1, verbose=2)
best: float = min(history.history["val_loss"])
for epoch, value in zip(history.epoch, history.history["loss"]):
    print(epoch, f"{value:.3f}")
loss, accuracy = model.evaluate(x_test, y_test)
labels = np.argmax(model.predict(x_test), axis=1)
model.save("model.safetensors")
models.load_model("model.safetensors").predict(x_test[:1])

model.optimizer.learning_rate = 0.01
model.optimizer.learning_rate.assign(0.001)
rate = float(model.optimizer.learning_rate)
kernel: Any = model.layers[1].kernel
model.layers[0].trainable = False
weights = model.get_layer("second").get_weights()
first: np.ndarray[Any, Any] = model.get_weights()[0]
last: list[float] = model.history.history["loss"]

model = keras.Sequential([keras.layers.Dense(8, activation=keras.activations.relu)])
model.compile(keras.optimizers.Adam(), keras.losses.MeanSquaredError())

# ---- tables

table = pd.DataFrame({"a": [1.0, 2.0], "b": [0.0, 1.0]})
model = Sequential()
model.add(Dense(16, input_dim=1, activation=activations.relu, kernel_initializer=initializers.HeNormal()))
model.add(Dense(16, input_shape=(16,), bias_constraint=constraints.MaxNorm(2)))
model.add(Activation("tanh"))
model.add(Dense(1, kernel_regularizer=regularizers.L2(1e-3), activity_regularizer="l1", dtype="float32"))
model.compile("sgd", losses.MeanSquaredError(), metrics=[metrics.MeanAbsoluteError(), "mse"])
model.fit(table[["a"]], table["b"], epochs=3, sample_weight=table["b"], class_weight={0: 1.0, 1: 2.0})
model.fit(table[["a"]].to_numpy(), [0, 1], validation_data=(table[["a"]], table["b"]), verbose="auto")
model.fit(iter([(x, y)]), steps_per_epoch=1)

# ---- any graph

given = Input((4,), name="given", dtype="float32")
deep = Dense(8, activation="relu")(given)
deep = Dense(4)(Dropout(0.1)(deep))
both = Concatenate(name="both")([given, Add()([given, deep])])
out = Dense(1, activation="sigmoid", name="out")(layers.add([both, both], name="sum"))
graph = Model(inputs=given, outputs=[out, deep], name="graph")
graph.compile(Adam(1e-3, clipnorm=1.0), loss={"out": "mse", "dense": None}, loss_weights=[1.0, 0.0])
graph.compile(loss=["mse", losses.MeanSquaredError()], optimizer=SGD(momentum=0.9, nesterov=True))
part = Model(graph.input, graph.get_layer("both").output)


def mine(y_true: Any, y_pred: Any) -> Any:
    return abs(y_true - y_pred)


# ---- schedules and callbacks

decay = schedules.ExponentialDecay(0.1, decay_steps=100, decay_rate=0.9, staircase=True)
model.compile(optimizer=optimizers.SGD(decay, momentum=0.8), loss="mse")
model.optimizer.learning_rate = schedules.CosineDecay(0.1, 10)


class Print(callbacks.Callback):
    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs and logs["loss"] < 0.1:
            self.model.stop_training = True


stopping = callbacks.EarlyStopping(monitor="val_loss", patience=3, mode="min", restore_best_weights=True)
model.fit(x, y, callbacks=[stopping, Print(), callbacks.LambdaCallback(on_epoch_end=print)])
model.fit(x, y, callbacks=Print())

# ---- misspelt arguments of layers

Dense(8, activaton="relu")  # wrong
Dense(unit=8)  # wrong
Dense(8, kernel_regulariser="l2")  # wrong
Dense(8, nmae="first")  # wrong
Dense(8, trainabel=False)  # wrong
Dense(8, input_shpae=(3,))  # wrong
Dense(8, activity_regulariser="l2")  # wrong
Conv2D(8, 3, stride=2)  # wrong
Conv2D(8, kernel=3)  # wrong
MaxPooling2D(2, pading="same")  # wrong
MaxPooling2D(2, tranable=False)  # wrong
GlobalAveragePooling2D(keep_dims=True)  # wrong
BatchNormalization(momentun=0.9)  # wrong
BatchNormalization(nane="norm")  # wrong
Dropout(0.5, sed=3)  # wrong
Flatten(inputshape=(2, 2))  # wrong
Reshape((2, 2), nam="reshape")  # wrong
Activation("relu", nam="relu")  # wrong
LeakyReLU(alhpa=0.1)  # wrong
ReLU(negativ_slope=0.1)  # wrong
Softmax(axs=-1)  # wrong
Concatenate(axes=1)  # wrong
layers.concatenate([given, deep], axes=1)  # wrong
Input(shpae=(2,))  # wrong
Input((2,), sparce=True)  # wrong

# ---- of others

SGD(lr=0.1)  # wrong
Adam(clip_norm=1.0)  # wrong
schedules.ExponentialDecay(0.1, decay_steps=100, rate=0.9)  # wrong
callbacks.EarlyStopping(patiance=3)  # wrong
losses.BinaryCrossentropy(from_logit=True)  # wrong
metrics.BinaryAccuracy(treshold=0.4)  # wrong
initializers.HeNormal(sed=1)  # wrong
regularizers.L2(l=0.1)  # wrong
constraints.MaxNorm(max=2)  # wrong
model.compile("sgd", loss="mse", metric=["mae"])  # wrong
model.fit(x, y, epoch=3)  # wrong
model.evaluate(x, y, batchsize=3)  # wrong
Sequential(layer=[])  # wrong
utils.to_categorical(y, number_of_classes=10)  # wrong

# ---- misspelt names

Dense(8, activation="rleu")  # wrong
Dense(8, kernel_initializer="he_norml")  # wrong
Dense(8, kernel_regularizer="l3")  # wrong
Dense(8, bias_constraint="maxnrm")  # wrong
Activation("sofmax")  # wrong
Conv2D(8, 3, padding="sane")  # wrong
MaxPooling2D(padding="full")  # wrong
Flatten(data_format="channel_last")  # wrong
model.compile("adma", "mse")  # wrong
model.compile("adam", loss="mean_square_error")  # wrong
callbacks.EarlyStopping(mode="minimum")  # wrong

# ---- misspelt attributes, and wrong types

nncore.Seqential()  # wrong
layers.Dnse(8)  # wrong
keras.layers.Dnse(8)  # wrong
optimizers.Adm()  # wrong
losses.MeanSquareError()  # wrong
nncore.dataset.mnist.load_data()  # wrong
model.optimizer.learning_rat = 0.1  # wrong
model.optimiser.learning_rate = 0.1  # wrong
model.optimizer.learning_rate = "0.1"  # wrong
model.predct(x)  # wrong
history.histroy["loss"]  # wrong
print(Dense(8).unts)  # wrong
Dense("8")  # wrong
Conv2D(8, "3")  # wrong
Dense(8).name = "renamed"  # wrong
