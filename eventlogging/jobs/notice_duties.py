"""The duty of notices: owners hear of it before their events go. It may be done twice."""

from __future__ import annotations

from eventlogging import clock
from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform
from eventlogging.retention import notices
from eventlogging.retention.letter import Post
from eventlogging.retention.policy import read_policies


def tell_owners(platform: Platform, day: str) -> Result:
    """Tell owners 14, 7 and 1 days before their first events go, or an extension ends."""
    platform.registry.refresh()
    post = Post(platform.config.url, platform.session_key)
    with platform.database.write() as connection:
        policies = read_policies(connection)
        today = clock.day(clock.now_ms())
        told = notices.tell(connection, platform.registry.snapshot, policies, post, today)
    return Result("done", f"{told} {'mail' if told == 1 else 'mails'} queued")
