"""The mails about reviews: what each says, as plain text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eventlogging.review.record import Draft


@dataclass(frozen=True)
class Letter:
    """The subject, which is the fact, and the text, whose first line is the answer."""

    subject: str
    text: str


def link(base_url: str, draft: Draft) -> str:
    """Return the address of a proposal's page."""
    return f"{base_url}/reviews/{draft.id}"


def asked(draft: Draft, why: str, changes: Sequence[str], base_url: str) -> Letter:
    """To the reviewer whose turn it becomes; `why` it is theirs, and until when."""
    return _letter(
        f"{draft.label} waits for your review",
        f"It is your turn to review {draft.label}, which {draft.proposed_by} proposes.",
        _listed(changes),
        why,
        f"Decide: {link(base_url, draft)}",
        f"Away? Say until when, and somebody else gets the turn at once: {base_url}/account",
    )


def reminded(draft: Draft, handed_over: str, base_url: str) -> Letter:
    """To the reviewer after two working days."""
    return _letter(
        f"{draft.label} still waits for your review",
        f"{draft.label} has waited for your review since {moment(draft.assigned_at)}.",
        f"Without a decision, the turn goes to somebody else on {handed_over}.",
        f"Decide: {link(base_url, draft)}",
        f"Away? Say until when, and somebody else gets the turn at once: {base_url}/account",
    )


def handed_over(draft: Draft, why: str, base_url: str) -> Letter:
    """To the reviewer who had the turn."""
    return _letter(
        f"{draft.label} is no longer yours to review",
        f"The turn to review {draft.label} went to {draft.reviewer}: {why}.",
        "You need not do anything. You may still comment and decide.",
        f"See: {link(base_url, draft)}",
    )


def nobody(draft: Draft, base_url: str) -> Letter:
    """To the admins, where no reviewer is left."""
    return _letter(
        f"Nobody can review {draft.label}",
        f"{draft.label} waits, and nobody is left who could review it.",
        "Every reviewer and admin proposed or edited it, is away, is disabled, or has had the "
        "turn. Ask somebody to join the roster, or to come back.",
        f"The proposal: {link(base_url, draft)}",
        f"The people: {base_url}/people",
    )


def commented(draft: Draft, who: str, text: str, base_url: str) -> Letter:
    """To those concerned, with the comment itself."""
    return _letter(
        f"{draft.label}: a comment by {who}",
        f"{who} says about {draft.label}:",
        quoted(text),
        f"Answer: {link(base_url, draft)}",
    )


def returned(draft: Draft, who: str, reason: str, base_url: str) -> Letter:
    """To those concerned, with the reason."""
    return _letter(
        f"{draft.label} was returned: {first_line(reason)}",
        f"{who} returned {draft.label}, and says:",
        quoted(reason),
        f"Mend it and send it again; it then comes back to {who}: {link(base_url, draft)}",
    )


def approved(draft: Draft, who: str, reason: str, base_url: str) -> Letter:
    """To those concerned, where it is not published yet."""
    return _letter(
        f"{draft.label} is approved and waits to be published",
        f"{who} approved {draft.label}. It takes events once somebody publishes it.",
        quoted(reason),
        f"Publish: {link(base_url, draft)}",
    )


def published(draft: Draft, who: str, reason: str, changes: Sequence[str], base_url: str) -> Letter:
    """To those concerned: it takes events now."""
    return _letter(
        f"{draft.label} is published",
        f"{draft.label} takes events now; {who} published it.",
        quoted(reason) if reason else "",
        _listed(changes),
        f"The schema, and the code to send it: {base_url}/schemas/{draft.schema}",
        f"The review: {link(base_url, draft)}",
    )


def withdrawn(draft: Draft, who: str, base_url: str) -> Letter:
    """To those concerned."""
    return _letter(
        f"{draft.label} was withdrawn",
        f"{who} withdrew {draft.label}. Nothing is left to decide.",
        f"See: {link(base_url, draft)}",
    )


