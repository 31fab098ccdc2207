"""The demo itself, as a user starts it: in a process of its own, ended by the clock or by a signal."""

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import get_args

import orjson
import pytest
import redis
import typer
from rich.console import Console
from typer.testing import CliRunner

from streams.demo import guest
from streams.demo.command import demo
from streams.demo.run import APART_SECONDS, Demo, Plan, run, settle
from streams.ops import NotReady
from streams.ops.admin import connect
from streams.push.policy import Reason
from streams.settings import SettingsError, Topics
from tests.oracle import Rules, User

ROOT = Path(__file__).parents[2]
DAY = 86_400_000
RULES = Rules(new_days=3, dormant_days=2, churned_days=4)
"""Short, so that the slowest machine comes to see all that can happen."""
COMMAND = "import typer; from streams.demo.command import demo; typer.run(demo)"


@pytest.fixture
def start():
    """Starts demos; none outlives the test."""
    started = []

    days = {f"AWAKEN_ACTIVITY_{name}".upper(): str(value) for name, value in RULES._asdict().items()}

    def begin(*options):
        process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, *map(str, options)],
            env={**os.environ, "PYTHONPATH": str(ROOT), **days},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def children(pid):
    """The processes whose parent is `pid`: (pid, command)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            command = stat.with_name("cmdline").read_text().replace("\0", " ")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append((int(stat.parent.name), command))
    return found


def gone(pids):
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def playing(process):
    """Wait until it plays; return its children by then."""
    for text in process.stdout:
        if re.match(r"playing: \w{3} ", text):
            return [pid for pid, _ in children(process.pid)]
    raise AssertionError("it never played")


def counted(history, until):
    """What the oracle says of the history up to `until`: transitions by from>to, and by from>to and cause."""
    users = {}
    for event in history.events():
        if event.at > until:
            break
        if event.topic != "profiles":
            users.setdefault(event.key, User(RULES)).act(event.at)
    return users


@pytest.mark.timeout(180)
def test_it_plays_pushes_reports_and_leaves_nothing(start, history, tmp_path):
    file = tmp_path / "report.json"
    process = start("--speed", "2d", "--seconds", "6", "--report", file)
    pids = playing(process)
    assert len(pids) == 3  # broker, Redis, worker
    said, _ = process.communicate(timeout=150)
    assert process.returncode == 0, said
    assert gone(pids)
    report = orjson.loads(file.read_bytes())
    assert report["drained"], said
    assert report["dead_letters"] == 0

    last = int(datetime.fromisoformat(report["last_event"]).timestamp() * 1000)
    users = counted(history, last)
    for user in users.values():
        user.settle(last - 2 * DAY * APART_SECONDS - DAY)
    least = Counter(f"{step.from_}>{step.to}" for user in users.values() for step in user.steps)
    for user in users.values():
        user.settle(last)
    most = Counter(f"{step.from_}>{step.to}" for user in users.values() for step in user.steps)
    assert report["transitions"]["none>new"] == most["none>new"]
    for move in most.keys() | report["transitions"].keys():
        # Above `least`: how far time has come in the worker at the end. Beyond: acts that came late to a busy
        # machine; how many may be lost or too many is settled elsewhere, with every transition compared.
        count = report["transitions"].get(move, 0)
        assert least[move] * 0.99 - 2 <= count <= most[move] * 1.01 + 2, move

    became_dormant = sum(n for move, n in report["transitions"].items() if move.endswith(">dormant"))
    assert sum(report["decisions"].values()) > became_dormant > 100  # there are other playbooks too
    assert {"sent", "no_consent", "not_contactable"} < report["decisions"].keys() <= set(get_args(Reason))
    ended = report["deliveries"]
    assert report["delivered"] == sum(n for name, n in ended.items() if name.endswith("/delivered"))
    assert sum(ended.values()) >= report["decisions"]["sent"]
    assert report["webhook_received"] == report["deliveries"]["webhook/delivered"] > 0
    assert 0 < report["latency_ms"]["p50"] <= report["latency_ms"]["p99"]
    played = Counter(event.topic for event in history.events() if event.at <= last)
    assert report["events"] == played


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_leaves_nothing(start, number):
    process = start("--speed", "6h")
    pids = playing(process)
    process.send_signal(number)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "played" in said
    assert gone(pids)


@pytest.mark.timeout(120)
def test_a_signal_before_it_plays_ends_it_too(start, eventually):
    process = start()
    pids = eventually(lambda: [pid for pid, command in children(process.pid) if "streams.cli" in command])
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert gone(pids)


@pytest.mark.timeout(120)
def test_a_worker_that_dies_ends_it_and_is_told(start):
    process = start("--speed", "6h")
    pids = playing(process)
    (worker,) = [pid for pid, command in children(process.pid) if "streams.cli" in command]
    os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "the worker ended by itself" in said
    assert gone(pids)


@pytest.mark.kafka
@pytest.mark.timeout(180)
def test_on_a_kafka_of_yours_it_is_a_guest(start, real_kafka, embedded_redis, tmp_path):
    file = tmp_path / "report.json"
    servers = ("--kafka", real_kafka.bootstrap, "--redis", embedded_redis.url)
    process = start("--speed", "2d", "--seconds", "5", "--report", file, *servers)
    playing(process)
    with connect(real_kafka.bootstrap) as admin:
        ours = {topic for topic in admin.list_topics() if topic.startswith("demo-")}
    assert {topic.split("-", 2)[2] for topic in ours} >= {"clicks", "orders", "users-changelog"}
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    report = orjson.loads(file.read_bytes())
    assert report["drained"], said
    assert report["delivered"] > 0
    with connect(real_kafka.bootstrap) as admin:
        assert not ours & set(admin.list_topics())
        name = "-".join(next(iter(ours)).split("-")[:2])
        assert name not in {group["group_id"] for group in admin.list_groups()}
    client = redis.Redis.from_url(embedded_redis.url)
    assert not list(client.scan_iter(f"{name}:*"))
    client.close()


def plan(**changes):
    return Plan(speed=1000.0, **changes)


def test_the_workers_settings_are_the_users_and_above_them_the_demos(monkeypatch, tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('[activity]\ndormant_days = 7\n[channels.webhook]\nurl = "http://real/"\n')
    monkeypatch.setenv("AWAKEN_ACTIVITY_CHURNED_DAYS", "21")
    monkeypatch.setenv("AWAKEN_TOPICS_CLICKS", "my-clicks")
    settings = settle(plan(config=file, partitions=3), "127.0.0.1:1", "redis://127.0.0.1:2", "http://127.0.0.1:3/push")
    assert (settings.activity.dormant_days, settings.activity.churned_days) == (7, 21)
    assert (settings.kafka, settings.redis) == ("127.0.0.1:1", "redis://127.0.0.1:2")
    assert settings.channels.webhook.url == "http://127.0.0.1:3/push"
    assert (settings.guarantee, settings.clock, settings.partitions) == ("at-least-once", "event", 3)
    assert settings.topics.clicks != "my-clicks"


def test_the_faster_it_plays_the_later_an_event_may_come(monkeypatch):
    def lateness(speed):
        return settle(Plan(speed), "127.0.0.1:1", "redis://127.0.0.1:2", "http://127.0.0.1:3/").lateness_seconds

    assert lateness(1000) == 60  # the default
    assert lateness(DAY) == 86_400 * APART_SECONDS
    assert lateness(50 * DAY) == 604_800  # the most there is
    monkeypatch.setenv("AWAKEN_LATENESS_SECONDS", "100000")
    assert lateness(DAY) == 100_000


def test_two_guests_have_nothing_in_common():
    first, second = (
        settle(plan(kafka="k:1", redis="redis://r:1"), "k:1", "redis://r:1", "http://127.0.0.1:3/push")
        for _ in range(2)
    )
    assert first.group != second.group
    assert first.guarantee == "exactly-once"
    names = [getattr(settings.topics, field) for settings in (first, second) for field in Topics.__struct_fields__]
    assert len(set(names)) == len(names)
    assert all(name.startswith("demo-") for name in names)


def test_a_wrong_setting_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setenv("AWAKEN_PUSH_CAP_SEND", "1")
    with pytest.raises(SettingsError, match="AWAKEN_PUSH_CAP_SENDS"):
        settle(plan(), "127.0.0.1:1", "redis://127.0.0.1:2", "http://127.0.0.1:3/push")


def test_a_report_that_cannot_be_written_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(NotReady, match="there is no folder"):
        run(plan(), tmp_path / "nowhere" / "report.json")


def test_a_kafka_that_does_not_answer_is_named():
    with pytest.raises(NotReady, match=r"127\.0\.0\.1:1"):
        run(plan(kafka="127.0.0.1:1"))


def test_the_options_are_those_of_the_issue():
    app = typer.Typer()
    app.command()(demo)
    said = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output
    for option in ("--speed", "--seconds", "--report", "--kafka", "--redis", "--partitions", "--start", "--seed"):
        assert option in said


def test_a_guests_topics_are_all_topics():
    assert len(guest.guest_topics("demo-1")) == len(Topics.__struct_fields__)


def test_a_start_in_another_year_is_refused():
    app = typer.Typer()
    app.command()(demo)
    answer = CliRunner().invoke(app, ["--start", "2018-05-01"])
    assert answer.exit_code == 2
    assert "the orders are of 2017" in answer.output


def test_what_a_guest_cannot_delete_is_named(monkeypatch, capsys):
    def refuse(_settings):
        raise NotReady("not authorised")

    monkeypatch.setattr(guest, "leave_kafka", refuse)
    visit = plan(kafka="127.0.0.1:1", redis="redis://127.0.0.1:1")
    settings = settle(visit, visit.kafka, visit.redis, "http://127.0.0.1:3/push")
    asyncio.run(Demo(visit, Console())._leave(settings))
    said = capsys.readouterr().out
    assert settings.group in said
    assert "not authorised" in said
