"""Intake: judge one event and say what the log shall keep of it. Knows nothing of HTTP."""
