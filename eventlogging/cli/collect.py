"""`eventlogging collect`: events from the access log of an edge that answered them itself."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import click

from eventlogging import config as settings
from eventlogging.backup.locks import running
from eventlogging.cli.paint import paint
from eventlogging.cli.processes import calm_garbage_collection, set_up_logging, stop_flag
from eventlogging.cli.progress import Bar, bar
from eventlogging.collector.edge import state as states
from eventlogging.collector.edge.collect import Collect, Sink, Totals
from eventlogging.collector.edge.formats import CLASSIC, Format, FormatError
from eventlogging.collector.edge.judge import Judge
from eventlogging.collector.edge.keep import Keep
from eventlogging.collector.edge.ship import Ship
from eventlogging.config import Config
from eventlogging.errors import ConfigError, EventLoggingError
from eventlogging.event import Outcome
from eventlogging.forwarder.remote import RemoteRegistry
from eventlogging.forwarder.storage import Storage
from eventlogging.intake.useragent import coarse
from eventlogging.log.writer import LogWriter
from eventlogging.platform import Platform, open_platform
from eventlogging.registry.snapshot import RegistryCache

_logger = logging.getLogger(__name__)
_ORDER = (Outcome.VALID, Outcome.INVALID, Outcome.SAMPLED_OUT, Outcome.SUPPRESSED)


class FormatType(click.ParamType[Format]):
    """The format of a log's lines; `\\t` stands for a tab."""

    name = "format"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Format:
        try:
            return Format(str(value).replace("\\t", "\t"))
        except FormatError as error:
            raise click.UsageError(str(error), ctx) from error


@click.command(
    short_help="Take events from an edge server's access log.",
    epilog="Example:  eventlogging collect --from /var/log/nginx/events.log --follow",
)
@click.option("--from", "path", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="The log, plain or packed by gzip.")  # fmt: skip
@click.option("--format", "line_format", type=FormatType(), default=CLASSIC, show_default=True,
              help="What stands where in a line; \\t is a tab.")  # fmt: skip
@click.option("--follow", is_flag=True, help="Go on with what comes, through rotations.")
@click.option("--to", "urls", multiple=True, metavar="URL",
              help="Send the lines to this storage server, which judges and keeps them; several: "
              "to the next where one does not answer.")  # fmt: skip
@click.option("--gzip", "pack", is_flag=True, help="Pack what is sent; wants --to.")
@click.option("--state", "state_path", type=click.Path(path_type=Path, dir_okay=False),
              help="File that holds how far the log was read; default: one in the data "
              "folder.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the counts as JSON.")
def collect(
    path: Path,
    line_format: Format,
    follow: bool,
    urls: tuple[str, ...],
    pack: bool,
    state_path: Path | None,
    as_json: bool,
) -> None:
    """Take the events that stand in an access log, where this was left off.

    The edge answers /beacon/event by itself and logs the query. Each line is judged as a beacon
    is; read twice, it counts once. With --to this host needs no data of EventLogging but
    EVENTLOGGING_FORWARD_TOKEN, a token of the storage servers with the scope forward.
    """
    if not follow and not path.exists():
        raise click.UsageError(f"--from {path}: no such file")
    if follow and path.suffix == ".gz":
        raise click.UsageError("--follow wants a log that grows; read a packed one without it")
    for url in urls:
        if not url.startswith(("http://", "https://")):
            raise click.UsageError(f"--to {url}: not a URL such as https://events.example.org")
    if pack and not urls:
        raise click.UsageError("--gzip packs what is sent; say where to by --to URL")
    set_up_logging()
    stopped = stop_flag()
    config = settings.load()
    state_path = state_path or states.default_path(config.var, path)
    sink = _shipped(config, urls, line_format, pack=pack) if urls else _kept(config, line_format)
    calm_garbage_collection()
    began, cpu = time.monotonic(), time.process_time()
    with (
        states.held(state_path),
        sink as taken,
        bar(wanted=not follow and not as_json) as progress,
    ):
        reading = Collect(
            path, state_path, taken,
            note=_note(progress), show=lambda done, of: progress(path.name, done, of),
        )  # fmt: skip
        try:
            reading.run(stopped, follow=follow)
        except OSError as error:
            raise EventLoggingError(f"{path}: {error.strerror or error}") from error
    _tell(reading.totals, time.monotonic() - began, time.process_time() - cpu, as_json=as_json)
    if not as_json:
        click.echo(f"{'On a storage server: ' if urls else ''}eventlogging ledger --wait 30")


@contextmanager
def _kept(config: Config, line_format: Format) -> Iterator[Sink]:
    """Yield what takes lines on a host with a data folder."""
    platform = open_platform(config)
    coarse("warm")
    with running(config.var):
        writer = LogWriter(
            platform.log_folder,
            segment_bytes=config.segment_bytes,
            queue_bytes=config.log_queue_bytes,
        )
        try:
            judge = Judge(line_format, config, platform.privacy_key)
            yield Keep(judge, _registry(platform), writer)
        finally:
            writer.close()


@contextmanager
def _shipped(
    config: Config, urls: Sequence[str], line_format: Format, *, pack: bool
) -> Iterator[Sink]:
    """Yield what takes lines on any other host."""
    if not config.forward_token:
        raise ConfigError(
            "EVENTLOGGING_FORWARD_TOKEN is not set: on the storage server make a token by "
            "eventlogging token create NAME --scope forward"
        )
    storage = Storage(urls, config.forward_token)
    yield Ship(line_format.text, storage, pack=pack)


def _registry(platform: Platform) -> RegistryCache:
    """Return the registry: the database's, or of a host that forwards, the storage servers'."""
    config = platform.config
    if not config.storage_servers:
        return platform.registry
    storage = Storage(config.storage_servers, config.forward_token)
    remote = RemoteRegistry(storage, config.var / "registry.json", platform.privacy_key.id)
    return cast(RegistryCache, remote)


def _note(progress: Bar) -> Any:
    def note(text: str) -> None:
        progress.clear()
        _logger.warning("%s", text)

    return note


def _tell(totals: Totals, seconds: float, cpu: float, *, as_json: bool) -> None:
    counts = {str(outcome): totals.outcomes[outcome] for outcome in _ORDER}
    if as_json:
        click.echo(json.dumps({"lines": totals.lines, **counts, "rest_bytes": totals.rest}))
        return
    shown = [
        paint(f"{count:,} {name.replace('_', ' ')}".replace(",", " "), name)
        for name, count in counts.items()
        if count or name == Outcome.VALID
    ]
    lines = f"{totals.lines:,}".replace(",", " ")
    rate = f"{totals.lines / seconds:,.0f}".replace(",", " ") if totals.lines else "0"
    click.echo(f"{lines} lines: {' · '.join(shown)}")
    click.echo(f"{seconds:.1f} s, {cpu:.1f} s of CPU time, {rate} lines/s")
    if totals.lines and totals.outcomes[Outcome.INVALID] == sum(totals.outcomes.values()):
        click.echo("Not one is valid. Does --format say what a line holds?")
    if totals.rest:
        click.echo("The last line is not complete yet; it is read next time.")
