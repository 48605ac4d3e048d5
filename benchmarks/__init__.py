"""nncore beside its peers and beside what the machine can do: see docs/benchmarks.md."""
