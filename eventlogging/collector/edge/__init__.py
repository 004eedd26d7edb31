"""Edge logs: events that a web server or cache answered itself, taken from its access log."""