def edited(draft: Draft, who: str, changes: Sequence[str], base_url: str) -> Letter:
    """To those concerned, where an approved proposal was changed."""
    return _letter(
        f"{draft.label} was changed after it was approved",
        f"{who} changed {draft.label}, so it needs a review again.",
        _listed(changes),
        f"Decide: {link(base_url, draft)}",
    )


def rechecked(draft: Draft, why: str, base_url: str) -> Letter:
    """To those concerned, where something was published in between."""
    return _letter(
        f"{draft.label} needs another look: the schema changed meanwhile",
        f"{draft.label} was not published.",
        why,
        f"Look again: {link(base_url, draft)}",
    )


def moved(schema: str, state: str, who: str, reason: str, base_url: str) -> Letter:
    """To the owners of a schema that was deprecated, retired or revived."""
    facts = {
        "deprecated": (
            f"{schema} is deprecated",
            f"{who} deprecated {schema}. Its events are still taken; plan to stop sending them.",
        ),
        "retired": (
            f"{schema} is retired",
            f"{who} retired {schema}. Its events are refused from now on (schema_retired).",
        ),
        "published": (
            f"{schema} takes events again",
            f"{who} put {schema} back into use. Its events are taken as before.",
        ),
    }
    subject, fact = facts[state]
    return _letter(subject, fact, quoted(reason), f"See: {base_url}/schemas/{schema}")


def owners_asked(schema: str, dead: str, why: str, base_url: str) -> Letter:
    """To the other owners of a schema, one of whose owners cannot be reached."""
    return _letter(
        f"{schema}: its owner {dead} cannot be reached",
        f"{schema} has an owner who cannot be reached: {dead} ({why}).",
        "You own the schema too. Say who takes their place, best the address of a group.",
        f"Change the owners: {base_url}/schemas/{schema}",
    )


def reviewers_asked(schema: str, dead: Iterable[str], alive: Sequence[str], url: str) -> Letter:
    """To the reviewers, where the owners did not mend it."""
    if alive:
        subject = f"{schema}: an owner cannot be reached, and nobody took their place"
        left = f"Still there: {', '.join(alive)}."
    else:
        subject = f"{schema}: no owner can be reached"
        left = "No owner is left, so no version of it can be published."
    return _letter(
        subject,
        f"Nobody took the place of {', '.join(dead)} as owner of {schema}.",
        left,
        f"Find an owner, best the address of a group: {url}/schemas/{schema}",
    )


def invitation(schema: str, answer_link: str) -> Letter:
    """To somebody whose schema has its first valid event."""
    return _letter(
        f"{schema} has its first valid event: will you review other schemas?",
        f"{schema} has its first valid event, so you know how it is done.",
        "Would you look at what others propose, now and then? Reviewers take turns: one proposal "
        "at a time, two working days each, and you can say when you are away. You are on the "
        "list only if you say yes, and may leave it at any time. You will not be asked again.",
        f"Answer yes or no: {answer_link}",
    )


def asked_to_review(who: str, answer_link: str) -> Letter:
    """To somebody whom an admin would like to have as a reviewer."""
    return _letter(
        f"{who} asks: will you review schemas?",
        f"{who} would like you to review what others propose, now and then.",
        "Reviewers take turns: one proposal at a time, two working days each, and you can say "
        "when you are away. You are on the list only if you say yes, and may leave it at any time.",
        f"Answer yes or no: {answer_link}",
    )


def quoted(text: str) -> str:
    """Return what a person said, as mails quote it."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().splitlines())


def first_line(text: str) -> str:
    """Return the beginning of what a person said, for a subject."""
    line = (text.strip().splitlines() or [""])[0]
    return line if len(line) <= 100 else f"{line[:99]}…"


def moment(iso: str | None) -> str:
    """Return an ISO time as people read it: `2026-11-22 03:04 UTC`."""
    return f"{iso[:16].replace('T', ' ')} UTC" if iso else "an unknown time"


def _listed(changes: Sequence[str]) -> str:
    lines = "\n".join(f"- {change}" for change in changes)
    return f"What changes:\n{lines}" if lines else ""


def _letter(subject: str, *parts: str) -> Letter:
    return Letter(subject, "\n\n".join(part for part in parts if part) + "\n")
