"""The loader: from the log to the store, exactly once, one table's trouble at a time."""
