"""Plays a story of pushes: the worker's own partition and agents, with a gate in memory and a clock that is told."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime
from functools import partial

import msgspec

from streams.channels import Receipt
from streams.core.row import CLICKS, FEEDBACK, ORDERS, PROFILES
from streams.push.breaker_memory import MemoryBreaker
from streams.push.decider import Decider
from streams.push.deliverer import Deliverer
from streams.push.memory import MemoryGate
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.settings import judged
from streams.shard import Shard
from streams.wire.control import Approval
from streams.wire.message import read_decision, read_outcome
from streams.worker import agents
from streams.worker.calendar import Calendar, keep
from streams.worker.partition import Partition, rules_of
from tests.stories.script import Player, Story, instant, merge
from tests.worker.test_partition import Ledger, Reader, chunk

MINUTE, HOUR = 60_000, 3_600_000
BARE = {"steps": [], "exclusive": "", "again_days": 0, "timing": "at_once"}
PLAIN = {"lateness_seconds": 0, "partitioner": "any", "push": {"spread_minutes": 0}}


class PushStory(Story):
    """A story whose expectations are decisions and deliveries, as `told` writes them.

    `only` names the playbooks that are there, `plain` too, but with their first message alone; `broken` the channels
    that fail; `away` is a time at which we were not; `again` hands in once more what was told so far; `approve` and
    `stop` are what somebody says of a playbook that the breaker has stopped.
    """

    def __init__(self, text):
        self.only, self.broken, self.told = [], [], []
        super().__init__(text)

    def read_told(self, line, words):
        match words[0]:
            case "only:" | "plain:":
                self.only = words[1:]
                bare = dict.fromkeys(self.only, BARE) if words[0] == "plain:" else {}
                self.settings = merge(msgspec.json.decode(msgspec.json.encode({"playbooks": bare})), self.settings)
            case "broken:":
                self.broken = words[1:]
            case "away":
                self.steps.append(("away", instant(*words[2:4])))
            case "again":
                self.steps.append(("again",))
            case _ if len(words) > 2 and words[2] in ("approve", "stop"):
                self.steps.append(("approval", instant(*words[:2]), words[3], words[2] == "approve"))
            case _:
                super().read_told(line, words)

    def read_expected(self, line, words):  # noqa: ARG002
        self.told.append(" ".join(words))


class PushPlayer:
    """Plays it; `told` is what was decided and delivered, a line each."""

    def __init__(self, story):
        self.story, self.told, self.now, self.transitions = story, [], 0, []
        self.settings = settings = self._settings()
        self.partition = Partition(3, settings, Shard(rules_of(settings)), Ledger(), Reader(), now=lambda: self.now)
        gate = MemoryGate()
        purse = Purse(MemoryStore())
        self.decider = Decider(settings, gate, purse, MemoryBreaker(settings.push))
        posts = {name: Post(name, broken=name in story.broken) for name in settings.push.channels}
        self.deliverer = Deliverer(settings, gate, purse, posts)
        self.calendar = Calendar(settings, self.decider.triggers)
        if story.later:
            self.partition.shard.plan(Player(story).books)
        self.offsets = defaultdict(int)
        self.player = Player(Story(""))  # it says what an event's fields are
        self.topics = dict(zip((CLICKS, ORDERS, PROFILES, FEEDBACK), self.partition.topics, strict=True))

    def _settings(self):
        document = merge(msgspec.json.decode(msgspec.json.encode(PLAIN)), self.story.settings)
        found = judged(document, "story")
        playbooks = {
            name: msgspec.structs.replace(playbook, enabled=name in self.story.only)
            for name, playbook in found.playbooks.items()
        }
        assert set(self.story.only) <= set(playbooks), "a story's playbooks must be there"
        return msgspec.structs.replace(found, playbooks=playbooks)

    def play(self):
        for what, *rest in self.story.steps:
            getattr(self, what)(*rest)
        return self

    def until(self, at):
        """Let time pass, with a stop wherever something is due."""
        while (due := self._next_due()) < at:
            self._stop(due)
        self._stop(at)

    def away(self, at):
        """Let time pass with nobody at work: what is due meanwhile is found out at the end."""
        self._stop(at)

    def again(self):
        """Hand in all transitions once more, as where offsets were set back."""
        self.partition.ledger.waiting += self.transitions
        self._stop(self.now)

    def approval(self, at, playbook, granted):
        """Let somebody say what is to become of what the breaker has stopped."""
        self.until(at)
        self.partition.approvals = [Approval(playbook, at, at + 12 * HOUR, granted)]
        self.partition._hasten()
        self._stop(at)

    def event(self, at, user, did):
        """Let time come to an event, and hand it in; one that lies behind is late."""
        if at > self.now:
            self.until(at)
        source, value = self.player.said(at, user, did)
        topic = self.topics[source]
        self.partition.receive(chunk(topic, (user, {"user": user, "at": at} | value), first=self.offsets[topic]))
        self.offsets[topic] += 1
        self._stop(max(self.now, at))

    def _next_due(self):
        shard = self.partition.shard
        deadlines = shard.due[: len(shard.index)]
        waiting = [w.until for hold in (shard.hold, shard.steps) for w in hold if w.until > self.now]
        days = [(self.now // HOUR + 1) * HOUR + 1] if self.calendar and self.now else []
        return min([*waiting, *days, int(deadlines.min(initial=1 << 62)) + 1])

    def _stop(self, at):
        """Let it be `at`: fold, decide, deliver and release until nothing more comes of it."""
        self.now = max(at, self.now)
        self.partition._reader.ends = dict.fromkeys(self.partition.topics, self.now)
        self.partition.pump()
        while self._work():
            pass

    def _work(self):
        ledger = self.partition.ledger
        records, ledger.waiting = ledger.waiting, []
        decisions = self.settings.topics.push_decisions
        for topic, key, value, *_ in records:
            one = chunk(topic, (key.decode(), value))
            if topic == decisions:
                self._decided(read_decision(value).data)
                asyncio.run(agents._deliver(self.partition, one, self.deliverer))
            elif topic == self.settings.topics.push_outcomes:
                self._delivered(read_outcome(value).data)
            else:
                self.transitions.append((topic, key, value))
                asyncio.run(agents._decide(self.partition, one, self.decider))
        released = asyncio.run(self._release())
        return bool(records or released or ledger.waiting)

    async def _release(self):
        pushes = await agents._release_pushes(self.partition, self.deliverer)
        if self.calendar:
            await keep(self.partition, self.calendar, partial(agents._decide_candidates, self.partition, self.decider))
        return await agents._release_steps(self.partition, self.decider) or pushes

    def _decided(self, decision):
        name = f"{decision.playbook}/{decision.step}" if decision.step > 1 else decision.playbook
        more = f" until {moment(decision.until)}" if decision.until else ""
        more += f" {','.join(decision.channels)}" if decision.action == "send" else ""
        more += f" then {','.join(decision.fallbacks)}" if decision.action == "send" and decision.fallbacks else ""
        self.told.append(f"{moment(self.now)} {decision.user} {name} {decision.reason}{more}")

    def _delivered(self, outcome):
        name = outcome.decision.partition(":")[0]
        self.told.append(f"{moment(self.now)} {outcome.user} {name} {outcome.outcome} {outcome.channel}")


class Post:
    """A channel that takes everything, or nothing."""

    idempotent = True

    def __init__(self, name, *, broken):
        self.name, self.broken = name, broken

    async def send(self, message, address):  # noqa: ARG002
        return Receipt("failed", 1, "broken") if self.broken else Receipt("delivered", 1)

    async def close(self):
        pass


def moment(at):
    return datetime.fromtimestamp(at // MINUTE * 60, UTC).strftime("%Y-%m-%d %H:%M")
