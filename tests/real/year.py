"""What the playbooks would have done in 2017: the real orders of a year through the worker's own code, by a told clock.

`python -m tests.real.year` plays it and writes config/2017.md. Hours are the stride: what happened in one is handed in
at its end, and what is due by then is decided and delivered there. Nothing is drawn by chance, so that the same code
writes the same page.
"""

import asyncio
import sys
import tomllib
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import orjson

from streams.demo.journey import Journey
from streams.demo.profile import demographics
from streams.push.breaker_memory import MemoryBreaker
from streams.push.decider import Decider
from streams.push.deliverer import Deliverer
from streams.push.memory import MemoryGate
from streams.push.policy import share_of
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.settings import judged
from streams.shard import Shard
from streams.wire.message import read_decision, read_outcome
from streams.worker import agents
from streams.worker.calendar import Calendar, keep
from streams.worker.partition import Partition, rules_of
from tests.real import yearbook
from tests.real.orders import ms
from tests.stories.pushes import Post
from tests.worker.test_partition import Ledger, Reader, chunk

PAGE = Path(__file__).resolve().parents[2] / "config" / "2017.md"
HOUR = 3_600_000
START, END = ms("2017-01-01T00:00"), ms("2018-01-01T05:00")
"""The year by New York's clock, and the hours before it in which nobody shops yet."""
SETTINGS = """\
partitioner = "any"

[push]
channels = ["inbox", "email", "sms"]
cap_sends = 3
cap_days = 7
quiet_from = "22:00"
quiet_to = "08:00"
time_zone = "America/New_York"
spread_minutes = 30
holdout = 0.1
phase = "auto"
secret = "of this play, and of no shop"

[channels.email]
host = "smtp.example"
sender = "The Shop <hello@shop.example>"

[channels.sms]
key_id = "of this play"
key_secret = "of this play"
sign_name = "TheShop"
template_code = "SMS_1"

[budgets.gifts]
amount = 2000
each = "month"

[offers]
sign_up_gift = { kind = "sign_up_gift", value = 3, valid_days = 14 }
first_order_pack = { kind = "first_order_pack", value = 5, valid_days = 14 }
second_order = { kind = "spend_and_save", value = 4, min_spend = 30, valid_days = 14 }
come_back = { kind = "spend_and_save", value = 5, min_spend = 40, valid_days = 14, per_user_days = 90 }
win_back = { kind = "spend_and_save", value = 10, min_spend = 60, valid_days = 14, per_user_days = 180 }
referral_reward = { kind = "spend_and_save", value = 5, min_spend = 30, valid_days = 30 }

[playbooks]
welcome = { budget = "gifts" }
first_order = { budget = "gifts" }
second_order = { budget = "gifts" }
reactivation = { budget = "gifts" }
win_back = { budget = "gifts" }
rescue = { budget = "gifts" }
thanks_for_a_friend = { budget = "gifts" }
"""
"""As a shop would have them; all playbooks that are there from the start, and beside what stands here the defaults."""
HAS = {"inbox": 0.8, "email": 0.7, "sms": 0.5}
ALLOWS = {"inbox": 0.95, "email": 0.75, "sms": 0.6}
"""The shares of the households that have an address on a channel, and of those that allow it."""


class Delivery(NamedTuple):
    """What became of a decision on one channel."""

    decision: str
    user: str
    at: int
    channel: str
    outcome: str


class Counting(Decider):
    """A decider that keeps the ids of the candidates it was handed."""

    def __init__(self, *rest):
        super().__init__(*rest)
        self.handed = []

    async def judge(self, candidates, users, now=None):
        found = list(candidates)
        self.handed += [candidate.id for candidate in found]
        return await super().judge(found, users, now)


