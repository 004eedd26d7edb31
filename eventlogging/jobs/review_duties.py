"""The duty of reviews: remind, hand over, ask about owners, invite. It may be done twice."""

from __future__ import annotations

import logging

from eventlogging.jobs.duties import Result
from eventlogging.platform import Platform
from eventlogging.review import invitations, ownership, reminders

_logger = logging.getLogger(__name__)


def look_after_reviews(platform: Platform, day: str) -> Result:
    """Remind reviewers, hand over late reviews, ask about lost owners, invite new reviewers.

    A proposal that nobody can review makes the run a warning.
    """
    database, base_url = platform.database, platform.config.url
    looked = reminders.look(database, base_url=base_url)
    asked = ownership.look(database, base_url=base_url)
    invited = invitations.invite(database, platform.session_key, base_url=base_url)
    text = (
        f"{looked.assigned} assigned, {looked.reminded} reminded, {looked.handed_over} handed "
        f"over, {asked} asked about owners, {len(invited)} invited"
    )
    if looked.nobody:
        _logger.warning("reviews: nobody can review %d proposals", looked.nobody)
        return Result("warning", f"{text}; {looked.nobody} proposals have nobody to review them")
    return Result("done", text)
