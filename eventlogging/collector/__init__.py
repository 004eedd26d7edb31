"""The collector: HTTP in front of intake and log, an ASGI callable without a framework."""