class Year:
    """A partition that holds all households, and what was decided and delivered.

    `decisions` are without their traces and words: there are too many of them.
    """

    def __init__(self, settings=None):
        self.now = START
        self.settings = settings = settings or year_settings()
        self.journey = Journey()
        self.partition = Partition(3, settings, Shard(rules_of(settings)), Ledger(), Reader(), now=lambda: self.now)
        gate, self.purse = MemoryGate(), Purse(MemoryStore())
        self.decider = Counting(settings, gate, self.purse, MemoryBreaker(settings.push))
        posts = {name: Post(name, broken=False) for name in settings.push.channels}
        self.deliverer = Deliverer(settings, gate, self.purse, posts)
        self.calendar = Calendar(settings, self.decider.triggers)
        self.decisions, self.deliveries = {}, []
        self.known, self.attributes = set(), demographics()
        self.offsets = defaultdict(int)

    def play(self, until=END):
        """Let time pass up to `until` (ms UTC)."""
        asyncio.run(self._play(until))
        return self

    async def _play(self, until):
        for hour in range(START, until, HOUR):
            self.now = hour + HOUR - 1  # still within the hour, for whoever asks what time it is
            self._hand_in(list(self.journey.orders(self.journey.find(hour, hour + HOUR))))
            self.partition._reader.ends = dict.fromkeys(self.partition.topics, self.now)
            self.partition.pump()
            while await self._work():
                pass

    def _hand_in(self, orders):
        """Hand in an hour's orders, and the profiles of those who come for the first time."""
        newcomers = {}
        for order in orders:
            if order["user"] not in self.known:
                newcomers.setdefault(order["user"], order["at"])
        self.known |= set(newcomers)
        profiles = [{"user": user, "at": at} | self._profile(user) for user, at in newcomers.items()]
        topics = self.settings.topics
        for topic, events in ((topics.profiles, profiles), (topics.orders, orders)):
            if events:
                records = [(event["user"], orjson.dumps(event)) for event in events]
                self.partition.receive(chunk(topic, *records, first=self.offsets[topic]))
                self.offsets[topic] += len(events)

    def _profile(self, user):
        there = [name for name, share in HAS.items() if share_of(f"has {name} {user}") < share]
        return {
            "attributes": self.attributes.get(int(user[1:]), {}),
            "contacts": {name: f"{name}-{user}" for name in there},
            "consent": {name: share_of(f"allows {name} {user}") < share for name, share in ALLOWS.items()},
        }

    async def _work(self):
        """Decide, deliver and release once; say whether anything came of it."""
        ledger, topics = self.partition.ledger, self.settings.topics
        records, ledger.waiting = ledger.waiting, []
        by_topic = defaultdict(list)
        for topic, key, value, *_ in records:
            by_topic[topic].append((key.decode(), value))
        for topic, some in by_topic.items():
            if topic == topics.push_outcomes:
                self._note_deliveries(read_outcome(value).data for _, value in some)
            elif topic == topics.push_decisions:
                self._note_decisions(read_decision(value).data for _, value in some)
                await agents._deliver(self.partition, chunk(topic, *some), self.deliverer)
            else:
                await agents._decide(self.partition, chunk(topic, *some), self.decider)
        released = await self._release()
        return bool(records or released or ledger.waiting)

    async def _release(self):
        released = await agents._release_pushes(self.partition, self.deliverer)
        await keep(self.partition, self.calendar, partial(agents._decide_candidates, self.partition, self.decider))
        return await agents._release_steps(self.partition, self.decider) or released

    def _note_decisions(self, decisions):
        for one in decisions:
            assert one.id not in self.decisions, f"decided twice: {one.id}"
            self.decisions[one.id] = yearbook.Decided(
                one.user, one.at, self.now, one.playbook, one.step, one.action, one.reason,
                one.offer.value if one.offer else 0.0,
            )  # fmt: skip

    def _note_deliveries(self, outcomes):
        self.deliveries += [Delivery(o.decision, o.user, o.at, o.channel, o.outcome) for o in outcomes]


def year_settings():
    return judged(tomllib.loads(SETTINGS), "tests/real/year.py")


def head():
    """What the page begins with, whatever comes of the play."""
    return yearbook.head(SETTINGS, HAS, ALLOWS)


def main():
    PAGE.write_text(yearbook.page(Year().play(), head()), "utf-8")
    sys.stdout.write(f"{PAGE} is written\n")


if __name__ == "__main__":
    main()
