"""The settings: each declared once, with its default and what it is for.

A value comes from, first found: the environment (`EVENTLOGGING_<NAME>`), for
secrets a file named by `EVENTLOGGING_<NAME>_FILE`, the file
`eventlogging.toml` (or the one that `EVENTLOGGING_CONFIG` names), the default.
Relative paths that the environment does not give count from the file's folder.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from eventlogging.errors import ConfigError

_SMTP_PORTS = {"starttls": 587, "ssl": 465, "none": 25}
_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_DEEPEST = 200  # orjson writes no more than 254 levels, and a line of the log adds some


def _setting(default: Any, help: str, *, secret: bool = False) -> Any:
    return field(default=default, metadata={"help": help, "secret": secret}, repr=not secret)


@dataclass(frozen=True)
class Config:
    """All settings, with a value for each. `SETTINGS` lists them for people."""

    listen: str = _setting("127.0.0.1:8080", "host:port that the web process listens on")
    var: Path = _setting(Path("var"), "data folder: log, SQLite database, outbox, secrets")
    database_url: str = _setting(
        "", "where events are stored; empty means SQLite in the data folder; else mysql+pymysql://…"
    )
    governance: Path = _setting(
        Path(), "folder that holds schemas/, reviewers/, alerts/ and purge/"
    )
    admin_token: str = _setting("", "bootstrap API token with every right", secret=True)
    privacy_key: str = _setting(
        "", "key of the HMAC over private fields; empty: made once in the data folder", secret=True
    )
    privacy_keys_former: str = _setting(
        "",
        "keys that privacy_key once was, comma-separated: persons are found under them too",
        secret=True,
    )
    session_key: str = _setting(
        "",
        "key that signs sign-in links and cookies; empty: made once in the data folder",
        secret=True,
    )
    public_url: str = _setting("", "the address people use; empty: http:// and the listen address")
    opt_out_domain: str = _setting(
        "",
        "domain whose pages all see the opt-out cookie, such as example.org; empty: our host alone",
    )
    oidc_issuer: str = _setting(
        "", "the OpenID provider's issuer, such as https://login.example.org; empty: passwords only"
    )
    oidc_client_id: str = _setting("", "the name under which the OpenID provider knows us")
    oidc_client_secret: str = _setting("", "our secret at the OpenID provider", secret=True)
    oidc_domains: str = _setting(
        "",
        "e-mail domains, comma-separated, whose people may come in by the OpenID provider; "
        "empty: only who was invited",
    )
    oidc_role: str = _setting(
        "viewer", "role of people of these domains at their first sign-in: viewer or analyst"
    )
    max_body_bytes: int = _setting(4 * 1024 * 1024, "largest request body, after decompression")
    max_event_bytes: int = _setting(256 * 1024, "largest single event")
    max_batch: int = _setting(2000, "most events in one request")
    max_depth: int = _setting(64, "deepest nesting of an event")
    header_seconds: float = _setting(
        10.0, "longest time a client may take to send the head of a request, or none at all"
    )
    body_seconds: float = _setting(20.0, "longest time a client may take to send a body")
    log_queue_bytes: int = _setting(
        64 * 1024 * 1024, "events waiting for the disk before requests are answered 503"
    )
    segment_bytes: int = _setting(64 * 1024 * 1024, "size at which the log opens a new segment")
    log_keep_days: int = _setting(14, "days that loaded log segments are kept for recovery")
    backup_keep_days: int = _setting(
        3, "days that backups are kept; one is made each night, 0: none is made by itself"
    )
    invalid_stored_per_minute: int = _setting(
        10_000, "invalid events stored per minute, schema and code; more are counted only"
    )
    load_rows: int = _setting(5000, "most events that the loader stores in one transaction")
    load_data: bool = _setting(
        False, "load by LOAD DATA LOCAL where the MariaDB or MySQL server allows it"
    )
    load_seconds: float = _setting(0.2, "longest time that an event waits for others to be loaded")
    smtp_host: str = _setting(
        "", "mail server that takes our mail; empty: mails become files in the data folder's outbox"
    )
    smtp_port: int = _setting(0, "its port; 0: 587, with ssl 465, with none 25")
    smtp_security: str = _setting(
        "starttls", "starttls, ssl or none; a certificate that cannot be verified is refused"
    )
    smtp_user: str = _setting("", "name to sign in to the mail server with; empty: no sign-in")
    smtp_password: str = _setting("", "password of that name", secret=True)
    mail_from: str = _setting(
        "EventLogging <eventlogging@localhost>",
        "the sender of mails: an address, or Name <address>",
    )
    mail_per_hour: int = _setting(
        20, "most mails an hour to one person; what is more waits and goes out as one mail"
    )
    webhook_secret: str = _setting(
        "", "key that signs the calls of webhooks; empty: they are not signed", secret=True
    )
    webhook_private: bool = _setting(
        False, "whether webhooks may be called at private addresses, and without https"
    )
    kpi_schema: str = _setting(
        "DialogInteraction", "the schema of what comes to /wsapi/interaction_data"
    )
    forward_to: str = _setting(
        "", "storage servers of a forwarder, comma-separated, such as https://one.example.org"
    )
    forward_token: str = _setting(
        "",
        "token of a forwarder, or of collect --to, at the storage servers: scope forward",
        secret=True,
    )
    graphite: str = _setting(
        "", "host or host:port of Graphite's Carbon, to which each minute's figures go; empty: none"
    )
    graphite_prefix: str = _setting("eventlogging", "what all paths in Graphite begin with")

    @property
    def url(self) -> str:
        """The base URL that people and commands use."""
        return self.public_url.rstrip("/") or f"http://{self.listen}"

    @property
    def address(self) -> tuple[str, int]:
        """`listen` as (host, port)."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def smtp_address(self) -> tuple[str, int]:
        """The mail server as (host, port); the host is empty where none is set."""
        return self.smtp_host, self.smtp_port or _SMTP_PORTS[self.smtp_security]

    @property
    def storage_servers(self) -> tuple[str, ...]:
        """The URLs of `forward_to`."""
        return tuple(url.strip() for url in self.forward_to.split(",") if url.strip())

    @property
    def effective_database_url(self) -> str:
        """The SQLAlchemy URL: the one set, or SQLite in the data folder."""
        return self.database_url or f"sqlite:///{(self.var / 'eventlogging.db').resolve()}"


