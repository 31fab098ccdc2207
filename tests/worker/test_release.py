"""Pushes that a partition holds: let go when their time has come, to those who are still away."""

import asyncio

import msgspec
import pytest

from streams.push.breaker_memory import MemoryBreaker
from streams.push.decider import Decider
from streams.push.deliverer import Deliverer
from streams.push.memory import MemoryGate
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.settings import DAY
from streams.wire.message import encode, read_outcome, read_transition
from streams.worker import agents
from streams.worker.standing import Users
from tests.push.test_deliverer import Post
from tests.worker.test_partition import T0, chunk, partition

HOUR = DAY // 24
DORMANT = T0 + 14 * DAY + HOUR  # at one in the morning
MORNING = T0 + 14 * DAY + 8 * HOUR
PROFILE = {"user": "u1", "at": T0, "contacts": {"inbox": "u1"}, "consent": {"inbox": True}}


class Night:
    """A partition in which one user became dormant at night; his push is held until the morning."""

    def __init__(self):
        self.now, self.read = DORMANT + HOUR, {"profiles": 0, "clicks": 0, "push-decisions": 0}
        held = self.held = partition(lateness_seconds=0)
        push = msgspec.structs.replace(held.settings.push, quiet_from="22:00", quiet_to="08:00", spread_minutes=0)
        held.settings = msgspec.structs.replace(held.settings, push=push)
        held._now = lambda: self.now
        self.post = Post("inbox")
        purse = Purse(MemoryStore())
        self.deliverer = Deliverer(held.settings, MemoryGate(), purse, {"inbox": self.post})
        self.tell("profiles", PROFILE)
        self.tell("clicks", {"user": "u1", "at": T0 + HOUR, "kind": "view"})
        self.reach(self.now)
        [dormant] = [read_transition(v) for t, _, v in held.ledger.waiting if b"dormant" in v]
        self.decider = Decider(held.settings, MemoryGate(), purse, MemoryBreaker(held.settings.push))
        [decision] = asyncio.run(self.decider.decide([dormant], Users(held), self.now))
        assert (decision.action, decision.until) == ("hold", MORNING)
        self.tell("push-decisions", encode(decision, "awaken"))

    def tell(self, topic, event):
        """Hand an event in, whatever its topic."""
        one = chunk(topic, ("u1", event), first=self.read[topic])
        self.read[topic] += 1
        if topic == "push-decisions":
            asyncio.run(agents._deliver(self.held, one, self.deliverer))
        else:
            self.held.receive(one)

    def reach(self, at):
        """Let it be `at`, with all topics read to their ends."""
        self.now = at
        self.held._reader.ends = dict.fromkeys(self.held.topics, at)
        self.held.pump()

    def release(self):
        """Let what is due go, as long as anything is; return the outcomes."""
        before = len(self.held.ledger.waiting)

        async def run():
            releasing = asyncio.create_task(agents.release(self.held, self.decider, self.deliverer))
            while self.held.shard.hold.due(self.held.known_until(), 1):  # noqa: ASYNC110 (nobody would set an event)
                await asyncio.sleep(0)
            self.held.closing = True
            await releasing
            self.held.closing = False

        asyncio.run(asyncio.wait_for(run(), 20))
        return [read_outcome(value).data for topic, _, value in self.held.ledger.waiting[before:]]


@pytest.fixture
def night(monkeypatch):
    monkeypatch.setattr(agents, "RELEASE_SECONDS", 0.001)
    return Night()


def test_nothing_goes_out_before_its_time(night):
    night.reach(MORNING - 1)
    assert night.release() == []
    assert len(night.held.shard.hold) == 1


def test_in_the_morning_it_goes_out_and_is_let_go_with_its_outcome(night):
    night.reach(MORNING)
    [outcome] = night.release()
    assert (outcome.outcome, len(night.post.sent), len(night.held.shard.hold)) == ("delivered", 1, 0)


def test_whoever_came_back_meanwhile_gets_none(night):
    night.tell("clicks", {"user": "u1", "at": DORMANT + 2 * HOUR, "kind": "view"})
    night.reach(MORNING)
    [outcome] = night.release()
    assert (outcome.outcome, outcome.detail) == ("cancelled", "he is back, or was never away")
    assert night.post.sent == []


def test_while_there_are_events_to_read_it_waits_for_he_may_be_back_already(night):
    night.now = MORNING + HOUR
    night.held._reader.ends = dict.fromkeys(night.held.topics, MORNING) | {"clicks": None}
    night.held.pump()
    assert night.release() == []
    assert len(night.held.shard.hold) == 1


def test_whoever_withdrew_his_consent_meanwhile_gets_none(night):
    night.tell("profiles", PROFILE | {"at": DORMANT + HOUR, "consent": {}})
    night.reach(MORNING)
    [outcome] = night.release()
    assert (outcome.outcome, night.post.sent) == ("failed", [])


def test_what_could_not_go_out_for_too_long_never_does(night):
    night.reach(DORMANT + 73 * HOUR)
    [outcome] = night.release()
    assert outcome.outcome == "cancelled"
    assert "within 72 hours" in outcome.detail


def test_who_is_erased_is_held_no_more(night):
    night.tell("profiles", None)
    night.reach(MORNING)
    assert night.release() == []
    assert not len(night.held.shard.hold)


def test_holding_is_written_with_the_next_commit_and_letting_go_with_its_outcome(night):
    asyncio.run(night.held.commit())
    [record] = [value for key, value in night.held.ledger.commits[-1][2] if b"hold" in key]
    assert b'"until":%d' % MORNING in record
    night.reach(MORNING)
    night.release()
    asyncio.run(night.held.commit())
    records, _, changelog = night.held.ledger.commits[-1]
    assert [value for key, value in changelog if b"hold" in key] == [None]
    assert "push-outcomes" in {topic for topic, *_ in records}


def test_a_message_may_speak_of_what_he_likes_and_of_what_his_profile_says(night):
    night.tell("clicks", {"user": "u1", "at": DORMANT + HOUR, "kind": "view"})
    night.tell(
        "profiles", PROFILE | {"at": DORMANT + HOUR, "attributes": {"region": "Beijing", "age": 30, "city": None}}
    )
    night.reach(DORMANT + HOUR)
    known = Users(night.held).words("u1")
    said = {
        "value.activity": "returning",
        "days": "",
        "streak": "",
        "attributes.region": "Beijing",
        "attributes.age": "30",
        "attributes.city": None,
        "interest": "",
        "points": "",
    }
    assert {name: known.get(name) for name in said} == said
    assert known.value("activity") == "returning"
    nobody = Users(night.held).words("nobody")
    assert [nobody.get(name) for name in said] == [None] * len(said)
