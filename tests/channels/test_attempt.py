"""How patient a channel is; no pause takes any time here."""

from __future__ import annotations

import asyncio
import logging

import pytest

from streams.channels.attempt import DOWN, REST_SECONDS, TRIPS_AFTER, Answer, Attempts
from streams.channels.terms import Line
from tests.channels.vendor import Patience, ending


class Channel:
    """A channel that answers by a script, the last answer for ever."""

    def __init__(self, **options):
        self.patience = Patience()
        self.asked = 0
        self.attempts = Attempts(
            "post", Line(**options), pause=self.patience.pause, draw=lambda: 1, clock=self.patience.clock
        )

    def send(self, *said):
        script = [Answer(word) if isinstance(word, str) else word for word in said]

        async def once():
            self.asked += 1
            return script.pop(0) if len(script) > 1 else script[0]

        return asyncio.run(self.attempts(once))

    def break_down(self):
        for _ in range(TRIPS_AFTER):
            assert self.send("later").attempts == self.attempts.options.attempts


def test_what_is_in_trouble_is_tried_again_after_growing_pauses_and_its_attempts_are_counted():
    channel = Channel(attempts=4)
    assert ending(channel.send("later", "not_now", "taken")) == ("delivered", 3, False, False)
    assert channel.patience.pauses == [0.5, 1]
    assert ending(channel.send("later")) == ("failed", 4, False, False)


def test_a_pause_that_is_asked_for_is_made_first():
    channel = Channel()
    channel.send(Answer("later", retry_after=7), Answer("later", retry_after=100_000), "taken")
    assert channel.patience.pauses == [7.5, 61]


@pytest.mark.parametrize(
    ("said", "permanent", "uncertain"),
    [("bad_address", True, False), ("refused", False, False), ("unknown", False, True)],
)
def test_what_is_settled_is_not_tried_again(said, permanent, uncertain):
    channel = Channel()
    assert ending(channel.send(said)) == ("failed", 1, permanent, uncertain)
    assert channel.patience.pauses == []


def test_the_breaker_opens_after_so_many_failures_in_a_row_and_sends_fail_at_once(caplog):
    channel = Channel(attempts=2)
    with caplog.at_level(logging.WARNING):
        channel.break_down()
    assert channel.asked == 2 * TRIPS_AFTER
    assert "channel post is down" in caplog.text
    closed = channel.send("taken")
    assert (ending(closed), closed.detail) == (("failed", 0, False, False), DOWN)
    assert channel.asked == 2 * TRIPS_AFTER


def test_after_a_while_one_is_let_through_and_its_success_closes_the_breaker(caplog):
    channel = Channel(attempts=1)
    channel.break_down()
    channel.patience.now += REST_SECONDS - 0.1
    assert channel.send("taken").detail == DOWN
    channel.patience.now += 0.1
    with caplog.at_level(logging.WARNING):
        assert channel.send("taken").outcome == "delivered"
    assert "channel post is up again" in caplog.text
    assert [channel.send("taken").outcome for _ in range(3)] == ["delivered"] * 3


def test_one_that_is_let_through_and_fails_leaves_it_open_for_as_long_again():
    channel = Channel(attempts=1)
    channel.break_down()
    channel.patience.now += REST_SECONDS
    assert channel.send("later").attempts == 1
    channel.patience.now += REST_SECONDS - 0.1
    assert channel.send("taken").detail == DOWN
    channel.patience.now += 0.1
    assert channel.send("taken").outcome == "delivered"


def test_while_one_tries_whether_it_is_up_no_other_does():
    channel = Channel(attempts=1)
    channel.break_down()
    channel.patience.now += REST_SECONDS
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow():
        begun.set()
        await go_on.wait()
        return Answer("taken")

    async def run():
        probe = asyncio.create_task(channel.attempts(slow))
        await begun.wait()
        other = await channel.attempts(slow)
        go_on.set()
        return await probe, other

    probe, other = asyncio.run(run())
    assert (probe.outcome, other.detail) == ("delivered", DOWN)


@pytest.mark.parametrize("said", ["bad_address", "refused", "not_now"])
def test_no_number_of_bad_addresses_opens_the_breaker(said):
    channel = Channel(attempts=1)
    for _ in range(TRIPS_AFTER * 3):
        channel.send(said)
    assert channel.send("taken").outcome == "delivered"


def test_a_success_in_between_begins_the_count_anew():
    channel = Channel(attempts=1)
    for _ in range(TRIPS_AFTER):
        channel.send("later")
        channel.send("taken")
    assert channel.send("taken").outcome == "delivered"


def test_a_rate_spreads_the_attempts_of_all_sends_evenly():
    channel = Channel(per_second=2)
    assert channel.send("taken").outcome == "delivered"
    assert channel.patience.pauses == []
    channel.send("taken")
    channel.send("taken")
    assert channel.patience.pauses == [0.5, 0.5]
    channel.patience.now += 10
    channel.send("taken")
    assert channel.patience.pauses == [0.5, 0.5]


def test_without_a_rate_nobody_waits():
    channel = Channel()
    for _ in range(100):
        channel.send("taken")
    assert channel.patience.pauses == []
