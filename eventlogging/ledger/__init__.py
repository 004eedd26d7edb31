"""The ledger, read: what became of every event, the proof of it, and what is not loaded yet."""
