"""The graph of a model, and the network that is built from it."""

__all__: list[str] = []
