"""What trains a model: settings, data, steps, progress."""

__all__: list[str] = []
