"""Benchmarks: every function `bench_NAME` of a file here is a command."""
