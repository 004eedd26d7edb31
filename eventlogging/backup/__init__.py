"""Backups of the database, restoring them, and trying both."""
