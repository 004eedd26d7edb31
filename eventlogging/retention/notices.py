"""Tell owners before their first events go, and before many go at the end of an extension."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import sqlalchemy as sa

from eventlogging.clock import age, moved
from eventlogging.registry import owners
from eventlogging.registry.model import RegisteredSchema, Snapshot
from eventlogging.retention import words
from eventlogging.retention.letter import Letter, Part, Post, send
from eventlogging.retention.policy import Extension, Policies, Policy
from eventlogging.retention.standing import Going, Standing, read_standing

LEVELS = (1, 7, 14)  # days before, the nearest first
FIRST, EXTENSION = "first", "extension"
_HINT = (
    "Fields without who it was (stripped events), and counts by day (aggregates): both are "
    "declared on the schema's page, and harm nobody."
)
_CEASES = "The longer keep for research ends then, and the rule counts again."


@dataclass(frozen=True)
class Notice:
    """What an owner is told about a schema: all of `going` goes on its day, `level` days before.

    `kind`: the schema's first events go, or an extension ends. A mail that was missed is told by
    the next look, while there is time.
    """

    kind: str
    going: Going
    level: int

    @property
    def occasion(self) -> str:
        """What must be said once."""
        return f"retention:{self.kind}:{self.going.schema}:{self.going.on}:{self.level}"


def due(standing: Mapping[str, Standing], today: str) -> list[Notice]:
    """Return what owners are to be told by now; what was told is told no second time by its key."""
    found = []
    for one in standing.values():
        if one.policy.held:
            continue
        ends = list(_ends(one, today))
        found += ends
        first = one.next(today)
        if first is None or one.began or first.on in {notice.going.on for notice in ends}:
            continue
        if level := _level(first.on, today):
            found.append(Notice(FIRST, first, level))
    return found


def tell(connection: sa.Connection, snapshot: Snapshot, policies: Policies, post: Post,
         today: str) -> int:  # fmt: skip
    """Queue what is due to be said, within the caller's transaction; return how many are new."""
    standing = read_standing(connection, policies, today)
    told = 0
    for notice in due(standing, today):
        schema = snapshot.schemas.get(notice.going.schema)
        if schema is None:
            continue
        letter = written(notice, policies.of(schema.name), schema, today, post.url)
        for email in dict.fromkeys(owners.living(connection, schema.owners)):
            told += send(connection, post, notice.occasion, email.casefold(), letter)
    return told


def written(
    notice: Notice, policy: Policy, schema: RegisteredSchema, today: str, url: str
) -> Letter:
    """Return the mail: what goes, what stays, what to do."""
    name, going = schema.name, notice.going
    page = f"{url}/schemas/{quote(name)}"
    when = words.ahead(going.on, today)
    count = words.rows(going.rows)
    stays = words.remains(policy, schema)
    said = f"{count} of {name} go {when}, on {going.on}"
    if not going.rows:
        said = f"The longer keep of {name} ends {when}, on {going.on}, and nothing goes at once"
    elif age(today, going.on) <= 0:
        said = f"{count} of {name} go {when}"
    return Letter(
        f"{name}: {_fact(notice, when)}",
        f"{said}.",
        (
            Part("What goes", tuple(_what_goes(notice, policy))),
            Part("What stays", tuple(stays) or ("Nothing but the counts of the ledger.",)),
            *([] if stays else [Part("What could stay", (_HINT,))]),
            Part("What to do", (
                "Nothing, if that is right: it happens by itself.",
                "Say what remains of events, before they go.",
                "Ask for more time, with a reason; a reviewer decides.",
            )),
        ),
        (
            ("What remains of events, and for how long", f"{page}/retention"),
            ("Ask for an extension", f"{page}/extension"),
            ("What is kept of all schemas", f"{url}/retention"),
        ),
        f"You get this because you own {name}. It is said 14, 7 and 1 days before.",
    )  # fmt: skip


def _fact(notice: Notice, when: str) -> str:
    if notice.kind == EXTENSION:
        rows = notice.going.rows
        more = f", and {words.rows(rows)} go" if rows else ""
        return f"the longer keep ends {when}{more}"
    return f"the first events go {when}"


def _what_goes(notice: Notice, policy: Policy) -> Iterator[str]:
    going = notice.going
    if going.days:
        yield f"{words.rows(going.rows)} of {words.span(going.days)}."
    if notice.kind == EXTENSION:
        yield _CEASES
    yield (
        f"From then on each day's events go after {words.days(policy.keep_days)}: from the tables "
        "and from the log, and nobody can bring them back."
    )


def _ends(one: Standing, today: str) -> Iterator[Notice]:
    """Yield the ends of extensions; the days that go at once with them are told of, if any."""
    going = {found.on: found for found in one.goings}
    ends: defaultdict[str, list[Extension]] = defaultdict(list)
    for extension in one.policy.extensions:
        if extension.until >= today:
            ends[moved(extension.until, 1)].append(extension)
    for on in sorted(ends):
        level = _level(on, today)
        at_once = going.get(on, Going(one.schema, on, (), 0))
        if level and (at_once.rows or level == max(LEVELS)):
            yield Notice(EXTENSION, at_once, level)


def _level(on: str, today: str) -> int:
    """Return which of the three mails is due for a day that lies ahead; 0: none yet."""
    left = age(today, on)
    return next((level for level in LEVELS if left <= level), 0)
