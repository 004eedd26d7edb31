"""The command `retention verify`: the certificate that nothing is left which no rule explains."""

from __future__ import annotations

import json
import sys

import click

from eventlogging.cli.governance import reported
from eventlogging.cli.opening import opened_platform
from eventlogging.cli.paint import harmless, paint
from eventlogging.platform import Platform
from eventlogging.verify.certificate import Certificate
from eventlogging.verify.examine import examine


@click.command(
    "verify",
    short_help="Prove that nothing is kept that no rule explains.",
    epilog="Example:  eventlogging retention verify --json",
)
@click.option("--json", "as_json", is_flag=True, help="Print the certificate as JSON.")
def verify(as_json: bool) -> None:
    """Look at the database's catalogue, rows, log, backups and receipts; change nothing.

    It shares no code with what deletes. Exit code 0: nothing is left that no rule explains;
    1: something is, or could not be looked at.
    """
    with reported(), opened_platform() as platform:
        found = certificate(platform)
    if as_json:
        click.echo(json.dumps(found.as_dict(), ensure_ascii=False))
    else:
        _tell(found)
    sys.exit(0 if found.is_clean else 1)


def certificate(platform: Platform, *, grace_days: int = 1) -> Certificate:
    """Return the certificate of this moment. Raises StoreUnavailable."""
    return examine(platform, grace_days=grace_days)


def _tell(found: Certificate) -> None:
    click.echo(f"Looked at {found.extent}.")
    for one in found.findings:
        click.echo(f"{paint('✗', 'error')} {harmless(one.sentence)}")
        click.echo(f"  → {harmless(one.mend)}")
    if found.is_clean:
        click.echo(f"{paint('✓', 'ok')} Nothing is left that no rule explains.")
        click.echo("eventlogging job run opt-out-canary")
    else:
        click.echo("eventlogging purge --dry-run")
