"""The registry as a forwarder knows it: asked of a storage server, remembered on disk."""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from pathlib import Path

from eventlogging.errors import StoreUnavailable
from eventlogging.forwarder.storage import NoStorage, Refused, Storage
from eventlogging.registry import wire
from eventlogging.registry.model import Snapshot
from eventlogging.registry.snapshot import NEVER_READ

_logger = logging.getLogger(__name__)


class WrongSetting(StoreUnavailable):
    """Raised when storage servers answer that a setting of this host is wrong.

    Whoever starts a forwarder is told; for one that runs it is trouble that may pass.
    """


class RemoteRegistry:
    """Stands where a collector has its RegistryCache; the last answer outlives a restart."""

    def __init__(self, storage: Storage, file: Path, privacy_key_id: str) -> None:
        self._storage = storage
        self._file = file
        self._key_id = privacy_key_id
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._tried = float("-inf")
        self._snapshot = self._remembered()

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot seen."""
        return self._snapshot

    def age_seconds(self) -> float:
        """Seconds since a storage server last confirmed the snapshot."""
        return time.monotonic() - self._looked

    def refresh(self) -> bool:
        """Ask a storage server; return whether the registry moved.

        Raises StoreUnavailable, and the old snapshot stays; of its kind WrongSetting where the
        token is wrong, or where private fields are hashed under another key.
        """
        with self._lock:
            self._tried = began = time.monotonic()
            try:
                known = self._snapshot.opt_outs
                content = self._storage.registry(known.counter)
                theirs, found = content["privacy_key_id"], wire.from_json(content, known)
            except NoStorage as error:
                raise StoreUnavailable(f"the registry cannot be read: {error}") from error
            except Refused as error:
                raise WrongSetting(f"EVENTLOGGING_FORWARD_TOKEN: {error}") from error
            except (KeyError, TypeError, ValueError) as error:
                raise StoreUnavailable("the registry's answer cannot be read") from error
            if theirs != self._key_id:
                raise WrongSetting(
                    "EVENTLOGGING_PRIVACY_KEY: the storage servers have another key; give the "
                    "forwarder the same, or one person becomes two"
                )
            moved = found != self._snapshot
            if moved:
                self._snapshot = found
                self._remember(found)
            self._looked = began
            return moved

    def refresh_if_older(self, seconds: float) -> None:
        """Refresh when the last try is longer ago. Raises as `refresh` does."""
        if time.monotonic() - self._tried > seconds:
            self.refresh()

    def _remember(self, snapshot: Snapshot) -> None:
        draft = self._file.with_suffix(".new")
        with contextlib.suppress(OSError):  # a full disk; the next change is remembered again
            draft.write_text(json.dumps(wire.to_json(snapshot)), "utf-8")
            draft.chmod(0o600)
            draft.replace(self._file)

    def _remembered(self) -> Snapshot:
        try:
            return wire.from_json(json.loads(self._file.read_text("utf-8")))
        except FileNotFoundError:
            return NEVER_READ
        except (OSError, ValueError, KeyError, TypeError) as error:
            _logger.warning("what was known of the registry cannot be read: %s", error)
            return NEVER_READ
