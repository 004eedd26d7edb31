"""Benchmarks: what EventLogging costs, as ratios to a known other way within one run."""
