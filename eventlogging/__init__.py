"""EventLogging: schema-governed event logging, where every event sent is accounted for."""

__version__ = "0.1.0"
