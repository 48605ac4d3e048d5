"""Graphs of calls of layers, and the networks made of them."""

__all__: list[str] = []
