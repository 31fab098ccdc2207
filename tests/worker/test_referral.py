"""Referral: whoever brought a user is told at that user's first order, once, and is not woken by it."""

import asyncio
from collections import Counter
from types import SimpleNamespace

import msgspec
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.invitation import Invitations
from streams.push.trigger import Triggers, trigger_topics
from streams.settings import Playbook, Settings
from streams.shard import Shard
from streams.wire.block import Block, Pairs
from streams.wire.message import read_transition, seq_of
from streams.wire.partitioner import home
from streams.worker.chunk import Chunk
from streams.worker.partition import Partition, rules_of
from tests.push.test_trigger import Words
from tests.worker.test_partition import EVER, HOUR, T0, Reader
from tests.worker.test_partition import Ledger as Known

DAY = 24 * HOUR
OF = 8


class Ledger(Known):
    """A ledger that remembers to which partition a record goes."""

    def __init__(self):
        super().__init__()
        self.elsewhere = []

    def record(self, topic, records, partition=None):
        super().record(topic, records)
        if partition is not None:
            self.elsewhere += [(partition, *record) for record in records]


class Partnership:
    """A partition in which users name their inviters, and buy."""

    def __init__(self, shard=None, **changes):
        self.settings = msgspec.structs.replace(
            Settings(partitions=OF, partitioner="any", lateness_seconds=0, historic_hours=24), **changes
        )
        self.now, self.read = T0 + 100 * DAY, Counter()
        self.log = {}
        self._hold(shard or Shard(rules_of(self.settings)))

    def _hold(self, shard):
        self.held = Partition(3, self.settings, shard, Ledger(), Reader(), now=lambda: self.now)
        self.held._reader.ends = dict.fromkeys(self.held.topics, EVER - DAY)

    def click(self, at, user="friend", inviter=None, kind="view"):
        self._hand_in("clicks", {"user": user, "at": at, "kind": kind, "inviter": inviter})

    def buy(self, at, user="friend", order="o1", status="paid", inviter=None):
        event = {"user": user, "at": at, "order": order, "amount": 9, "status": status, "inviter": inviter}
        self._hand_in("orders", event)

    def erase(self, user):
        self._hand_in("profiles", None, user)

    def _hand_in(self, topic, event, user=""):
        key = (user or event["user"]).encode()
        value = None if event is None else orjson.dumps(event)
        record = SimpleNamespace(offset=self.read[topic], timestamp=self.now, key=key, value=value, headers=[])
        self.read[topic] += 1
        self.held.receive(Chunk(topic, 3, Block.of([record]), record.offset + 1))
        self.held.pump()

    def commit(self):
        asyncio.run(self.held.commit())
        self.log |= dict(self.held.ledger.commits[-1][2])

    def crash(self):
        """Lose all that is not written."""
        shard = Shard(rules_of(self.settings))
        shard.restore(Pairs.of(self.log.items()))
        shard.settle()
        self._hold(shard)

    def rewards(self):
        return [(key.decode(), read_transition(value)) for _, key, value in self.held.ledger.elsewhere]

    def rewarded(self):
        return [(inviter, told.data.evidence["invitee"]) for inviter, told in self.rewards()]


@pytest.fixture
def town():
    town = Partnership()
    town.now = T0 + DAY
    return town


def test_the_first_order_rewards_who_brought_him_and_no_later_one_does(town):
    town.click(T0, kind="register", inviter="host")
    assert town.rewards() == []
    town.buy(T0 + HOUR)
    town.buy(T0 + 2 * HOUR, order="o2")
    [(inviter, told)] = town.rewards()
    assert inviter == told.subject == "host"
    assert (told.type, told.data.at, told.data.historic) == ("awaken.referral.rewarded", T0 + HOUR, False)
    assert told.data.evidence == {"invitee": "friend", "invited_at": T0}
    assert not len(town.held.shard.invitations)


def test_it_goes_to_the_inviters_own_partition(town):
    for n in range(20):
        town.click(T0 + n, user=f"friend{n}", inviter=f"host{n}")
        town.buy(T0 + HOUR + n, user=f"friend{n}", order=f"o{n}")
    where = {key.decode(): partition for partition, key, _ in town.held.ledger.elsewhere}
    assert where == {f"host{n}": home(f"host{n}".encode(), OF) for n in range(20)}
    assert len(set(where.values())) > 1
    assert {topic for topic, key, *_ in town.held.ledger.waiting if key.startswith(b"host")} == {"referrals"}


def test_an_order_may_name_him_itself(town):
    town.buy(T0, inviter="host")
    assert town.rewarded() == [("host", "friend")]


