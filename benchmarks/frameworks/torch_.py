"""PyTorch: batches as slices of a tensor, channels last and the fused Adam, which are faster than without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.frameworks.run import Array
from benchmarks.workloads import NUMBER, ONE_HOT, SPARSE, YES_OR_NO, Training


class Of(nn.Module):  # type: ignore[misc]
    """A function of a tensor as a module."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        return self.function(x)


class LastState(nn.Module):  # type: ignore[misc]
    """The h of an LSTM or GRU after the last step."""

    def __init__(self, kind: str, inputs: int, units: int) -> None:
        super().__init__()
        recurrent = nn.GRU if kind == "gru" else nn.LSTM
        self.layer = recurrent(inputs, units, batch_first=True, bidirectional=kind == "both")

    def forward(self, x: Any) -> Any:
        _, state = self.layer(x)
        return torch.cat(tuple(state[0] if isinstance(state, tuple) else state), dim=1)


def _softmax(z: Any) -> Any:
    return torch.softmax(z, dim=1)


# The loss from logits, and what makes outputs of them.
LOSSES: dict[str, tuple[Any, Callable[[Any], Any]]] = {
    SPARSE: (nn.CrossEntropyLoss(), _softmax),
    ONE_HOT: (nn.CrossEntropyLoss(), _softmax),
    YES_OR_NO: (nn.BCEWithLogitsLoss(), torch.sigmoid),
    NUMBER: (nn.MSELoss(), lambda z: z),
}


class Model:
    def __init__(self, of: Training) -> None:
        torch.manual_seed(1)
        *sides, channels = of.shape if not of.tokens else (*of.shape, 0)
        modules: list[nn.Module] = []
        for kind, *settings in of.layers:
            if kind == "conv":
                modules += [nn.Conv2d(channels, settings[0], 3), nn.ReLU()]
                sides, channels = [side - 2 for side in sides], settings[0]
            elif kind == "normalized":
                norm = nn.BatchNorm2d(settings[0], eps=1e-3, momentum=0.01)
                modules += [nn.Conv2d(channels, settings[0], 3, padding=1), norm, nn.ReLU()]
                channels = settings[0]
            elif kind == "pool":
                modules.append(nn.MaxPool2d(2))
                sides = [side // 2 for side in sides]
            elif kind == "same":
                modules += [nn.Conv2d(channels, settings[0], 3, padding=1), nn.ReLU()]
                channels = settings[0]
            elif kind == "separable":
                depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
                modules += [depthwise, nn.Conv2d(channels, settings[0], 1), nn.ReLU()]
                channels = settings[0]
            elif kind == "embedding":
                modules.append(nn.Embedding(*settings))
                channels = settings[1]
            elif kind in ("lstm", "gru", "both"):
                modules.append(LastState(kind, channels, settings[0]))
                channels = settings[0] * (2 if kind == "both" else 1)
            elif kind == "conv1d":
                modules += [Of(lambda x: x.transpose(1, 2)), nn.Conv1d(channels, settings[0], 5), nn.ReLU()]
                channels = settings[0]
            elif kind == "largest":
                modules.append(Of(lambda x: x.amax(dim=2)))
            elif kind == "average":
                modules.append(Of(lambda x: x.mean(dim=(2, 3))))
            elif kind == "flatten":
                modules.append(nn.Flatten())
                sides, channels = [], channels * sides[0] * sides[1]
            elif kind == "dropout":
                modules.append(nn.Dropout(settings[0]))
            else:
                modules.append(nn.Linear(channels, settings[0]))
                channels = settings[0]
                if settings[1] == "relu":
                    modules.append(nn.ReLU())
        self.net = nn.Sequential(*modules)
        if len(of.shape) == 3:
            self.net = self.net.to(memory_format=torch.channels_last)
        self.loss, self.probabilities = LOSSES[of.loss]
        is_column = of.layers[-1][1] == 1
        self.labels: Callable[[Any], Any] = (lambda y: y.float().unsqueeze(1)) if is_column else lambda y: y
        self.optimizer = torch.optim.Adam(self.net.parameters(), eps=1e-7, fused=True)

    def arrays(self, x: Array, y: Array) -> tuple[Any, Any]:
        samples = torch.from_numpy(x)
        if samples.ndim == 4:
            samples = samples.permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
        return samples, self.labels(torch.from_numpy(y))

    def fits(self) -> dict[str, Callable[[Any, Any, int, int], None]]:
        return {"": self.fit}

    def fit(self, x: Any, y: Any, batch: int, epochs: int) -> None:
        self.net.train()
        for _ in range(epochs):
            for i in range(0, len(x), batch):
                self.optimizer.zero_grad()
                self.loss(self.net(x[i : i + batch]), y[i : i + batch]).backward()
                self.optimizer.step()

    def predict(self, x: Any, batch: int) -> Array:
        self.net.eval()
        with torch.inference_mode():
            parts = [self.probabilities(self.net(x[i : i + batch])) for i in range(0, len(x), batch)]
            found: Array = torch.cat(parts).numpy()
        return found

    def calls(self) -> dict[str, Callable[[Any], Any]]:
        self.net.eval()

        def call(x: Any) -> Any:
            with torch.inference_mode():
                return self.probabilities(self.net(x)).numpy()

        return {"": call}


make = Model
