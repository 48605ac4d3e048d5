"""A forecast of a time series: a day ahead from the two days before it, by a GRU.

The series is made up: hourly temperatures of two years, with the seasons, the hours of the day, and weather
that drifts and turns. The forecast is compared with "as it was a day ago", and with "as it is now".

    python examples/forecast.py

The picture needs matplotlib: pip install matplotlib.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import nncore
from nncore.layers import GRU, Dense, Input, Normalization
from nncore.models import Sequential
from nncore.optimizers import Adam
from nncore.utils import timeseries_dataset_from_array

Array = np.ndarray[Any, Any]
PAST, AHEAD = 48, 24  # hours


def temperatures(hours: int, rng: np.random.Generator) -> Array:
    """Degrees Celsius, one an hour."""
    t = np.arange(hours)
    season = 10 - 9 * np.cos(2 * np.pi * t / (24 * 365))
    weather, drift = np.zeros(hours), rng.normal(0, 0.25, hours)
    cloudy = np.repeat(rng.random(hours // 24 + 1), 24)[:hours]
    for i in range(1, hours):  # it swings around the season's mean within some days
        weather[i] = 0.985 * weather[i - 1] + drift[i]
    day = (1 - 0.7 * cloudy) * 6 * np.sin(2 * np.pi * (t % 24 - 9) / 24)
    return np.asarray(season + weather + day + rng.normal(0, 0.2, hours), np.float32)


def features(series: Array) -> Array:
    """(hours, 3): the temperature, and the hour of the day as a point on a circle."""
    angle = 2 * np.pi * (np.arange(len(series)) % 24) / 24
    return np.stack([series, np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


def main(
    days: int = 730, epochs: int = 8, seed: int = 1, folder: str | None = "forecast"
) -> tuple[float, float]:
    """Mean absolute errors in degrees on the last fifth of the days: of the GRU, and of the better rule."""
    nncore.utils.set_random_seed(seed)
    series = temperatures(24 * days, np.random.default_rng(seed))
    split = len(series) * 4 // 5
    x, targets = features(series), np.lib.stride_tricks.sliding_window_view(series, AHEAD)

    def windows(start: int, stop: int, **given: Any) -> Any:
        """Windows of PAST hours, each with the AHEAD hours after it."""
        return timeseries_dataset_from_array(
            x[start : stop - AHEAD], targets[start + PAST : stop], PAST, batch_size=64, **given
        )

    scale = Normalization()
    scale.adapt(x[:split])
    model = Sequential([Input((PAST, 3)), scale, GRU(64), Dense(AHEAD)])
    model.compile(Adam(0.005), loss="mse", metrics=["mae"])
    model.fit(windows(0, split, shuffle=True, seed=seed), epochs=epochs, verbose=0)
    _, error = model.evaluate(windows(split, len(series)), verbose=0)
    print(f"GRU: mean absolute error {error:.2f} degrees")

    past = np.lib.stride_tricks.sliding_window_view(series[split:], PAST)[:-AHEAD]
    future = targets[split + PAST :][: len(past)]
    rules = {"as a day ago": past[:, -AHEAD:], "as it is now": past[:, -1:]}
    errors = {name: float(np.abs(rule - future).mean()) for name, rule in rules.items()}
    for name, value in errors.items():
        print(f"{name}: {value:.2f} degrees")

    if folder is not None:
        try:
            from matplotlib.figure import Figure

            Path(folder).mkdir(parents=True, exist_ok=True)
            figure = Figure(figsize=(8, 7), layout="constrained")
            axes = figure.subplots(3, sharex=True)
            for axis, start in zip(axes, (100, 1_000, 2_000)):
                start = split + start * (len(series) - split - PAST - AHEAD) // 3_000
                axis.plot(range(-PAST, 0), series[start : start + PAST], color="gray", label="the past")
                future_hours = range(AHEAD)
                axis.plot(future_hours, series[start + PAST :][:AHEAD], color="black", label="what came")
                axis.plot(
                    future_hours, model.predict(x[None, start : start + PAST], verbose=0)[0], label="GRU"
                )
                axis.set_ylabel("°C")
            axes[0].legend(loc="upper left")
            axes[-1].set_xlabel("hours")
            figure.savefig(Path(folder, "forecast.png"), dpi=120)
            print(f"Written to {folder}/")
        except ImportError as missing:
            print(missing)
    return error, min(errors.values())


if __name__ == "__main__":
    main()
