"""Backups: made while events are stored, checked, aged, put back, and put back for practice."""
