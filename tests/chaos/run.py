"""One run: a plan played on a deployment of its own, to the verdict."""

import tempfile
import time
import uuid
from contextlib import ExitStack
from typing import NamedTuple

import msgspec

from streams.settings import Topics
from tests.chaos.feed import Feed, read_back
from tests.chaos.fleet import Fleet, wait_for
from tests.chaos.plan import plan
from tests.chaos.servers import Broker, Disk, KeptRedis
from tests.chaos.stage import BASE, NAMES, Stage
from tests.chaos.verdict import Verdict, evidence, judge
from tests.chaos.watch import Watch
from tests.conftest import Names
from tests.end_to_end import limits
from tests.end_to_end.receiver import Receiver
from tests.end_to_end.scene import PARTITIONS, Scene
from tests.oracle import DAY

RECOVERY_SECONDS = 90
"""Within it every partition must have committed again; what takes longer is said to hang."""


class Run(NamedTuple):
    """What a run was and what it found."""

    seed: int
    seconds: float
    events: int
    hits: list
    missed: list
    hung: str
    exits: list
    forced: int
    disk: str
    verdict: Verdict

    @property
    def whole(self):
        """Whether all that is promised was kept."""
        return not self.verdict.flaws and not self.hung and not self.missed


class Hung(Exception):
    """A partition does not go on, and nothing befalls it any more."""


def play(faults, seed, outage_seconds, say, without=()):
    """Play the plan of a seed, `without` some kinds; `say` is told what happens, a line each. Return the Run."""
    chosen = plan(faults, seed, outage_seconds, without)
    say(f"seed {seed}: {len(chosen)} faults")
    for number, fault in enumerate(chosen, 1):
        say(f"  {number:3} {fault}")
    began = time.monotonic()
    with ExitStack() as stack:
        return _play(stack, chosen, seed, lambda text: say(f"{time.monotonic() - began:7.1f} {text}"))


def _play(stack, chosen, seed, say):
    began, began_ms = time.monotonic(), time.time() * 1000
    enter = stack.enter_context
    folder = enter(tempfile.TemporaryDirectory(prefix="awaken-chaos-"))
    broker, redis, receiver = enter(Broker(enter(Disk()))), enter(KeptRedis(folder)), enter(Receiver())
    servers = {"kafka": broker.bootstrap, "redis": redis.url}
    scene = enter(_Scene(names(), receiver, lateness_seconds=DAY / 1000, **servers, **limits.settings(receiver)))
    inputs = (scene.settings.topics.clicks, scene.settings.topics.orders)
    watch = enter(Watch(broker.bootstrap, scene.settings.group, inputs, PARTITIONS))
    fleet = enter(Fleet(scene.settings, NAMES, folder, say))
    stage = Stage(fleet, watch, broker, redis, say)
    stack.callback(stage.pool.shutdown)
    feed = enter(Feed(scene, seed))
    hung = _suffer_all(stage, chosen, feed, say)
    feed.finish()
    events = read_back(scene, feed.events)
    hung = hung or _settle(scene, fleet, say)
    for name in fleet.wanted():
        fleet.stop(name)
    verdict = judge(scene, events, stage.emptied)
    say(f"judged: {verdict.flaws or 'whole'}")
    for line in evidence(scene, events, began_ms, stage.emptied) if verdict.flaws else ():
        say(line)
    return Run(
        seed, time.monotonic() - began, len(events), stage.hits, stage.missed, hung, fleet.exits, fleet.forced,
        broker.disk.kind, verdict,
    )  # fmt: skip


class _Scene(Scene):
    """A scene whose broker goes with it: nothing need be deleted."""

    def __exit__(self, *_):
        self._stack.close()


def names():
    """Topics and a group for one run."""
    mark = f"c{uuid.uuid4().hex[:10]}"
    fields = [field.name for field in msgspec.structs.fields(Topics)]
    return Names(mark, Topics(**{field: f"{mark}-{getattr(Topics(), field)}" for field in fields}))


def _suffer_all(stage, chosen, feed, say):
    """Let the faults befall, one after the other but for those that overlap; return what hung, if anything did."""
    for name in BASE:
        stage.fleet.start(name)
    try:
        _await_recovery(stage, feed, [stage.watch.mark(time.monotonic())])
        under_way = []
        for fault in chosen:
            time.sleep(fault.delay)
            under_way.append(stage.pool.submit(stage.suffer, fault))
            if not fault.overlaps:
                _await_hits(stage, feed, under_way)
                under_way = []
        _await_hits(stage, feed, under_way)
    except Hung as error:
        say(str(error))
        return str(error)
    return ""


def _await_hits(stage, feed, under_way):
    """Wait until faults are over, and recovered from."""
    hits = [one.result() for one in under_way]
    _await_recovery(stage, feed, [hit.mark for hit in hits if hit is not None])


def _await_recovery(stage, feed, marks):
    if not wait_for(lambda: feed.failure or all(mark.recovered_at for mark in marks), RECOVERY_SECONDS):
        waiting = [mark.waiting for mark in marks if not mark.recovered_at]
        raise Hung(f"no commit of partitions {waiting} within {RECOVERY_SECONDS} s; {logs(stage.fleet)}")


def _settle(scene, fleet, say):
    """Wait until all that was fed is folded, decided about and delivered; return what hung."""
    try:
        scene.await_pushed()
    except (AssertionError, TimeoutError) as error:
        say(f"{error!r}; {logs(fleet)}")
        return repr(error)
    return ""


def logs(fleet):
    """The ends of all workers' logs."""
    return "\n".join(f"--- {name}\n{log}" for name, log in fleet.logs().items())
