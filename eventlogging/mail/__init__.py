"""Mail: queued in the transaction that decides on it, sent by the jobs process."""
