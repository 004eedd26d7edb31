"""Counts that outlive the events: computed by day, from raw rows, until these are gone."""

from eventlogging.retention.aggregates.compute import Computed, compute_due, recompute
from eventlogging.retention.aggregates.settle import settle

__all__ = ["Computed", "compute_due", "recompute", "settle"]
