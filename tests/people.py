"""People for tests of the console: each with an account, and signed in in a browser."""

from __future__ import annotations

from flask.testing import FlaskClient

from eventlogging.people import accounts, sessions
from eventlogging.people.passwords import Passwords
from eventlogging.review import roster
from tests.console import House

PASSWORD = "four quiet herons walk"


def add_person(
    house: House, email: str, role: str = "viewer", *, password: str | None = None
) -> None:
    """An account that may come in, with a password where one is given."""
    with house.platform.database.write() as connection:
        name = email.partition("@")[0].title()
        assert accounts.add(connection, email, name, role, "test", state="active") is None
        if password is not None:
            accounts.set_password(connection, email, Passwords().hash(password), "test")


def browser_of(
    house: House, email: str, role: str = "viewer", *, reviewer: bool = False
) -> FlaskClient:
    """A browser in which a new person of this role is signed in."""
    add_person(house, email, role)
    if reviewer:
        assert not roster.add(house.platform.database, email, email, ["*"], email)
    return signed_in(house, email)


def signed_in(house: House, email: str) -> FlaskClient:
    """Another browser in which somebody is signed in."""
    client = house.app.test_client()
    with house.platform.database.write() as connection:
        secret = sessions.start(connection, email)
    with client.session_transaction() as session:
        session["session"] = secret
        session["csrf"] = "the-token"
        session.permanent = True
    return client