SETTINGS = tuple(
    (f.name, f.default, f.metadata["help"], f.metadata["secret"]) for f in fields(Config)
)


def load(environ: Mapping[str, str] | None = None, file: Path | None = None) -> Config:
    """Return the settings in force.

    Raises ConfigError naming the setting and where its wrong value came from.
    """
    env = os.environ if environ is None else environ
    path = file or Path(env.get("EVENTLOGGING_CONFIG", "eventlogging.toml"))
    from_file = _read_file(path, must_exist=file is not None or "EVENTLOGGING_CONFIG" in env)
    values: dict[str, Any] = {
        name: path.parent / default for name, default, *_ in SETTINGS if isinstance(default, Path)
    }
    for name, default, _, secret in SETTINGS:
        key = f"EVENTLOGGING_{name.upper()}"
        if key in env:
            values[name] = _typed(env[key], default, key)
        elif secret and f"{key}_FILE" in env:
            values[name] = _secret_file(Path(env[f"{key}_FILE"]), f"{key}_FILE")
        elif name in from_file:
            value = _typed(from_file[name], default, f"{path}: {name}")
            values[name] = path.parent / value if isinstance(value, Path) else value
    config = Config(**values)
    _check(config)
    return config


def _read_file(path: Path, *, must_exist: bool) -> dict[str, Any]:
    if not path.exists():
        if must_exist:
            raise ConfigError(
                f"{path}: no such settings file; create it or unset EVENTLOGGING_CONFIG"
            )
        return {}
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    known = {name for name, *_ in SETTINGS}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ConfigError(
            f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(known))}"
        )
    return values


