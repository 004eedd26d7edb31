"""What must hold of a proposal before people look at it, and again before it is published."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from eventlogging.registry import owners
from eventlogging.registry.assess import Assessment, assess
from eventlogging.registry.proposal import Proposal, proposal_of
from eventlogging.review import questions
from eventlogging.review.record import Draft
from eventlogging.store.fixed import event_schema, person


@dataclass(frozen=True)
class Judged:
    """A proposal held against what is published now; without problems it may be published."""

    proposal: Proposal | None
    assessment: Assessment | None
    problems: tuple[str, ...]

    @property
    def version(self) -> str:
        """The version it is or would become; "" where that cannot be said."""
        found = self.assessment
        return str(found.version) if found and found.version else ""


def judge(connection: sa.Connection, draft: Draft) -> Judged:
    """Hold a proposal against the registry, and say everything that is wrong; writes nothing."""
    proposal, wrong = proposal_of(draft.schema, draft.body)
    if proposal is None:
        return Judged(None, None, tuple(wrong))
    found = assess(connection, proposal)
    problems = [*wrong, *found.problems, *found.conflicts]
    if found.identical:
        problems.append(
            f"{found.name} {found.version} is published and says the same; "
            "settings alone are changed on the schema's page"
        )
    if found.document is not None and not _has_passing_example(found):
        problems.append("an example that passes is missing: add an event as it will be sent")
    state = sa.select(event_schema.c.state).where(event_schema.c.name == draft.schema)
    if connection.execute(state).scalar() == "retired":
        problems.append(f"{draft.schema} is retired and takes no events; put it back into use")
    dead = owners.problem(connection, draft.schema, found.settings.owners)
    if found.settings.owners and dead:
        problems.append(dead)
    return Judged(proposal, found, tuple(dict.fromkeys(problems)))


def request_problems(connection: sa.Connection, draft: Draft, judged: Judged) -> list[str]:
    """Return what is missing before a reviewer is asked, beyond what `judge` says."""
    problems = questions.unanswered(questions.questions(connection), draft.answers)
    if judged.assessment is not None:
        problems += _group_problem(connection, judged.assessment.settings.owners)
    return problems


def _has_passing_example(found: Assessment) -> bool:
    kept = found.examples
    if kept is None and found.standing is not None:
        kept = found.standing.examples
    return any(example.passes for example in kept or ())


def _group_problem(connection: sa.Connection, stated: Iterable[str]) -> list[str]:
    """Say that no owner is a group's: an address without an account of its own counts as one."""
    folded = {owner.casefold() for owner in stated}
    query = sa.select(person.c.email).where(person.c.email.in_(folded))
    personal = set(connection.execute(query).scalars())
    if not folded or folded - personal:
        return []
    listed = ", ".join(sorted(personal))
    one = "the only owner is one person" if len(personal) == 1 else "every owner is one person"
    return [f"{one} ({listed}); add the address of a group, which answers also when people leave"]
