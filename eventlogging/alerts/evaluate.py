"""One evaluation: measure, decide, and store what was decided with its mails, at once.

Episodes, mails and calls are written in one transaction. When the process ends before its
commit nothing happened, and the next evaluation decides the same; when it ends after, the mails
wait in the queue, and its delivery sees to the rest. Two machines cannot open the same episode:
the key of open ones is unique, and who comes second looks again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa

from eventlogging import clock
from eventlogging.alerts import decide as deciding
from eventlogging.alerts import episodes, measure, rules, tell, webhooks, words
from eventlogging.alerts.briefing import Briefing, brief
from eventlogging.alerts.decide import Change, Close, GoOn, Open, TellOthers, Wake
from eventlogging.alerts.episode import Episode
from eventlogging.alerts.figures import Figures, JobState
from eventlogging.alerts.judge import Fact, judge, key_of
from eventlogging.alerts.letters import Writer
from eventlogging.alerts.rules import Documents, Rule
from eventlogging.alerts.sample import Recover
from eventlogging.alerts.tell import Post, Recipient
from eventlogging.errors import StoreUnavailable
from eventlogging.governance.model import DEFAULT_READERS
from eventlogging.mail.queue import Message, queue
from eventlogging.platform import Platform
from eventlogging.registry.export import held_documents

_TRIES = 3
_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation came to: facts of episodes, in words."""

    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    going_on: int = 0
    mails: int = 0

    @property
    def sentence(self) -> str:
        """The whole of it, for the list of jobs."""
        parts = [f"opened: {fact}" for fact in self.opened]
        parts += [f"over: {fact}" for fact in self.closed]
        parts.append(f"{self.going_on} going on")
        return "\n".join(parts)


def evaluate(platform: Platform, jobs: Sequence[JobState], recover: Recover) -> Evaluation:
    """Hold the ledger, the jobs and the database against their rules.

    Raises StoreUnavailable, and OSError where the log cannot be read.
    """
    platform.registry.refresh()
    documents, all_rules = _rules(platform)
    chosen = [rule for rule in all_rules if rule.kind not in rules.OF_HOSTS]
    with platform.database.read() as connection:
        standing = episodes.opened(connection)
    watched = [one.schema for one in standing if one.rule == "rhythm"]
    figures = measure.read_figures(platform, chosen, jobs, watched=watched)
    known = {key_of(rule.kind, rule.schema) for rule in chosen if rule.kind != "jobs"}
    known |= {key_of("jobs", job.name) for job in figures.jobs}
    scope = {*rules.OF_SCHEMAS, *rules.OF_ALL}
    return _evaluate(platform, documents, chosen, figures, recover, scope, known)


def evaluate_host(platform: Platform) -> Evaluation:
    """Hold this host's log and disk against their rules. Raises as `evaluate`."""
    documents, all_rules = _rules(platform)
    chosen = [rule for rule in all_rules if rule.kind in rules.OF_HOSTS]
    figures = measure.read_host_figures(platform, chosen)
    return _evaluate(platform, documents, chosen, figures, _nothing_to_recover, (), ())


def _nothing_to_recover(name: str, document: object) -> None:
    return None


def _rules(platform: Platform) -> tuple[Documents, list[Rule]]:
    with platform.database.read() as connection:
        documents = held_documents(connection)
    schemas = platform.registry.snapshot.schemas.values()
    return documents, rules.rules_of(documents, rules.names(schemas))


def _evaluate(
    platform: Platform, documents: Documents, chosen: Sequence[Rule], figures: Figures,
    recover: Recover, scope: Collection[str], known: Collection[str],
) -> Evaluation:  # fmt: skip
    facts = judge(chosen, figures)
    post = Post(platform.config, platform.session_key, Writer(documents))
    for _ in range(_TRIES):
        with platform.database.read() as connection:
            standing = episodes.standing(connection, figures.now_ms)
        changes = deciding.decide(facts, standing, figures.now_ms, scope=scope, known=known)
        prepared = _Round(platform, documents, post, figures.now_ms, recover)
        for change in changes:
            prepared.prepare(change)
        try:
            with platform.database.write() as connection:
                return prepared.store(connection, changes)
        except sa.exc.IntegrityError:
            _logger.info("another machine has opened the same alert; looking again")
    raise StoreUnavailable("alerts are being decided on by several machines at once")


