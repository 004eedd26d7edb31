"""The probe: an event of a schema of its own, judged as any other and never sent by anyone.

It is no event for the books: its line in the log is skipped by the loader.
"""

from __future__ import annotations

import orjson

from eventlogging import clock
from eventlogging.config import Config
from eventlogging.event import Outcome
from eventlogging.intake.accept import Intake
from eventlogging.intake.context import Context
from eventlogging.intake.seal import PrivacyKey
from eventlogging.registry.model import RegisteredSchema, RegisteredVersion, Snapshot
from eventlogging.schema.version import Version

LINE = b'{"outcome":"probe"}\n'
_NAME = "Probe"
_NUMBER = Version(1, 0, 0)
_BODY = orjson.dumps({"$schema": f"/{_NAME}/{_NUMBER}", "probe": True})
_DOCUMENT = {
    "type": "object",
    "required": ["probe"],
    "additionalProperties": False,
    "properties": {"probe": {"const": True}},
}


class Probe:
    """Judges the probe event; without registry and log, which are probed beside it."""

    def __init__(self, config: Config, key: PrivacyKey) -> None:
        self._intake = Intake(config, key)
        version = RegisteredVersion(_NAME, _NUMBER, _DOCUMENT, "2020-12", None, _NAME)
        schema = RegisteredSchema(
            name=_NAME, title=_NAME, description="", owners=(), producers="public", origins=(),
            sampling_rate=1.0, sampling_unit="pageview", privacy={}, keep_days=1, stem=_NAME,
            invalid_table="", versions={str(_NUMBER): version}, latest=str(_NUMBER), plans={},
            revisions={},
        )  # fmt: skip
        self._intake.use(Snapshot(0, {_NAME: schema}))

    def trouble(self) -> str | None:
        """Return why the probe is not valid, or None: it is."""
        (verdict,) = self._intake.accept_body(_BODY, Context(clock.now_ms())).verdicts
        return None if verdict.outcome is Outcome.VALID else verdict.text
