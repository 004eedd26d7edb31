"""The storage servers of a forwarder or an edge: asked in turn, the last that answered first."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import requests

from eventlogging.errors import ConfigError, EventLoggingError

_SECONDS = (5, 60)  # to connect, to answer


class NoStorage(EventLoggingError):
    """Raised when no storage server takes what is sent; waiting helps."""


class Refused(EventLoggingError):
    """Raised when none takes it, and one never will: a wrong token, another privacy key."""


class Storage:
    """Talks to one of a few storage servers, and to the next where it does not answer."""

    def __init__(self, urls: Sequence[str], token: str) -> None:
        if not urls:
            raise ConfigError(
                "EVENTLOGGING_FORWARD_TO: name the storage servers, such as "
                "https://one.example.org,https://two.example.org"
            )
        self._urls = [url.rstrip("/") for url in urls]
        self._token = token
        self._first = 0
        self._mine = threading.local()

    def forward(self, origin: str, start: int, batches: bytes) -> None:
        """Hand over whole batches of a segment, and return once they are kept.

        Raises NoStorage, Refused.
        """
        self._hand_over("/v1/forward", {"origin": origin}, start, batches, pack=True)

    def edge(
        self, format: str, fingerprint: str, start: int, lines: bytes, *, pack: bool
    ) -> Mapping[str, Any]:
        """Hand over whole lines of an edge's log and return what became of them.

        Raises NoStorage, Refused.
        """
        values = {"format": format, "fingerprint": fingerprint}
        return self._hand_over("/v1/edge", values, start, lines, pack=pack)

    def registry(self, opt_outs: int) -> Mapping[str, Any]:
        """Return what the registry says; opt-outs where their counter is no more the one given.

        Raises NoStorage, Refused.
        """
        return self._ask("GET", "/v1/forward/registry", params={"opt_outs": str(opt_outs)})

    def _hand_over(
        self, path: str, values: Mapping[str, str], start: int, data: bytes, *, pack: bool
    ) -> Mapping[str, Any]:
        """Send bytes that begin at `start` of what they are part of, until they are kept."""
        headers = {"Content-Type": "application/octet-stream"}
        if pack:
            headers["Content-Encoding"] = "gzip"
        answer = self._ask(
            "POST", path, params={**values, "start": str(start)}, headers=headers,
            data=gzip.compress(data, 1) if pack else data,
        )  # fmt: skip
        end = start + len(data)
        if answer.get("end") != end:
            raise NoStorage(f"a storage server answered {str(answer)[:200]}, not the end {end}")
        return answer

    def _ask(self, method: str, path: str, **more: Any) -> Mapping[str, Any]:
        reasons: list[str] = []
        is_refused = False
        headers = {"Authorization": f"Bearer {self._token}", **more.pop("headers", {})}
        for turn in range(len(self._urls)):
            place = (self._first + turn) % len(self._urls)
            url = self._urls[place]
            try:
                answer = self._session().request(
                    method, url + path, headers=headers, timeout=_SECONDS,
                    allow_redirects=False, **more,
                )  # fmt: skip
                if answer.status_code == 200:
                    self._first = place
                    found: Mapping[str, Any] = answer.json()
                    return found
                reason = f"{url} answered {answer.status_code}: {_text(answer)}"
                # Another one may know better: this one may have a registry of long ago.
                is_refused |= answer.status_code in (400, 401, 403)
            except (requests.RequestException, ValueError) as error:
                reason = f"{url} does not answer: {type(error).__name__}"
            reasons.append(reason)
        text = "; ".join(reasons)
        raise Refused(text) if is_refused else NoStorage(text)

    def _session(self) -> requests.Session:
        if not hasattr(self._mine, "session"):
            self._mine.session = requests.Session()
            self._mine.session.trust_env = False
        session: requests.Session = self._mine.session
        return session


def _text(answer: requests.Response) -> str:
    try:
        return str(answer.json()["error"][0]["text"])[:200]
    except (ValueError, LookupError, TypeError):
        return answer.text[:200]
