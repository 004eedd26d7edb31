"""A mail as a value: the answer, parts with lines, links; made into plain text and HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa
from markupsafe import Markup, escape

from eventlogging.mail.queue import Message, queue
from eventlogging.people import subscriptions

_LONGEST_KEY = 191
_BLANKS = re.compile(r"[\x00-\x20\x7f-\x9f]+")
_BODY = (
    "margin:0;padding:0;background:#faf9f6;color:#1c2025;"
    "font:15px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans',sans-serif"
)
_COLUMN = (
    "max-width:600px;margin:0 auto;padding:16px;box-sizing:border-box;"
    "font-variant-numeric:tabular-nums;overflow-wrap:anywhere"
)
_CODE = "font-family:ui-monospace,Menlo,Consolas,monospace;font-size:13px"


@dataclass(frozen=True)
class Part:
    """A paragraph with a title; more than one line is a list. `quoted`: somebody's own words."""

    title: str
    lines: tuple[str, ...]
    quoted: bool = False


@dataclass(frozen=True)
class Letter:
    """The subject is the fact, `answer` the first line; what stands in backticks is code.

    `actions` are at most three links with their labels; `why` says why somebody gets it.
    """

    subject: str
    answer: str
    parts: tuple[Part, ...] = ()
    actions: tuple[tuple[str, str], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Post:
    """What letters are sent with: where people find us, and what signs links that unsubscribe."""

    url: str
    key: str = ""


def send(
    connection: sa.Connection, post: Post, occasion: str, recipient: str, letter: Letter,
    topic: str | None = None,
) -> bool:  # fmt: skip
    """Queue a letter once per occasion and recipient, within the caller's transaction.

    `topic` is the subscription by which they get it; a name that is no address gets none.
    """
    if "@" not in recipient:
        return False  # a token, or the command line
    key = f"{occasion}:{recipient}"
    if len(key) > _LONGEST_KEY:
        key = f"{occasion[:120]}:{sha256(key.encode()).hexdigest()}"
    headers, link = {}, ""
    if topic is not None and post.key:
        headers = subscriptions.headers(post.url, post.key, recipient, topic)
        link = subscriptions.unsubscribe_link(post.url, post.key, recipient, topic)
    return queue(
        connection,
        Message(
            key, recipient, _plain(letter.subject), as_text(letter, link), as_html(letter, link),
            headers=headers,
        ),
    )  # fmt: skip


def as_text(letter: Letter, unsubscribe: str = "") -> str:
    """Return the whole mail as plain text."""
    parts = [_plain(letter.answer)]
    for part in letter.parts:
        lines = part.lines if part.quoted else [_plain(line) for line in part.lines]
        if part.quoted:
            lines = [f"> {line}".rstrip() for text in lines for line in text.strip().splitlines()]
        elif len(lines) > 1:
            lines = [f"- {line}" for line in lines]
        parts.append("\n".join([*([_plain(part.title)] if part.title else []), *lines]))
    parts.append("\n".join(f"{label}: {link}" for label, link in letter.actions))
    end = [letter.why, f"Unsubscribe: {unsubscribe}" if unsubscribe else ""]
    if any(end):
        parts.append("\n".join(["--", *(line for line in end if line)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(letter: Letter, unsubscribe: str = "") -> str:
    """Return the same as HTML: one column of 600 pixels, styles beside each element."""
    style = "font-size:20px;line-height:1.3;font-weight:600;margin:0 0 12px"
    body = [Markup('<h1 style="{}">{}</h1>').format(style, _with_code(letter.answer))]
    body += [_part(part) for part in letter.parts]
    links = [
        Markup('<li style="margin:0 0 4px"><a href="{}" style="color:#1f4f91">{}</a></li>').format(
            link, label
        )
        for label, link in letter.actions
    ]
    if links:
        style = "margin:20px 0 16px;padding-left:20px"
        body.append(Markup('<ul style="{}">{}</ul>').format(style, Markup("").join(links)))
    if letter.why or unsubscribe:
        link = Markup('<a href="{}" style="color:#1f4f91">Unsubscribe</a>').format(unsubscribe)
        end = Markup("{} {}").format(letter.why, link if unsubscribe else "")
        style = "margin:0;color:#5a6068;font-size:13px"
        body.append(Markup('<p style="{}">{}</p>').format(style, end))
    return Markup(
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light"><title>{}</title></head>\n'
        '<body style="{}"><div style="{}">\n{}\n</div></body></html>\n'
    ).format(_plain(letter.subject), _BODY, _COLUMN, Markup("\n").join(body))


def _part(part: Part) -> Markup:
    style = "font-size:15px;font-weight:600;margin:16px 0 4px"
    title = Markup('<h2 style="{}">{}</h2>').format(style, part.title) if part.title else Markup()
    if part.quoted:
        style = "margin:0;padding:4px 12px;border-left:3px solid #dedbd3;white-space:pre-wrap"
        text = "\n".join(part.lines).strip()
        return title + Markup('<p style="{}">{}</p>').format(style, text)
    if len(part.lines) == 1:
        return title + Markup('<p style="margin:0">{}</p>').format(_with_code(part.lines[0]))
    items = Markup("").join(Markup("<li>{}</li>").format(_with_code(line)) for line in part.lines)
    return title + Markup('<ul style="margin:0;padding-left:20px">{}</ul>').format(items)


def _with_code(text: str) -> Markup:
    parts: Sequence[str] = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup('<span style="{}">{}</span>').format(_CODE, part) if at % 2 else escape(part)
        for at, part in enumerate(parts)
    )


def _plain(text: str) -> str:
    # Not split(): the thin spaces of numbers stay.
    return _BLANKS.sub(" ", text.replace("`", "")).strip()
