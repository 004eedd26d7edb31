"""Alerts: rules that are judged each minute, and episodes of trouble with one mail each."""
