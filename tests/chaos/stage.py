"""The stage: servers, workers, feed and watch of one run, and how each kind of fault befalls them."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from tests.chaos.fleet import wait_for
from tests.chaos.plan import WORKERS
from tests.end_to_end.scene import PARTITIONS, SESSION_SECONDS

NAMES = ("worker-a", "worker-b", "worker-c")
BASE = NAMES[:WORKERS]
SPARE = NAMES[WORKERS:]
POINT_SECONDS = 90
HELD_SECONDS = 60
DYING_SECONDS = 15
ROUNDS = 3
"""How often a partition is moved there and back."""


class Hit(NamedTuple):
    """A fault that has befallen, and the mark that waits for its recovery."""

    fault: object
    mark: object


class Stage:
    """Everything that a fault can reach."""

    def __init__(self, fleet, watch, broker, redis, say):
        self.fleet, self.watch, self.broker, self.redis = fleet, watch, broker, redis
        self.hits = []
        self.missed = []
        self.emptied = []  # (from, to) in int ms UTC: what Redis was told before is gone, after it is kept
        self._say = say
        self._began = time.monotonic()
        self._broker_lock, self._redis_lock, self._members_lock = (threading.Lock() for _ in range(3))
        # Servers end with the thread that started them, so the threads last as long as the run.
        self.pool = ThreadPoolExecutor(8, thread_name_prefix="fault")

    def suffer(self, fault):
        """Let one fault befall; return when it is over, its recovery not waited for."""
        self._say(_told(fault))
        since = KINDS[fault.kind](self, fault)
        if since is None:
            self.missed.append(fault)
            self._say(f"{fault.kind}: not reached within {POINT_SECONDS} s: {fault.point}")
            return None
        hit = Hit(fault, self.watch.mark(since))
        self.hits.append(hit)
        return hit

    def kill(self, fault):
        self.fleet.kill(NAMES[fault.victim])
        return time.monotonic()

    def kill_in_commit(self, fault):
        return self._await_trap(fault, lambda: None)

    def kill_in_recovery(self, fault):
        """Kill a worker, and again when it is given partitions and reads their users back."""
        return self._await_trap(fault, lambda: self.fleet.kill(NAMES[fault.victim]))

    def kill_in_rebalance(self, fault):
        with self._members_lock:
            since = self._await_trap(fault, lambda: self.fleet.start(SPARE[0]))
            self.fleet.stop(SPARE[0])
        return since

    def sleep(self, fault):
        """Stop a worker's process for longer than its session, then let it go on: it believes that it still owns."""
        name = NAMES[fault.victim]
        worker = self.fleet.pause(name)
        time.sleep(SESSION_SECONDS + 2)
        self.fleet.resume(name, worker)
        return time.monotonic()

    def scale(self, _fault):
        """One worker, three, one, and as many as before."""
        with self._members_lock:
            for wanted in (BASE[:1], NAMES, BASE[:1], BASE):
                self._have(wanted)
        return time.monotonic()

    def move(self, _fault):
        """Let another worker take a partition and give it back, again and again."""
        with self._members_lock:
            for _ in range(ROUNDS):
                self._have(NAMES)
                self._have(BASE)
        return time.monotonic()

    def kill_broker(self, _fault):
        with self._broker_lock:
            self.broker.kill()
            self.broker.restart()
        return time.monotonic()

    def broker_down(self, fault):
        with self._broker_lock:
            self.broker.kill()
            time.sleep(fault.seconds)
            self.broker.restart()
        return time.monotonic()

    def fill_disk(self, fault):
        """Let the broker's disk be full until it has died of it, and a while longer."""
        with self._broker_lock:
            pid = self.broker.pid
            self.broker.disk.fill(pid)
            died = wait_for(lambda: self.broker.ended, DYING_SECONDS)
            self._say("the broker has died of its full disk" if died else "the broker lives on with its full disk")
            time.sleep(fault.seconds)
            self.broker.disk.free(pid)
            self.broker.kill()
            self.broker.restart()
        return time.monotonic()

    def kill_redis(self, fault):
        with self._redis_lock:
            self.redis.kill()
            time.sleep(fault.seconds)
            self.redis.restart()
        return time.monotonic()

    def empty_redis(self, _fault):
        with self._redis_lock:
            began = time.time_ns() // 1_000_000
            self.redis.empty()
            self.emptied.append((began, time.time_ns() // 1_000_000))
        return time.monotonic()

    def _await_trap(self, fault, trigger):
        """Arm a worker, do what leads it to the point, and return when it has died there; None if it has not."""
        name = NAMES[fault.victim]
        self.fleet.arm(name, fault.point, fault.after)
        trigger()
        wait_for(lambda: not self.fleet.armed(name), POINT_SECONDS)
        return None if self.fleet.disarm(name) else time.monotonic()

    def _have(self, names):
        """Have these workers and no others, each with some of the partitions, as far as other faults allow."""
        for name in self.fleet.wanted():
            if name not in names:
                self.fleet.stop(name)
        for name in names:
            self.fleet.start(name)
        wait_for(lambda: self._share(names), HELD_SECONDS)

    def _share(self, names):
        held = [self.fleet.held(name) for name in names]
        return min(held) > 0 and sum(held) == PARTITIONS


KINDS = {
    "kill": Stage.kill,
    "kill in a commit": Stage.kill_in_commit,
    "kill in recovery": Stage.kill_in_recovery,
    "kill in a rebalance": Stage.kill_in_rebalance,
    "sleep": Stage.sleep,
    "scale": Stage.scale,
    "move": Stage.move,
    "broker killed": Stage.kill_broker,
    "broker down": Stage.broker_down,
    "disk full": Stage.fill_disk,
    "Redis killed": Stage.kill_redis,
    "Redis emptied": Stage.empty_redis,
}


def _told(fault):
    """A fault in words."""
    aimed = fault.kind.startswith("kill") or fault.kind == "sleep"
    words = [fault.kind, NAMES[fault.victim] if aimed else "", fault.point]
    words += [f"for {fault.seconds:g} s"] if fault.seconds else []
    words += ["(the next one does not wait)"] if fault.overlaps else []
    return ", ".join(filter(None, words[:-1])) + f" {words[-1]}" if fault.overlaps else ", ".join(filter(None, words))
