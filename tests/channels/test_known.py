"""The channels that there are are those of the settings, each with what the engine must know of it."""

from __future__ import annotations

import subprocess
import sys
import typing

import msgspec
import pytest

from streams import settings
from streams.channels.known import KNOWN, Channels
from streams.channels.terms import Line, Terms
from streams.push.charter import Charter
from streams.settings import Settings

NAMES = typing.get_args(settings.Channel)
FIELDS = {f.name: f.type for f in msgspec.structs.fields(Channels)}


def test_settings_options_and_classes_know_the_same_channels_in_the_same_order():
    assert tuple(KNOWN) == tuple(FIELDS) == NAMES == Settings().push.channels


@pytest.mark.parametrize("name", NAMES)
def test_each_opens_from_its_options_and_says_what_it_costs(name):
    channel = KNOWN[name].open(FIELDS[name](), None, "awaken")
    assert (channel.name, type(channel)) == (name, KNOWN[name])
    assert isinstance(channel.idempotent, bool)
    assert issubclass(FIELDS[name], Terms if name == "inbox" else Line)
    assert FIELDS[name].__doc__.endswith(".")


def test_what_costs_something_has_a_cost_from_the_start():
    paid = {name for name in NAMES if FIELDS[name]().cost}
    assert paid == {"sms", "email"}


def test_without_settings_only_the_inbox_is_ready():
    assert Charter(Settings()).channels == ("inbox",)


@pytest.mark.parametrize("module", ["aiohttp", "aiosmtplib", "redis"])
def test_reading_the_settings_loads_no_channels_libraries(module):
    program = f"import sys, streams.settings; sys.exit({module!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("", True),
        ("http://r.example", True),
        ("https://user:pass@r.example:8443/x?y=1#z", True),
        ("http://127.0.0.1:80/", True),
        ("http://[::1]:80/x", True),
        ("https://例子.example/x", True),
        ("receiver/push", False),
        ("http://", False),
        ("ftp://x/y", False),
        ("http://[::1", False),
        ("http://a b/c", False),
        ("http:///x", False),
        ("http://x:port/", False),
    ],
)
def test_a_url_that_names_no_host_is_refused_by_the_name_of_its_setting(tmp_path, url, good):
    file = tmp_path / "mine.toml"
    file.write_text(f'[channels.webhook]\nurl = "{url}"\n')
    if good:
        assert settings.load(file, {}).channels.webhook.url == url
    else:
        with pytest.raises(settings.SettingsError, match=r"mine\.toml: channels\.webhook\.url = .*POST each push here"):
            settings.load(file, {})
