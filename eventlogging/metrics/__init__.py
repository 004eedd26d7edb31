"""Metrics: the ledger, the lag and the jobs as figures for Prometheus and Graphite."""