def _secret_file(path: Path, origin: str) -> str:
    try:
        return path.read_text("utf-8").strip()
    except OSError as error:
        raise ConfigError(f"{origin}: {error}") from error


def _typed(value: Any, default: Any, origin: str) -> Any:
    try:
        if isinstance(default, bool):
            if str(value).lower() in ("1", "true", "yes", "on"):
                return True
            if str(value).lower() in ("0", "false", "no", "off", ""):
                return False
            raise ValueError("true or false")
        if isinstance(default, Path):
            return Path(str(value))
        return type(default)(value)
    except ValueError as error:
        raise ConfigError(f"{origin}: {value!r} is not a {type(default).__name__}") from error


def _check(config: Config) -> None:
    try:
        host, port = config.address
        if not host:
            raise ValueError("no host")
    except ValueError as error:
        raise ConfigError(
            f"EVENTLOGGING_LISTEN: {config.listen!r} is not host:port, such as 127.0.0.1:8080"
        ) from error
    if not 0 <= port <= 65535:
        raise ConfigError(f"EVENTLOGGING_LISTEN: port {port} is outside 0–65535")
    if not 1 <= config.max_depth <= _DEEPEST:
        raise ConfigError(f"EVENTLOGGING_MAX_DEPTH: {config.max_depth} is outside 1–{_DEEPEST}")
    if config.backup_keep_days < 0:
        raise ConfigError(f"EVENTLOGGING_BACKUP_KEEP_DAYS: {config.backup_keep_days} is below 0")
    host = urlsplit(config.url).hostname or ""
    if config.opt_out_domain and not f".{host}".endswith(f".{config.opt_out_domain}"):
        raise ConfigError(
            f"EVENTLOGGING_OPT_OUT_DOMAIN: {config.opt_out_domain!r} is not the domain of "
            f"{config.url} or one above it; browsers would refuse the cookie"
        )
    _check_mail(config)
    _check_oidc(config)


def _check_mail(config: Config) -> None:
    if config.smtp_security not in _SMTP_PORTS:
        raise ConfigError(
            f"EVENTLOGGING_SMTP_SECURITY: {config.smtp_security!r} is none of "
            f"{', '.join(_SMTP_PORTS)}"
        )
    if not 0 <= config.smtp_port <= 65535:
        raise ConfigError(f"EVENTLOGGING_SMTP_PORT: {config.smtp_port} is outside 0–65535")
    if config.mail_per_hour < 1:
        raise ConfigError(f"EVENTLOGGING_MAIL_PER_HOUR: {config.mail_per_hour} is less than 1")
    if not _ADDRESS.fullmatch(parseaddr(config.mail_from)[1]):
        raise ConfigError(
            f"EVENTLOGGING_MAIL_FROM: {config.mail_from!r} is no address, such as "
            "EventLogging <events@example.org>"
        )


def _check_oidc(config: Config) -> None:
    issuer = config.oidc_issuer
    is_local = issuer.startswith(("http://localhost", "http://127.0.0.1", "http://[::1]"))
    if issuer and not issuer.startswith("https://") and not is_local:
        raise ConfigError(f"EVENTLOGGING_OIDC_ISSUER: {issuer!r} does not begin with https://")
    if issuer and not config.oidc_client_id:
        raise ConfigError("EVENTLOGGING_OIDC_CLIENT_ID: the OpenID provider wants to know it")
    if config.oidc_role not in ("viewer", "analyst"):
        raise ConfigError(
            f"EVENTLOGGING_OIDC_ROLE: {config.oidc_role!r} is neither viewer nor analyst; "
            "admins are made by admins"
        )
