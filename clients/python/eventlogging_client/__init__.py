"""The client of EventLogging for Python services: what is logged is sent, or accounted for.

from eventlogging_client import EventLog
EventLog("https://events.example.org").log("RecipeUptake", {"status": "RUNNER_SUCCESS"})
"""

from eventlogging_client.client import EventLog
from eventlogging_client.consent import said_no
from eventlogging_client.handler import EventLogHandler
from eventlogging_client.sampling import in_sample

__all__ = ["EventLog", "EventLogHandler", "in_sample", "said_no"]
__version__ = "1.0.0"
