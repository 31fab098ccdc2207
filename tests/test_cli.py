"""The command's words: what a user sees when all is well, and when it is not."""

import os
import subprocess
import sys

import pytest

from streams import settings


def awaken(*words, **environ):
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *words],
        env={k: v for k, v in os.environ.items() if not k.startswith("AWAKEN_")} | environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command():
    said = awaken("--help").stdout
    for command in (
        "demo",
        "worker",
        "topics",
        "doctor",
        "settings",
        "schema",
        "bench",
        "outage",
        "why",
        "growth",
        "replay",
        "lift",
    ):
        assert command in said


def test_settings_prints_the_settings_file():
    assert awaken("settings").stdout == settings.document()


@pytest.mark.parametrize("command", ["worker", "topics", "doctor", "schema"])
def test_a_wrong_setting_ends_every_command_before_it_begins(command):
    ended = awaken(command, AWAKEN_PARTITIONS="many")
    assert ended.returncode == 2
    assert "environment: AWAKEN_PARTITIONS = 'many'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unreachable_broker_is_named_with_the_command_that_starts_one():
    ended = awaken("worker", AWAKEN_KAFKA="127.0.0.1:1")
    assert ended.returncode == 2
    assert "127.0.0.1:1" in ended.stderr
    assert "python -m streams.ops.kafka" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_an_unreachable_redis_is_named_with_the_command_that_starts_one(embedded_broker):
    ended = awaken(
        "worker",
        AWAKEN_KAFKA=embedded_broker.bootstrap,
        AWAKEN_GUARANTEE="at-least-once",
        AWAKEN_REDIS="redis://127.0.0.1:1",
    )
    assert ended.returncode == 2
    assert "redis://127.0.0.1:1" in ended.stderr
    assert "valkey-server" in ended.stderr


def test_a_web_port_that_cannot_be_is_refused():
    ended = awaken("worker", "--web-port", "70000")
    assert ended.returncode == 2
    assert "--web-port = 70000" in ended.stderr
    assert "65535" in ended.stderr


@pytest.mark.parametrize("words", [("why", "u1"), ("growth",), ("lift",)])
def test_a_worker_that_is_away_is_named_with_the_command_that_starts_one(words):
    ended = awaken(*words, "--url", "http://127.0.0.1:1")
    assert ended.returncode == 2
    assert "no worker answers at http://127.0.0.1:1" in ended.stderr
    assert "awaken worker" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_replay_without_kafka_names_it():
    ended = awaken("why", "u1", "--topics", AWAKEN_KAFKA="127.0.0.1:1")
    assert ended.returncode == 2
    assert "nothing listens at 127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr
