"""Run the benchmarks: `python -m benchmarks --help`. `bin/bench` prepares what they need."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import collect, end_to_end, intake, loading, memory, purge, stages, validation
from benchmarks.figures import figures_table
from benchmarks.machine import describe
from benchmarks.section import Options, Section

_SECTIONS: dict[str, Callable[[Options, Path], Section]] = {
    "intake": intake.measure,
    "stages": stages.measure,
    "collect": collect.measure,
    "validation": validation.measure,
    "loading": loading.measure,
    "end-to-end": end_to_end.measure,
    "purge": purge.measure,
    "memory": memory.measure,
}
_RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure, print tables, write the JSON file; 1 where a target was asked for and missed."""
    arguments = _arguments()
    quick = Options(seconds=2, rounds=3, events=20_000, lag_seconds=10, minutes=0.2)
    options = quick if arguments.quick else Options()
    wanted = {"minutes": arguments.minutes, "rounds": arguments.rounds}
    wanted |= {"seconds": arguments.seconds}
    options = replace(options, **{key: value for key, value in wanted.items() if value is not None})
    # On a disk: where the folder for temporary files lies in memory, a sync costs nothing.
    place = Path(arguments.folder)
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place.resolve()))
    date = datetime.now(UTC)
    machine = describe(folder)
    print(f"{date:%Y-%m-%d}, {machine['cores']} cores of {machine['cpu']}, "
          f"{machine['memory_gb']} GB, Python {machine['python']}, "
          f"fdatasync {machine['fdatasync_us']} µs, "
          f"load average {machine['load_average'][0]:.2f}")  # fmt: skip
    results = {"date": date.isoformat(), "options": asdict(options), "machine": machine}
    missed = False
    try:
        for name in arguments.only or _SECTIONS:
            load_average = os.getloadavg()
            section = _SECTIONS[name](options, folder)
            figures = [figure.as_dict() for figure in section.figures]
            results[name] = {"load_average": load_average, "figures": figures, **section.raw}
            missed |= any(figure.reached is False for figure in section.figures)
            print(f"\n{name}\n\n{figures_table(section.figures)}")
            if section.table:
                print(f"\n{section.table}")
            sys.stdout.flush()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    path = Path(arguments.json) if arguments.json else _RESULTS / f"{date:%Y-%m-%d}.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    print(f"\n{path}")
    return 1 if missed and arguments.check else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="3 rounds of 2 seconds, fewer events")
    add("--only", action="append", choices=list(_SECTIONS), help="this section (repeatable)")
    add("--json", metavar="FILE", help="where the results go; else benchmarks/results/<date>.json")
    add("--rounds", type=int, help="rounds of each comparison")
    add("--seconds", type=int, help="length of one run of the load generator")
    add("--minutes", type=float, help="length of the soak that watches memory")
    add("--folder", default="var", help="where data is written while measuring; on a disk")
    add("--check", action="store_true", help="exit 1 where a target is missed")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