@pytest.mark.parametrize("inviter", ["friend", "", "\0host", "h" * 600])
def test_nobody_brings_himself_and_nobody_is_nobody(town, inviter):
    town.click(T0, inviter=inviter)
    town.buy(T0 + HOUR)
    assert town.rewards() == []


def test_who_was_here_before_was_not_brought(town):
    """By default whoever names him more than a day after his first act."""
    town.click(T0 - 25 * HOUR)
    town.click(T0, inviter="host")
    town.buy(T0 + HOUR)
    assert town.rewards() == []


def test_who_registers_soon_after_his_first_visit_was(town):
    town.click(T0 - HOUR)
    town.click(T0, inviter="host", kind="register")
    town.buy(T0 + HOUR)
    assert town.rewarded() == [("host", "friend")]


def test_who_had_bought_before_was_not_brought(town):
    town.buy(T0)
    town.click(T0 + 1, inviter="host")
    town.buy(T0 + HOUR, order="o2")
    assert town.rewards() == []
    assert not len(town.held.shard.invitations)


def test_of_two_who_are_named_it_is_the_first(town):
    town.click(T0 + HOUR, inviter="late")
    town.click(T0, inviter="host")
    town.click(T0 + 2 * HOUR, inviter="later")
    town.buy(T0 + 3 * HOUR)
    assert town.rewarded() == [("host", "friend")]


def test_a_refund_and_another_order_bring_no_second_reward(town):
    town.click(T0, inviter="host")
    town.buy(T0 + 1)
    town.buy(T0 + 2, status="refunded")
    town.click(T0 + 3, inviter="another")
    town.buy(T0 + 4, order="o2")
    assert town.rewarded() == [("host", "friend")]


def test_an_invitation_and_its_end_outlive_a_crash(town):
    town.click(T0, inviter="host")
    town.commit()
    town.crash()
    town.buy(T0 + HOUR)
    assert town.rewarded() == [("host", "friend")]
    town.commit()
    records, _, changelog = town.held.ledger.commits[-1]
    assert "referrals" in {topic for topic, *_ in records}
    assert [value for key, value in changelog if b"invitation" in key] == [None], "both in one transaction"
    town.crash()
    town.read = Counter()  # the offsets are set back: all is told once more
    town.click(T0, inviter="host")
    town.buy(T0 + HOUR)
    assert town.rewards() == []


def test_who_is_erased_has_no_inviter_any_more(town):
    town.click(T0, inviter="host")
    town.erase("friend")
    assert not len(town.held.shard.invitations)


def test_history_is_marked(town):
    town.now = T0 + 10 * DAY
    town.click(T0, inviter="host")
    town.buy(T0 + HOUR)
    [(_, told)] = town.rewards()
    assert told.data.historic


def test_a_playbook_may_thank_the_inviter_once_for_each_whom_he_brought(town):
    for friend in ("a", "b"):
        town.click(T0, user=friend, inviter="host")
        town.buy(T0 + HOUR, user=friend)
    thanks = Triggers(Settings(playbooks={"thanks": Playbook(on="referral.rewarded")}))
    told = [value for _, _, value in town.held.ledger.elsewhere]
    assert all(map(thanks.may_trigger, told))
    found = [c for value in told for c in thanks.candidates(read_transition(value), lambda _: Words())]
    assert [c.user for c in found] == ["host", "host"]
    assert len({c.id for c in found}) == 2
    assert [seq_of(c.transition) for c in found] == [0, 0], "it counts among nobody's transitions"
    assert "referrals" in trigger_topics(Settings(playbooks={"thanks": Playbook(on="referral.rewarded")}))


steps = st.lists(
    st.one_of(
        st.tuples(st.just("name"), st.sampled_from("ab"), st.sampled_from("abc"), st.integers(0, 9)),
        st.tuples(st.just("settle"), st.sampled_from("ab")),
        st.just(("commit",)),
    ),
    max_size=30,
)


@given(steps)
def test_invitations_that_are_read_back_are_those_that_were_written(history):
    known, other, model = Invitations(), Invitations(), {}
    for word, *arguments in [*history, ("commit",)]:
        if word == "name":
            user, inviter, at = arguments
            known.name(user, inviter, at)
            if user != inviter:
                model[user] = min(model.get(user, (at, inviter)), (at, inviter))
        elif word == "settle":
            assert known.settle(*arguments) == model.pop(*arguments, None)
        else:
            for user, value in known.take():
                other.restore(user, value)
            assert len(other) == len(model)
    assert {user: other.settle(user) for user in "ab"} == {user: model.get(user) for user in "ab"}
