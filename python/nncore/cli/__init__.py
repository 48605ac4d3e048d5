"""The commands of ``python -m nncore``."""

__all__: list[str] = []
