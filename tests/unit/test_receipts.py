"""Receipts: a chain that only grows, and shows what was changed in it."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eventlogging.receipts import chain
from eventlogging.receipts.chain import BrokenChain


def test_receipts_follow_from_each_other(tmp_path: Path) -> None:
    one = chain.append(tmp_path, "begin", {})
    two = chain.append(tmp_path, "purge", {"table": "Clicks_1", "days": ["2026-01-01"]})
    assert two.previous == one.digest
    assert chain.read(tmp_path) == [one, two]
    assert chain.newest(tmp_path) == two
    assert chain.newest(tmp_path, "begin") == one


def test_a_folder_without_receipts_has_none(tmp_path: Path) -> None:
    assert chain.read(tmp_path) == []
    assert chain.newest(tmp_path) is None


def test_a_torn_line_was_never_a_receipt(tmp_path: Path) -> None:
    one = chain.append(tmp_path, "begin", {})
    file = tmp_path / chain.FILE
    file.write_bytes(file.read_bytes() + b'{"number":2,"at":"20')
    assert chain.read(tmp_path) == [one]
    two = chain.append(tmp_path, "purge", {"text": "ä" * 70_000})
    three = chain.append(tmp_path, "purge", {})
    assert chain.read(tmp_path) == [one, two, three]


@pytest.mark.parametrize("change", ["body", "gone", "order", "nonsense"])
def test_what_was_changed_shows(tmp_path: Path, change: str) -> None:
    for number in range(4):
        chain.append(tmp_path, "purge", {"rows": number})
    file = tmp_path / chain.FILE
    lines = file.read_text().splitlines()
    if change == "body":
        lines[1] = json.dumps({**json.loads(lines[1]), "rows": 7})
    elif change == "gone":
        del lines[1]
    elif change == "order":
        lines[1], lines[2] = lines[2], lines[1]
    else:
        lines[1] = "[]"
    file.write_text("\n".join(lines) + "\n")
    with pytest.raises(BrokenChain, match="receipt 2"):
        chain.read(tmp_path)


def test_many_writers_make_one_chain(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: chain.append(tmp_path, "purge", {"n": number}), range(40)))
    assert [one.number for one in chain.read(tmp_path)] == list(range(1, 41))
