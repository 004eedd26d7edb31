"""What an alert says in words: the fact, what it means, and that it is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from eventlogging.alerts.episode import Episode
from eventlogging.alerts.judge import Fact
from eventlogging.alerts.rules import CANARY
from eventlogging.ledger.sentence import grouped

ALL = "All events together"


def fact_of(fact: Fact, since: str) -> str:
    """Return the fact in one sentence without a full stop: the subject of the mail.

    `since` is a minute, `2026-11-22 14:05`.
    """
    return _FACTS[fact.rule.kind](fact, since[11:16])


def lines_of(fact: Fact) -> list[str]:
    """Return what it means and what holds meanwhile: sentences for the mail and the page."""
    return [*_MORE[fact.rule.kind](fact), f"The rule: {fact.rule.words}."]


def over_of(episode: Episode, *, is_judged: bool) -> str:
    """Return what is so again now that an episode is over.

    Not `is_judged`: its rule, job or host is gone, and nobody can say.
    """
    subject = episode.subject
    name = subject or ALL
    if not is_judged:
        return f"{name.removeprefix('@')}: not judged by the rule {episode.rule} any more"
    return _OVER[episode.rule].format(name=name, host=subject.removeprefix("@"))


def span(minutes: float) -> str:
    """Return a stretch of time as people say it: `20 min`, `3 h`, `2 days`."""
    whole = round(minutes)
    if whole < 1:
        return "under 1 min"
    if whole < 120:
        return f"{whole} min"
    return f"{round(whole / 60)} h" if whole < 2880 else f"{round(whole / 1440)} days"


def size(number: float) -> str:
    """Return a number of bytes as people say it: `1.2 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    raise AssertionError


def percent(share: float) -> str:
    """Return a share in percent: `12 %`, `0.4 %`."""
    return f"{share:.0f} %" if share >= 10 or share == 0 else f"{share:.1f} %"


def _throughput(fact: Fact, since: str) -> str:
    rate = f"{fact.value:.0f}" if fact.value >= 10 else f"{fact.value:.1f}"
    return f"{fact.subject or ALL}: {rate} events/s since {since} UTC"


def _invalid(fact: Fact, since: str) -> str:
    return f"{fact.subject or ALL}: {percent(fact.value)} invalid since {since} UTC"


def _silent(fact: Fact, since: str) -> str:
    return f"{fact.subject}: no valid event for {span(fact.value)}"


def _volume(fact: Fact, since: str) -> str:
    usual = fact.told.get("usual") or 0
    return (
        f"{fact.subject}: {grouped(round(fact.value))} events in the hour from "
        f"{str(fact.told.get('hour', ''))[11:]} UTC, usual are {grouped(round(usual))}"
    )


def _unexplained(fact: Fact, since: str) -> str:
    return f"{grouped(round(fact.value))} events are unexplained"


def _database(fact: Fact, since: str) -> str:
    return f"Database: {percent(fact.value)} of {fact.told.get('what', 'its room')} in use"


def _jobs(fact: Fact, since: str) -> str:
    if fact.told.get("late"):
        return f"Job {fact.subject} is late by {span(fact.value)}"
    if fact.told.get("outcome") == "warning":
        return f"Job {fact.subject} found something wrong"
    return f"Job {fact.subject} failed"


def _certificate(fact: Fact, since: str) -> str:
    if fact.told.get("job") == CANARY:
        return "The opt-out canary failed"
    if fact.told.get("job"):
        return "Something is kept that no rule explains"
    days = fact.told.get("days")
    if days is None:
        return "Nothing has proved yet that events are forgotten on time"
    return f"No certificate for {span(days * 1440)}: what is kept is not proved"


def _lag(fact: Fact, since: str) -> str:
    return f"Events wait for {span(fact.value / 60)} to be stored on {fact.subject[1:]}"


def _stored(fact: Fact, since: str) -> str:
    return (
        f"Stored below accepted on {fact.subject[1:]}: {percent(fact.value)} of what came in "
        f"{span(fact.told.get('minutes', 0))}"
    )


def _disk(fact: Fact, since: str) -> str:
    return f"Only {fact.value:.1f} GB free on the disk of the log on {fact.subject[1:]}"


_FACTS: Mapping[str, Callable[[Fact, str], str]] = {
    "throughput": _throughput,
    "invalid": _invalid,
    "silent": _silent,
    "rhythm": _silent,
    "volume": _volume,
    "unexplained": _unexplained,
    "database": _database,
    "jobs": _jobs,
    "certificate": _certificate,
    "lag": _lag,
    "stored": _stored,
    "disk": _disk,
}


def _more_jobs(fact: Fact) -> list[str]:
    detail = str(fact.told.get("detail", "")).strip()
    found = [f"It said of {fact.told.get('slot')}: {detail}"] if detail else []
    return [*found, f"After mending it, run it by hand: eventlogging job run {fact.subject}"]


def _more_certificate(fact: Fact) -> list[str]:
    job = fact.told.get("job")
    if not job:
        return [
            "The job retention-verify has not ended; see eventlogging job list, and whether "
            "eventlogging jobs runs on each host.",
            "Look now: eventlogging retention verify",
        ]
    day, _, host = str(fact.told.get("slot", "")).partition("@")
    look = "eventlogging retention verify" if job != CANARY else f"eventlogging job run {job}"
    return [
        f"It said of {day} on {host or 'its host'}:",
        *str(fact.told.get("detail", "")).strip().splitlines(),
        f"Look there: {look}",
        f"After mending it, run it by hand: eventlogging job run {job}",
    ]


def _more_rhythm(fact: Fact) -> list[str]:
    usual = grouped(round(fact.told.get("usual", 0)))
    return [
        f"In the same {span(fact.value)} of past weeks there were {usual}.",
        "Look whether a release took the instrumentation away, or whether what sends it runs.",
    ]


_MORE: Mapping[str, Callable[[Fact], list[str]]] = {
    "throughput": lambda fact: ["Events are still taken and stored."],
    "invalid": lambda fact: [
        f"{grouped(int(fact.told['invalid']))} of {grouped(int(fact.told['events']))} events of "
        f"the last {fact.told['minutes']} minutes were refused. They are kept with the reasons."
    ],
    "silent": lambda fact: [
        "Look whether a release took the instrumentation away, or whether what sends it runs."
    ],
    "rhythm": _more_rhythm,
    "volume": lambda fact: ["Events are taken and stored as ever; this may be news, or a fault."],
    "unexplained": lambda fact: [
        "They were sent and are neither stored nor counted as anything: a fault of the platform.",
        *(f"{name}: {number}" for name, number in fact.told.get("by_schema", {}).items()),
        "Run eventlogging ledger --prove to see where the books differ.",
    ],
    "database": lambda fact: ["When it is full, events wait in the log until there is room."],
    "jobs": _more_jobs,
    "certificate": _more_certificate,
    "lag": lambda fact: [
        f"{size(fact.told['waiting'])} of the log wait. None is lost, but reports fall behind.",
        "Run eventlogging doctor on that host to see why.",
    ],
    "stored": lambda fact: [
        f"{size(fact.told['accepted'])} were accepted, {size(fact.told['stored'])} of them stored; "
        f"{size(fact.told['waiting'])} wait in the log. Intake looks healthy; the loader stands "
        "still or is too slow.",
        "Run eventlogging doctor on that host to see why.",
    ],
    "disk": lambda fact: ["When it is full, senders are answered 503 and keep their events."],
}

_OVER: Mapping[str, str] = {
    "throughput": "{name}: the rate is below the limit again",
    "invalid": "{name}: the share of invalid events is below the limit again",
    "silent": "{name}: events come again",
    "rhythm": "{name}: events come again",
    "volume": "{name}: the volume is usual again",
    "unexplained": "All events are explained again",
    "database": "The database has room again",
    "jobs": "Job {name} runs as it should again",
    "certificate": "The certificate is clean again: nothing is kept that no rule explains",
    "lag": "Events are stored in time again on {host}",
    "stored": "What is accepted is stored again on {host}",
    "disk": "The disk of the log has room again on {host}",
}
