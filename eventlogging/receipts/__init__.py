"""Receipts: a hash-chained file of what was forgotten, outside of the database."""
