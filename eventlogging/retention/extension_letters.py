"""The mails about extensions: what each says."""

from __future__ import annotations

from eventlogging.retention.extension_record import Extension
from eventlogging.retention.letter import Letter, Part
from eventlogging.retention.words import ahead, days, span

_OWNS = "You get this because you asked for it, own one of its schemas, or follow one."


def link(url: str, one: Extension) -> str:
    """Return the address of an extension's page."""
    return f"{url}/extensions/{one.id}"


def asked(one: Extension, today: str, url: str) -> Letter:
    """To those who may decide."""
    return Letter(
        f"{one.label}: {one.asked_by} asks to keep events for {days(one.wish.keep_days)}",
        f"{one.asked_by} asks to keep events of {one.label} for {days(one.wish.keep_days)}.",
        (
            _what(one),
            Part("Why", (one.wish.reason,), quoted=True),
            Part("Why neither stripped events nor counts would do", (one.wish.why_not_less,), True),
            Part("", (f"It ends {ahead(one.wish.until, today)}, on {one.wish.until}, whatever you "
                      "decide. Without a decision the events go when their time is over.",)),
        ),
        (("Grant or refuse it", link(url, one)),),
        "You get this because you review what others ask for.",
    )  # fmt: skip


def granted(one: Extension, url: str) -> Letter:
    """To asker, owners and subscribers."""
    w = one.wish
    return Letter(
        f"{one.label}: events are kept for {days(w.keep_days)} until {w.until}",
        f"{one.decided_by} granted that events of {one.label} are kept for {days(w.keep_days)}.",
        (
            _what(one),
            Part("Why", (w.reason,), quoted=True),
            Part(f"What {one.decided_by} says", (one.decision,), quoted=True),
            Part("What happens next", (f"The public page on retention shows it. From the day after "
                                       f"{w.until} on, what is older than the rule keeps goes at "
                                       "once; its owners are told before.",)),
        ),
        (("The extension", link(url, one)), ("What is kept how long", f"{url}/retention")),
        _OWNS,
    )  # fmt: skip


def refused(one: Extension, url: str) -> Letter:
    """To asker and owners, with the reason."""
    return Letter(
        f"{one.label}: events are not kept longer",
        f"{one.decided_by} refused to keep events of {one.label} for {days(one.wish.keep_days)}.",
        (
            Part(f"What {one.decided_by} says", (one.decision,), quoted=True),
            Part("What happens next", ("Events go when the rule of their schema says. What may "
                                       "stay in a form that harms nobody: fields without who it "
                                       "was, and counts by day.",)),
        ),
        (("The extension", link(url, one)),
         ("What remains of events", f"{url}/schemas/{one.wish.schemas[0]}/retention")),
        _OWNS,
    )  # fmt: skip


def ended(one: Extension, words: str, url: str) -> Letter:
    """To asker, owners and subscribers: it ends early."""
    return Letter(
        f"{one.label}: the longer keep ends today",
        f"Events of {one.label} are not kept longer any more; today is the last day.",
        (
            Part("Why", (words,), quoted=True),
            Part("What happens next", ("What is older than the rule of its schema keeps goes at "
                                       "the next pass after today.",)),
        ),
        (("The extension", link(url, one)), ("What is kept how long", f"{url}/retention")),
        _OWNS,
    )  # fmt: skip


def _what(one: Extension) -> Part:
    w = one.wish
    return Part(
        "What",
        (
            f"events of {span((w.first_day, w.last_day))}",
            f"kept for {days(w.keep_days)}",
            f"up to and with {w.until}",
        ),
    )
