"""A setting that cannot be used is refused before anything starts, and the refusal says all that is needed."""

from pathlib import Path

import msgspec
import pytest

from streams import settings
from streams.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]


def test_without_file_and_environment_there_are_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.load(None, {}) == Settings()


def test_the_shipped_file_is_the_print_of_the_declarations():
    assert (ROOT / "config" / "awaken.toml").read_text("utf-8") == settings.document()


def test_the_shipped_file_says_the_defaults():
    assert settings.load(ROOT / "config" / "awaken.toml", {}) == Settings()


def test_the_environment_stands_above_the_file(tmp_path):
    file = tmp_path / "awaken.toml"
    file.write_text('kafka = "a:1"\ngroup = "g"\n[activity]\ndormant_days = 3\n[push]\nchannels = ["inbox"]\n')
    found = settings.load(file, {"AWAKEN_KAFKA": "b:2,c:3", "AWAKEN_ACTIVITY_CHURNED_DAYS": "9", "HOME": "/"})
    assert (found.kafka, found.group) == ("b:2,c:3", "g")
    assert (found.activity.dormant_days, found.activity.churned_days) == (3, 9)
    assert found.push.channels == ("inbox",)


def test_every_setting_can_be_set_by_its_name_in_the_environment():
    assert settings.load(Path("/dev/null"), settings.environment(Settings())) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kafak = "a:1"', ["awaken.toml", "kafak", "'a:1'", "did you mean kafka?"]),
        ("partitions = 0", ["awaken.toml", "partitions", "0", "a whole number at least 1"]),
        ('partitions = "8"', ["awaken.toml", "partitions", "'8'", "a whole number"]),
        ('guarantee = "maybe"', ["guarantee", "'maybe'", "exactly-once or at-least-once"]),
        ("[activity]\ndormant_days = -1", ["activity.dormant_days", "-1", "above 0"]),
        ("[activity]\ndormant_days = 40", ["activity.churned_days", "must be above", "activity.dormant_days = 40"]),
        ("[push]\nchannels = ['pigeon']", ["push.channels", "pigeon", "inbox, webhook"]),
        ("push = 3", ["push", "3", "[push]"]),
        ("[pushes]\na = 1", ["pushes", "did you mean push?"]),
        ("kafka = ", ["awaken.toml", "is not TOML"]),
    ],
)
def test_a_wrong_setting_is_named_with_file_key_value_and_what_is_allowed(tmp_path, text, said):
    file = tmp_path / "awaken.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        settings.load(file, {})
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWAKEN_PARTITIONS", "many", "a whole number"),
        ("AWAKEN_KAFKA", "localhost", "host:port"),
        ("AWAKEN_KAFAK", "a:1", "did you mean AWAKEN_KAFKA?"),
    ],
)
def test_a_wrong_variable_is_named_too(name, value, said):
    with pytest.raises(SettingsError) as refused:
        settings.load(Path("/dev/null"), {name: value})
    for part in ("environment", name, value, said):
        assert part in str(refused.value)


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match=r"nowhere\.toml: cannot be read"):
        settings.load(Path("nowhere.toml"), {})


def test_every_setting_has_a_description():
    for section in (Settings, settings.Topics, settings.Activity, settings.Push):
        for field in msgspec.structs.fields(section):
            if not settings._is_section(field):
                assert settings._meta(field).description, field.name
