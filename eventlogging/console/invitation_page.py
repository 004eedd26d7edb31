"""The page that an invitation to review leads to: yes or no, without an account."""

from __future__ import annotations

from flask import Blueprint, Flask, Response, abort, make_response, render_template, request

from eventlogging.console import sign_in
from eventlogging.console.parts import Parts
from eventlogging.review import invitations, roster


def register(app: Flask, parts: Parts) -> None:
    """Add the page behind the signed links of invitations."""
    pages = Blueprint("invitation", __name__)

    @pages.get(f"{invitations.PATH}<token>")
    def ask(token: str) -> str:
        # Looking answers nothing: mail scanners open links before people do.
        return _page(parts, _reader(parts, token))

    @pages.post(f"{invitations.PATH}<token>")
    def answer(token: str) -> Response:
        sign_in.check_csrf()
        email = _reader(parts, token)
        problems: tuple[str, ...]
        if request.form.get("answer") == "yes":
            areas = request.form.get("areas", "").replace(",", " ").split()
            name = request.form.get("name", "")
            problems = invitations.accept(parts.database, email, name=name, areas=areas or ("*",))
        else:
            problems = invitations.decline(parts.database, email)
        return make_response(_page(parts, email, problems), 400 if problems else 200)

    app.register_blueprint(pages)


def _reader(parts: Parts, token: str) -> str:
    key = parts.session_key if isinstance(parts, sign_in.Signing) else ""
    email = invitations.read_token(key, token) if key else None
    if email is None:
        abort(404)
    return email


def _page(parts: Parts, email: str, problems: tuple[str, ...] = ()) -> str:
    with parts.database.read() as connection:
        invitation = invitations.find(connection, email)
        reviewer = roster.find(connection, email)
    if invitation is None:
        abort(404)
    return render_template(
        "invitation.html", here="reviews", invitation=invitation, reviewer=reviewer,
        problems=problems, given=request.form,
    )  # fmt: skip
