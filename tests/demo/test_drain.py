import asyncio
from types import SimpleNamespace

import pytest

from streams.demo.drain import QUIET_SECONDS, Drain
from streams.demo.tally import Tally
from streams.ops import NotReady
from streams.settings import Push, Settings

PLAYED = {("clicks", 0): 10, ("clicks", 1): 20, ("orders", 0): 5}
READ = {("lifecycle-transitions", 0): 3, ("push-decisions", 0): 2, ("push-outcomes", 0): 2}
ALL = PLAYED | {("lifecycle-transitions", 0): 3, ("push-decisions", 0): 2}


def done(committed, *, quiet=QUIET_SECONDS, tally=None, settings=None):
    def answer(_settings):
        if isinstance(committed, Exception):
            raise committed
        return committed

    player, subscriber = SimpleNamespace(ends=PLAYED), SimpleNamespace(ends=READ, heard=100.0)
    drain = Drain(
        settings or Settings(),
        player,
        subscriber,
        tally or Tally(0.0),
        committed=answer,
        clock=lambda: 100.0 + quiet,
    )
    return asyncio.run(drain.done())


def test_it_is_done_when_everything_is_committed():
    assert done(ALL)
    assert done(ALL | {("lifecycle-transitions", 0): 4})  # past a transaction's marker


@pytest.mark.parametrize("place", ALL)
def test_one_partition_that_lags_is_waited_for(place):
    assert not done(ALL | {place: ALL[place] - 1})
    assert not done({other: end for other, end in ALL.items() if other != place})


def test_a_worker_that_never_pushes_does_not_read_its_outputs():
    assert done(PLAYED, settings=Settings(push=Push(channels=())))


def test_what_was_heard_just_now_may_not_be_the_last():
    assert not done(ALL, quiet=QUIET_SECONDS / 2)


def test_a_delivery_under_way_is_waited_for(make):
    tally = Tally(0.0)
    tally.decision(make.decision())
    assert not done(ALL, tally=tally)
    tally.outcome(make.outcome())
    assert done(ALL, tally=tally)


def test_a_broker_that_does_not_say_is_asked_again():
    assert not done(NotReady("busy"))
