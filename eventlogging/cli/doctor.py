"""The command `doctor`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click

from eventlogging import config
from eventlogging.cli.paint import harmless, paint
from eventlogging.doctor.examine import examine
from eventlogging.doctor.finding import Finding, error, worst
from eventlogging.errors import ConfigError

_MARKS = {"ok": "✓", "warning": "!", "error": "✗"}


@click.command(
    short_help="Check this installation and say how to mend it.",
    epilog="Example:  eventlogging doctor --json",
)
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(as_json: bool) -> None:
    """Check data folder, log, database, governance, secrets, clock and loader; mend nothing.

    Exit code 0; 1 where anything is in error (✗), not for warnings (!).
    """
    findings: list[Finding] = []
    try:
        for finding in examine(config.load()):
            findings.append(finding)
            if not as_json:
                _tell(finding)
    except ConfigError as wrong:
        findings.append(error("settings", str(wrong), "correct that setting"))
        if not as_json:
            _tell(findings[-1])
    level = worst(findings)
    if as_json:
        content = {"level": level, "findings": [asdict(finding) for finding in findings]}
        click.echo(json.dumps(content, ensure_ascii=False))
    else:
        click.echo("eventlogging doctor" if level == "error" else "eventlogging ledger --prove")
    sys.exit(1 if level == "error" else 0)


def _tell(finding: Finding) -> None:
    click.echo(f"{paint(_MARKS[finding.level], finding.level)} {harmless(finding.sentence)}")
    if finding.mend:
        click.echo(f"  → {harmless(finding.mend)}")
