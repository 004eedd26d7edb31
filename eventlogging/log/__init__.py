"""The log: what was accepted, on disk before the answer, until the loader has stored it."""