class _Round:
    """The mails of one evaluation, written before the transaction begins: pictures take time."""

    def __init__(
        self, platform: Platform, documents: Documents, post: Post, now_ms: int, recover: Recover
    ) -> None:
        self._platform = platform
        self._documents = documents
        self._post = post
        self._now = now_ms
        self._recover = recover
        self._openings: list[tuple[Briefing, list[Recipient]]] = []
        self._still: dict[str, list[Message]] = {}

    def prepare(self, change: Change) -> None:
        if isinstance(change, Open):
            self._prepare_opening(change)
        elif isinstance(change, Wake | TellOthers):
            self._still[change.episode.key] = self._still_mails(change)

    def _prepare_opening(self, change: Open) -> None:
        episode = episodes.of_opening(change, clock.iso(self._now), {})
        briefing = brief(self._platform, episode, change.fact, self._recover)
        people: list[Recipient] = []
        if change.snoozed_until is None:
            people = self._people(briefing)
        detail = {**briefing.episode.detail, "recipients": tell.emails(people)}
        briefing = replace(briefing, episode=replace(briefing.episode, detail=detail))
        self._openings.append((briefing, people))

    def _people(self, briefing: Briefing) -> list[Recipient]:
        schema = briefing.episode.schema
        also: list[str] = []
        if not schema:
            also = [owner for one in briefing.contributors for owner in one.owners]
        readers = briefing.failing.readers if briefing.failing else DEFAULT_READERS
        with self._platform.database.read() as connection:
            return tell.recipients(
                connection, self._documents, schema, self._owners(schema), also, readers
            )

    def _owners(self, schema: str) -> tuple[str, ...]:
        found = self._platform.registry.snapshot.schemas.get(schema)
        return found.owners if found is not None else ()

    def _still_mails(self, change: Wake | TellOthers) -> list[Message]:
        episode = change.episode
        fact = change.fact or _fact_of(episode)
        briefing = brief(self._platform, episode, fact, self._recover, thorough=False)
        if isinstance(change, Wake):
            people, reason = self._people(briefing), "The snooze has ended, and it goes on."
        else:
            told = ", ".join(episode.told[:3]) or "nobody"
            reason = f"It began a day ago, and nobody acted. Told were: {told}."
            with self._platform.database.read() as connection:
                people = tell.others(connection, episode, self._owners(episode.schema))
        return tell.still_mails(self._post, briefing, people, reason, self._now)

    def store(self, connection: sa.Connection, changes: Sequence[Change]) -> Evaluation:
        """Write everything in the caller's transaction."""
        mails: list[Message] = []
        if self._openings:
            episodes.forget_old(connection, self._now)
        for briefing, _ in self._openings:
            episodes.insert(connection, briefing.episode)
            self._call(connection, briefing.episode, "opened", briefing.episode.fact)
        mails += tell.opening_mails(self._post, self._openings)
        closed: list[tuple[Episode, str]] = []
        for change in changes:
            if isinstance(change, GoOn):
                episodes.go_on(connection, change.episode, change.fact, self._now)
            elif isinstance(change, Close) and episodes.close(
                connection, change.episode, self._now
            ):
                over = words.over_of(change.episode, is_judged=change.fact is not None)
                closed.append((change.episode, over))
                self._call(connection, change.episode, "closed", over)
            elif isinstance(change, Wake | TellOthers) and self._goes_on(connection, change):
                mails += self._still[change.episode.key]
        mails += tell.closing_mails(self._post, closed, self._now)
        queued = sum(queue(connection, message) for message in mails)
        return Evaluation(
            tuple(briefing.episode.fact for briefing, _ in self._openings),
            tuple(episode.fact for episode, _ in closed),
            sum(isinstance(change, GoOn) for change in changes),
            queued,
        )

    def _goes_on(self, connection: sa.Connection, change: Wake | TellOthers) -> bool:
        """Note that people are told again; False where somebody else has told them."""
        told = [message.recipient for message in self._still[change.episode.key]]
        note = episodes.wake if isinstance(change, Wake) else episodes.tell_again
        return note(connection, change.episode, self._now, told)

    def _call(self, connection: sa.Connection, episode: Episode, what: str, text: str) -> None:
        if what == "opened" and episode.snoozed_until is not None:
            return
        for url in rules.webhooks_of(self._documents, episode.schema):
            webhooks.queue(connection, url, episode, what, text, self._platform.config.url)


def _fact_of(episode: Episode) -> Fact:
    """Return the fact as it was measured last, where it was not measured this time."""
    told = dict(episode.detail.get("told", {}))
    values = dict(episode.detail.get("values", {}))
    rule = Rule(episode.rule, episode.schema, values)
    return Fact(rule, episode.subject, "between", episode.value, told)
