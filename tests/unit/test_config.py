"""Settings: where they come from, and what is said of wrong ones."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from eventlogging import config
from eventlogging.config import SETTINGS
from eventlogging.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text('listen = "127.0.0.1:1"\nmax_batch = 5\n')
    loaded = config.load({"EVENTLOGGING_LISTEN": "127.0.0.1:2"}, file)
    assert (loaded.listen, loaded.max_batch, loaded.max_depth) == ("127.0.0.1:2", 5, 64)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    loaded = config.load({"EVENTLOGGING_ADMIN_TOKEN_FILE": str(tmp_path / "token")})
    assert loaded.admin_token == "s3cret"
    assert "s3cret" not in repr(loaded)


def test_relative_paths_count_from_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    file.write_text('governance = "rules"\n')
    loaded = config.load({"EVENTLOGGING_CONFIG": str(file)})
    assert (loaded.governance, loaded.var) == (tmp_path / "rules", tmp_path / "var")
    assert config.load({"EVENTLOGGING_CONFIG": str(file), "EVENTLOGGING_VAR": "v"}).var == Path("v")


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"EVENTLOGGING_LISTEN": "8080"}, "EVENTLOGGING_LISTEN"),
        ({"EVENTLOGGING_LISTEN": "a:b"}, "EVENTLOGGING_LISTEN"),
        ({"EVENTLOGGING_LISTEN": "127.0.0.1:70000"}, "EVENTLOGGING_LISTEN"),
        ({"EVENTLOGGING_MAX_BATCH": "many"}, "EVENTLOGGING_MAX_BATCH"),
        ({"EVENTLOGGING_ADMIN_TOKEN_FILE": "/nowhere"}, "EVENTLOGGING_ADMIN_TOKEN_FILE"),
        ({"EVENTLOGGING_CONFIG": "/nowhere.toml"}, "/nowhere.toml"),
    ],
)
def test_a_wrong_setting_is_named(environment: dict[str, str], word: str) -> None:
    with pytest.raises(ConfigError, match=word):
        config.load(environment)


def test_an_unknown_or_broken_settings_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "e.toml"
    for text in ('lissten = "x"\n', "listen = \n"):
        file.write_text(text)
        with pytest.raises(ConfigError, match=r"e\.toml"):
            config.load({}, file)


def test_the_settings_file_of_the_checkout_names_every_setting_with_its_default() -> None:
    text = (ROOT / "eventlogging.toml").read_text()
    offered = tomllib.loads("\n".join(line[2:] for line in text.splitlines() if " = " in line))
    plain = (bool, int, float)
    assert offered == {
        name: default if isinstance(default, plain) else str(default)
        for name, default, *_ in SETTINGS
    }
