"""The watchdog ends what does not get on, with the reason, and nothing else."""

import asyncio
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import msgspec
import pytest

from streams.settings import Settings
from streams.worker.ending import Ending
from streams.worker.health import REBALANCE_SECONDS
from streams.worker.watchdog import ASLEEP_SECONDS, Watchdog

SETTINGS = Settings(stuck_seconds=60, drain_seconds=20, partitions=3)


class Loop:
    """A loop that answers at once, or does not."""

    def __init__(self):
        self.turns = True

    def call_soon_threadsafe(self, callback):
        if self.turns:
            callback()


def partition(worked_at=0.0, *, closing=False):
    return SimpleNamespace(number=0, worked_at=worked_at, closing=closing)


def app(**changes):
    told = {
        "settings": SETTINGS,
        "working": True,
        "waiting_since": 0.0,
        "should_stop": False,
        "crashed": False,
        "partitions": {},
        "partition_counts": dict,
    }
    return SimpleNamespace(**told | changes)


def watch(watchdog, first, last, *, each=None):
    """Look every second; return the first verdict, and when it came."""
    for now in range(first, last):
        if each is not None:
            each(now)
        verdict = watchdog.look(float(now))
        if verdict is not None:
            return verdict, now
    return None, last


def test_a_worker_that_gets_on_is_left_alone():
    held = partition()
    watchdog = Watchdog(app(partitions={0: held}), Loop(), now=0.0)
    assert watch(watchdog, 1, 500, each=lambda now: setattr(held, "worked_at", float(now)))[0] is None


def test_a_loop_that_gives_no_sign_of_life_is_blocked():
    loop = Loop()
    watchdog = Watchdog(app(), loop, now=0.0)
    assert watch(watchdog, 1, 100)[0] is None
    loop.turns = False
    verdict, when = watch(watchdog, 100, 300)
    assert verdict.ending is Ending.STUCK
    assert "the event loop has been blocked for 61 s" in verdict.reason
    assert when == 161


def test_a_partition_that_does_not_commit_is_named():
    verdict, when = watch(Watchdog(app(partitions={0: partition()}), Loop(), now=0.0), 1, 300)
    assert verdict.ending is Ending.STUCK
    assert "partition 0: has not committed" in verdict.reason
    assert when == 61


def test_a_group_that_never_resumes_is_told():
    verdict, when = watch(Watchdog(app(working=False), Loop(), now=0.0), 1, 300)
    assert verdict.ending is Ending.STUCK
    assert "without work from the group" in verdict.reason
    assert when == 60 + REBALANCE_SECONDS + 1


def test_reading_users_back_is_not_stuck_however_long_it_takes_for_as_long_as_rows_come_in():
    recovering = app(working=False)
    watchdog = Watchdog(recovering, Loop(), now=0.0)

    def read(now):
        if now < 1000 and now % 50 == 0:
            recovering.waiting_since = float(now)

    verdict, when = watch(watchdog, 1, 2000, each=read)
    assert verdict.ending is Ending.STUCK
    assert when == 950 + 60 + REBALANCE_SECONDS + 1


def test_a_process_that_was_stopped_has_time_to_get_on_when_it_wakes():
    held = partition()
    loop = Loop()
    loop.turns = False
    watchdog = Watchdog(app(partitions={0: held}), loop, now=0.0)
    assert watchdog.look(1.0) is None
    woke = 1000.0
    assert woke > ASLEEP_SECONDS
    assert watchdog.look(woke) is None
    loop.turns = True
    watchdog._answer()
    held.worked_at = woke + 1
    assert watch(watchdog, 1001, 1050)[0] is None
    verdict, when = watch(watchdog, 1050, 1200)
    assert verdict.ending is Ending.STUCK
    assert when == 1062


def test_a_worker_told_to_stop_has_drain_seconds_and_no_more():
    stopping = app(partitions={0: partition()})
    watchdog = Watchdog(stopping, Loop(), now=0.0)
    assert watch(watchdog, 1, 50)[0] is None
    stopping.should_stop = True
    verdict, when = watch(watchdog, 50, 200)
    assert verdict.ending is Ending.UNSETTLED
    assert "drain_seconds = 20" in verdict.reason
    assert when == 71


def test_a_crash_that_does_not_come_to_its_end_is_still_a_crash():
    verdict, _ = watch(Watchdog(app(should_stop=True, crashed=True), Loop(), now=0.0), 1, 200)
    assert verdict.ending is Ending.CRASHED


def test_another_number_of_partitions_ends_it_in_good_order(monkeypatch, caplog):
    sent = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    counts = {"clicks": 3, "orders": 3}
    watched = app(partition_counts=lambda: counts)
    watchdog = Watchdog(watched, Loop(), now=0.0)
    assert watch(watchdog, 1, 10)[0] is None
    assert watchdog.ending is None
    counts["orders"] = 5
    assert watch(watchdog, 10, 20)[0] is None
    assert sent == [(os.getpid(), signal.SIGTERM)]
    assert watchdog.ending is Ending.MISFIT
    assert "orders has 5, but all keyed topics must have 3" in caplog.text
    watched.should_stop = True
    assert watch(watchdog, 20, 100)[0].ending is Ending.MISFIT


BLOCKED = """
import asyncio, time
from types import SimpleNamespace
from streams.settings import Settings
from streams.worker.watchdog import Watchdog
app = SimpleNamespace(
    settings=Settings(stuck_seconds=1), working=True, waiting_since=0.0, should_stop=False, crashed=False,
    partitions={}, partition_counts=dict,
)
async def waits_for_ever():
    await asyncio.Event().wait()
def a_loop_that_never_ends():
    while True:
        sum(range(1000))
async def main():
    task = asyncio.create_task(waits_for_ever())
    Watchdog(app, asyncio.get_running_loop()).start()
    await asyncio.sleep(0)
    a_loop_that_never_ends()
asyncio.run(main())
"""


def test_a_blocked_loop_ends_the_process_with_a_code_and_the_stack():
    ended = subprocess.run([sys.executable, "-c", BLOCKED], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == Ending.STUCK
    assert "the event loop has been blocked" in ended.stderr
    assert "in a_loop_that_never_ends" in ended.stderr
    assert "waits_for_ever" in ended.stderr


@pytest.mark.parametrize("closed", [False, True])
def test_a_loop_that_is_closed_is_past_its_end(closed):
    loop = asyncio.new_event_loop()
    if closed:
        loop.close()
    watchdog = Watchdog(app(settings=msgspec.structs.replace(SETTINGS, stuck_seconds=5)), loop, now=0.0)
    verdict, _ = watch(watchdog, 1, 50)
    loop.close()
    assert (verdict is None) == closed
