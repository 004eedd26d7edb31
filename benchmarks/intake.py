"""Intake: events a second against servers that do nothing, and what sync and privacy cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks import events, servers
from benchmarks.figures import Figure, compare, number, spread, table
from benchmarks.generator import Run, run
from benchmarks.section import Options, Section
from benchmarks.servers import Served

# name → events in a body, bodies, schema
LOADS = {
    "single": (1, 4000, "NavigationTiming"),
    "arrays of 10": (10, 800, "NavigationTiming"),
    "arrays of 100": (100, 120, "NavigationTiming"),
    "100, two private": (100, 120, events.PRIVATE),
}
OURS, UNSYNCED, ASGI = "eventlogging", "eventlogging without sync", "granian asgi"
RSGI, UVICORN, NGINX = "granian rsgi", "uvicorn asgi", "nginx 204"
SLOW, SLOW_MS = "eventlogging, sync of 5 ms", 5.0
# One round, in this order: every comparison has both of its sides in it.
PLAN = (
    (OURS, "single"), (ASGI, "single"), (UNSYNCED, "single"), (RSGI, "single"),
    (UVICORN, "single"), (NGINX, "single"), (SLOW, "single"), (OURS, "arrays of 10"),
    (OURS, "arrays of 100"), (UNSYNCED, "arrays of 100"), (ASGI, "arrays of 100"),
    (OURS, "100, two private"),
)  # fmt: skip
CONNECTIONS = (32, 64)
Key = tuple[str, str, int]


def measure(options: Options, folder: Path) -> Section:
    """Return all ratios of intake."""
    governance = folder / "governance"
    events.write_governance(governance)
    bodies = {}
    for place, (load, (size, count, schema)) in enumerate(LOADS.items()):
        bodies[load] = folder / f"bodies-{place}"
        events.write_bodies(bodies[load], size, count, schema)
    makers: dict[str, Callable[[], Served]] = {
        OURS: lambda: servers.eventlogging_web(folder, governance),
        UNSYNCED: lambda: servers.eventlogging_web(folder, governance, UNSYNCED, -1),
        SLOW: lambda: servers.eventlogging_web(folder, governance, SLOW, SLOW_MS),
        ASGI: lambda: servers.granian(folder, "asgi"),
        RSGI: lambda: servers.granian(folder, "rsgi"),
        UVICORN: lambda: servers.uvicorn_noop(folder),
        NGINX: lambda: servers.nginx(folder),
    }
    runs: dict[Key, list[Run]] = {}
    memory = []
    with ExitStack() as stack:
        started: dict[str, Served] = {}
        for name, make in makers.items():
            started[name] = make()
            stack.callback(started[name].stop)
        for name, load in PLAN:  # warm
            run(started[name], load, bodies[load], LOADS[load][0], CONNECTIONS[0], 1)
        memory.append(started[OURS].rss_mb())
        for round_ in range(options.rounds):
            for connections in CONNECTIONS:
                options.say(f"intake: round {round_ + 1}, {connections} connections")
                for name, load in PLAN:
                    done = run(
                        started[name], load, bodies[load], LOADS[load][0], connections,
                        options.seconds,
                    )  # fmt: skip
                    runs.setdefault((name, load, connections), []).append(done)
                    if name == OURS:
                        memory.append(started[OURS].rss_mb())
    figures = [figure for connections in CONNECTIONS for figure in _figures(runs, connections)]
    figures.append(
        compare(
            "intake", "memory of web: end against start of the load", "MB",
            [memory[-1]], [memory[0]],
        )
    )  # fmt: skip
    raw = [one.as_dict() for several in runs.values() for one in several]
    return Section(figures, {"runs": raw, "web_rss_mb": memory}, _table(runs))


def _figures(runs: dict[Key, list[Run]], connections: int) -> list[Figure]:
    def rate(server: str, load: str = "single") -> list[float]:
        return [one.events_per_second for one in runs[server, load, connections]]

    def cpu(server: str, load: str = "single") -> list[float]:
        return [one.events_per_cpu_second for one in runs[server, load, connections]]

    def slow(server: str, load: str = "single") -> list[float]:
        return [one.p99_ms for one in runs[server, load, connections]]

    def figure(
        name: str,
        unit: str,
        ours: Sequence[float],
        theirs: Sequence[float],
        target: float | None = None,
        at_most: bool = False,
    ) -> Figure:
        name = f"{name}, {connections} connections"
        return compare("intake", name, unit, ours, theirs, target, at_most=at_most)

    many, private = "arrays of 100", "100, two private"
    return [
        figure("single / granian ASGI", "req/s", rate(OURS), rate(ASGI), 0.40),
        figure("single / granian RSGI", "req/s", rate(OURS), rate(RSGI)),
        figure("single / uvicorn no-op", "req/s", rate(OURS), rate(UVICORN)),
        figure("single / nginx 204", "req/s", rate(OURS), rate(NGINX)),
        figure("single / without sync", "req/s", rate(OURS), rate(UNSYNCED)),
        figure("single on a disk of 5 ms / on this one", "req/s", rate(SLOW), rate(OURS)),
        figure("single / granian ASGI, by CPU", "ev/CPU-s", cpu(OURS), cpu(ASGI), 0.40),
        figure("single / without sync, by CPU", "ev/CPU-s", cpu(OURS), cpu(UNSYNCED)),
        figure("arrays of 10 / granian ASGI single", "ev/s", rate(OURS, "arrays of 10"),
               rate(ASGI)),
        figure("arrays of 100 / granian ASGI single", "ev/s", rate(OURS, many), rate(ASGI), 1.8),
        figure("arrays of 100 / granian RSGI single", "ev/s", rate(OURS, many), rate(RSGI)),
        figure("arrays of 100 / granian ASGI single, by CPU", "ev/CPU-s", cpu(OURS, many),
               cpu(ASGI), 1.8),
        figure("100, two private / granian ASGI single", "ev/s", rate(OURS, private), rate(ASGI),
               1.4),
        figure("100, two private / granian ASGI single, by CPU", "ev/CPU-s", cpu(OURS, private),
               cpu(ASGI), 1.4),
        figure("100, two private / granian RSGI single", "ev/s", rate(OURS, private), rate(RSGI)),
        figure("arrays of 100 / no-op with the same bodies", "ev/s", rate(OURS, many),
               rate(ASGI, many)),
        figure("p99, single / without sync", "ms", slow(OURS), slow(UNSYNCED),
               2.0 if connections == 64 else None, at_most=True),
        figure("p99, arrays of 100 / without sync", "ms", slow(OURS, many), slow(UNSYNCED, many)),
    ]  # fmt: skip


def _table(runs: dict[Key, list[Run]]) -> str:
    head = ["server", "load", "conn.", "req/s", "events/s", "ev/CPU-s", "p50 ms", "p99 ms"]
    rows = [[*head, "server", "wrk", "others"]]
    for (server, load, connections), several in runs.items():
        rows.append(
            [
                server, load, str(connections),
                number(spread([one.requests_per_second for one in several]).median),
                str(spread([one.events_per_second for one in several])),
                number(spread([one.events_per_cpu_second for one in several]).median),
                number(spread([one.p50_ms for one in several]).median),
                number(spread([one.p99_ms for one in several]).median),
                f"{spread([one.server_busy for one in several]).median:.0%}",
                f"{spread([one.generator_busy for one in several]).median:.0%}",
                f"{max(one.others_busy for one in several):.0%}",
            ]
        )  # fmt: skip
    return table(rows)
