"""A schema version: its name, its number, its document, the columns it becomes."""
