"""`eventlogging graphite-schemas`: where each schema's chart is in Graphite."""

from __future__ import annotations

import json
from pathlib import Path

import click

from eventlogging import config as settings
from eventlogging.metrics.dashboards import dashboard, render_url
from eventlogging.platform import open_platform


@click.command("graphite-schemas")
@click.option("--graphite-url", default="http://localhost", help="where graphite-web is")
@click.option("--dashboard", "file", type=click.Path(path_type=Path), help="write one as JSON")
def graphite_schemas(graphite_url: str, file: Path | None) -> None:
    """Print the render URL of each schema's chart; --dashboard FILE: all of them in one.

    \b
    Example: eventlogging graphite-schemas --graphite-url https://graphite.example.org
    """
    platform = open_platform(settings.load())
    platform.registry.refresh()
    prefix = platform.config.graphite_prefix
    schemas = sorted(platform.registry.snapshot.schemas.values(), key=lambda one: one.name)
    if not schemas:
        click.echo("No schema is registered. Next: eventlogging apply")
    width = max((len(schema.name) for schema in schemas), default=0)
    for schema in schemas:
        click.echo(f"{schema.name:{width}}  {render_url(graphite_url, prefix, schema)}")
    if file is not None:
        text = json.dumps(dashboard(prefix, schemas), indent=1)
        file.write_text(text + "\n", "utf-8")
        click.echo(f"Dashboard written to {file}. Load it: curl --data-urlencode state@{file} "
                   f"{graphite_url.rstrip('/')}/dashboard/save/EventLogging")  # fmt: skip
