"""Training, evaluation and prediction: settings of `compile`, data, steps, progress."""

__all__: list[str] = []
