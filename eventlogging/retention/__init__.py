"""Forgetting: what goes when, what remains of it, and whose wish it was."""
