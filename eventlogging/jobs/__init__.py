"""The jobs: which duty runs when, each run exactly once across all machines."""
