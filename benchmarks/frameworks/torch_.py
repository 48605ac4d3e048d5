"""PyTorch: batches as slices of a tensor, channels last and the fused Adam, which are faster than without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from benchmarks.frameworks.run import Array
from benchmarks.workloads import Training


class Model:
    def __init__(self, of: Training) -> None:
        torch.manual_seed(1)
        *sides, channels = of.shape
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
        binary = of.loss == "binary_crossentropy"
        self.net = nn.Sequential(*modules).to(memory_format=torch.channels_last)
        self.loss: Any = nn.BCEWithLogitsLoss() if binary else nn.CrossEntropyLoss()
        self.probabilities = torch.sigmoid if binary else lambda z: torch.softmax(z, dim=1)
        self.labels: Callable[[Any], Any] = (lambda y: y.float().unsqueeze(1)) if binary else lambda y: y
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
