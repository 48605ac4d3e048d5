"""What all rooms use: checks, names, messages, arrays, and what makes functions of kernels."""

__all__: list[str] = []
