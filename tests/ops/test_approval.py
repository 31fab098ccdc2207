"""What the breaker has stopped, as an operator lists, approves and cancels it, against both brokers."""

import asyncio
import time

import msgspec
import pytest

from streams.ops import NotReady, approval
from streams.ops.control import at_control
from streams.push.breaker import HOUR, Ask, RedisBreaker, Trip
from streams.push.connection import connect
from streams.settings import Push
from streams.wire.control import Approval
from tests.ops.command import awaken

NOON = 1_767_268_800_000  # 2026-01-01T12:00:00Z


@pytest.fixture
def stopping(settings, url):
    """The settings of a deployment with a breaker that lets two an hour go."""
    return msgspec.structs.replace(settings, redis=url, push=Push(breaker_least=2, approval_hours=6))


def ask(settings, playbook, at, count):
    async def run():
        async with connect(settings) as redis:
            await RedisBreaker.open(settings, redis).allow([Ask(playbook, f"{at} {n}", at) for n in range(count)])

    asyncio.run(run())


def stands(settings):
    async def read(view, _):
        return view.approvals

    return at_control(settings, read)


def test_the_newest_word_on_a_playbook_is_what_stands(stopping):
    first = approval.approve(stopping, "win_back", NOON, 6)
    other = approval.approve(stopping, "renewal", NOON, 0.5)
    assert first == Approval("win_back", NOON, NOON + 6 * HOUR)
    assert stands(stopping) == [other, first]
    last = approval.refuse(stopping, "win_back", NOON + HOUR)
    assert stands(stopping) == [other, last]
    assert not last.granted


def test_the_list_says_what_was_stopped_and_what_becomes_of_it(stopping):
    for playbook, hours in (("win_back", 0), ("win_back", 9), ("renewal", 9), ("reactivation", 9)):
        ask(stopping, playbook, NOON + hours * HOUR, 5)
    ask(stopping, "second_order", NOON, 2)
    approval.refuse(stopping, "renewal", NOON + 10 * HOUR)
    approval.approve(stopping, "win_back", NOON + 10 * HOUR, 1)
    assert approval.everything(stopping, NOON + 12 * HOUR) == [
        (Trip("reactivation", NOON + 9 * HOUR, 5, 2), "waits until 2026-01-02T04:00:00.000Z at most"),
        (Trip("win_back", NOON, 5, 2), "waited in vain"),
        (Trip("win_back", NOON + 9 * HOUR, 5, 2), "approved 2026-01-01T22:00:00.000Z"),
        (Trip("renewal", NOON + 9 * HOUR, 5, 2), "cancelled 2026-01-01T22:00:00.000Z"),
    ]


def test_the_command_says_what_it_does(stopping):
    assert awaken(stopping, "approve").stdout == "no playbook was stopped in the newest week\n"
    ask(stopping, "win_back", time.time_ns() // 1_000_000, 5)
    [_, line] = awaken(stopping, "approve").stdout.splitlines()
    assert line.split()[0] == "win_back"
    assert line.split()[2:5] == ["5", "2", "3"]
    assert awaken(stopping, "approve", "win_back").stdout.startswith("approved win_back until 2")
    assert "approved" in awaken(stopping, "approve").stdout
    assert awaken(stopping, "approve", "--stop", "win_back").stdout == "cancelled what was stopped of win_back\n"
    assert "cancelled" in awaken(stopping, "approve").stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("win_bak",), "there is no playbook win_bak\ndid you mean win_back?"),
        (("xyz",), "there is no playbook xyz\nthere are welcome, first_order,"),
        (("win_back", "--for", "0"), "--for 0: is no time\n"),
        (("--stop",), "of which playbook?"),
    ],
)
def test_what_cannot_be_approved_is_refused_and_says_why(names, words, said):
    told = awaken(names.settings(kafka="127.0.0.1:1"), "approve", *words)
    assert told.returncode == 2
    assert said in told.stderr


def test_without_redis_the_list_is_refused(stopping):
    gone = msgspec.structs.replace(stopping, redis="redis://127.0.0.1:1")
    with pytest.raises(NotReady, match=r"Redis does not answer(.|\n)*awaken doctor"):
        approval.everything(gone, NOON)
