"""All pages about people and access, put together for the app."""

from __future__ import annotations

from flask import Flask

from eventlogging.console import (
    account_page,
    audit_page,
    link_pages,
    oidc,
    people_pages,
    token_pages,
)
from eventlogging.console.parts import Parts


def register(app: Flask, parts: Parts) -> None:
    """Add the pages; sessions and sign-in by password come from `sign_in`."""
    for module in (link_pages, oidc, people_pages, account_page, token_pages, audit_page):
        module.register(app, parts)
