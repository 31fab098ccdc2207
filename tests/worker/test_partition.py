"""What one partition does with chunks: positions, dead letters, the watermark, erasure; no Kafka is needed."""

import asyncio
import itertools
import time
from types import SimpleNamespace

import msgspec
import orjson
import pytest

from streams import metrics
from streams.consent import allowed
from streams.settings import DAY, Activity, Playbook, Settings
from streams.shard import Plan, Shard
from streams.wire.block import Block, Pairs
from streams.wire.changelog import ASIDE
from streams.wire.control import Backfill, encode, key_of
from streams.wire.message import Decision, read_transition
from streams.worker import partition as room
from streams.worker.chunk import Chunk
from streams.worker.control import View
from streams.worker.partition import Gap, Partition, rules_of

T0 = 1_700_006_400_000
HOUR = 3_600_000
EVER = 1 << 62


class Ledger:
    """A ledger that commits into lists."""

    pending_bytes = 0
    changelog_position = 0

    def __init__(self):
        self.waiting, self.positions = [], {}
        self.commits = []

    def record(self, topic, records, partition=None):  # noqa: ARG002
        self.waiting += [(topic, *record) for record in (records.each() if isinstance(records, Pairs) else records)]

    def position(self, topic, offset):
        self.positions[topic] = offset

    async def commit(self, changelog):
        self.commits.append((self.waiting, self.positions, [pair for pairs in changelog for pair in pairs.each()]))
        self.waiting, self.positions = [], {}
        return True

    async def close(self):
        pass


class Reader:
    """Says of each topic when it was read to its end; None while it is not."""

    def __init__(self):
        self.ends = {}

    def read_to_end(self, topic, partition):
        assert partition == 3
        return self.ends.get(topic, EVER if topic == "push-feedback" else None)


def settings(**changes):
    return msgspec.structs.replace(
        Settings(lateness_seconds=60, partitioner="any", dimensions=("activity",)), **changes
    )


def partition(now=T0, **changes):
    chosen = settings(**changes)
    return Partition(3, chosen, Shard(rules_of(chosen)), Ledger(), Reader(), now=lambda: now)


def chunk(topic, *events, first=0):
    records = [
        SimpleNamespace(
            offset=first + n,
            timestamp=T0,
            key=key.encode(),
            value=value if isinstance(value, bytes | None) else orjson.dumps(value),
            headers=[("trace", b"t")],
        )
        for n, (key, value) in enumerate(events)
    ]
    return Chunk(topic, 3, Block.of(records), first + len(records))


def click(at, user="u1"):
    return user, {"user": user, "at": at, "kind": "view"}


def order(at, user="u1"):
    return user, {"user": user, "at": at, "order": "o", "amount": 1}


def commit(held):
    asyncio.run(held.commit())
    return held.ledger.commits[-1]


def transitions(records):
    return [read_transition(value).data for topic, _, value in records if topic == "lifecycle-transitions"]


def test_what_follows_from_a_chunk_is_committed_with_its_position():
    held = partition()
    held._reader.ends = {"clicks": T0, "orders": T0, "profiles": T0}
    held.receive(chunk("clicks", click(T0), click(T0 + 1, "u2")))
    held.pump()
    records, positions, changelog = commit(held)
    assert [(t.from_, t.to) for t in transitions(records)] == [("none", "new")] * 2
    assert positions == {"clicks": 2}
    assert [key for key, _ in changelog if not key.startswith(ASIDE)] == [b"u1", b"u2"]


def test_a_topic_at_its_end_holds_up_what_was_handed_over_later_until_it_is_heard_again():
    held = partition()
    held._reader.ends = {"clicks": T0, "orders": T0 - 1, "profiles": T0}
    held.receive(chunk("clicks", click(T0))._replace(heard_at=T0))
    held.pump()
    assert not held.shard.newest, "orders may have grown since"
    held._reader.ends["orders"] = T0
    held.pump()
    assert held.shard.newest == T0


def test_events_that_wait_for_another_topic_are_not_behind_the_position():
    held = partition()
    held._reader.ends = {"clicks": None, "orders": None, "profiles": T0}
    held.receive(chunk("clicks", click(T0), click(T0 + HOUR)))
    held.receive(chunk("orders", order(T0 + 1)))
    held.pump()
    _, positions, _ = commit(held)
    assert positions == {"clicks": 1, "orders": 1}
    assert held.waiting("clicks") == 1
    held._reader.ends["orders"] = T0
    held.pump()
    assert commit(held)[1]["clicks"] == 2


def test_a_bad_record_goes_whole_to_the_dead_letters_once_the_position_passes_it():
    held = partition()
    held._reader.ends = {"orders": None, "profiles": T0}
    held.receive(chunk("clicks", ("u1", b"nonsense"), click(T0 + 1), ("u1", b"[]")))
    held.pump()
    records, positions, _ = commit(held)
    assert positions["clicks"] == 1
    [(topic, key, value, headers)] = records
    assert (topic, key, value) == ("dead-letters", b"u1", b"nonsense")
    said = dict(headers)
    assert said["trace"] == b"t"
    assert said["awaken-reason"] == b"not-json"
    assert (said["awaken-topic"], said["awaken-partition"], said["awaken-offset"]) == (b"clicks", b"3", b"0")
    held._reader.ends = {"clicks": T0, "orders": T0, "profiles": T0}
    held.pump()
    records, positions, _ = commit(held)
    assert positions["clicks"] == 3
    assert [dict(r[3])["awaken-reason"] for r in records if r[0] == "dead-letters"] == [b"wrong-type"]


def test_lag_makes_nobody_dormant():
    """A topic that still has records to read holds time at what was read of it, whatever the wall clock says."""
    held = partition(now=T0 + 100 * DAY)
    held._reader.ends = {"clicks": None, "orders": T0 + 100 * DAY, "profiles": None}
    held.receive(chunk("clicks", click(T0), click(T0 + DAY)))
    held.pump()
    assert held.shard.watermark <= T0 + DAY
    assert held.shard.population[0].tolist()[3:5] == [0, 0]


def test_the_wall_clock_goes_on_where_every_topic_was_read_to_its_end():
    held = partition(now=T0 + 100 * DAY)
    held._reader.ends = {"clicks": None, "orders": T0 + 100 * DAY, "profiles": T0}
    held.receive(chunk("clicks", click(T0), click(T0 + DAY)))
    held._reader.ends["clicks"] = T0 + 20 * DAY
    held.pump()
    assert held.shard.watermark == T0 + 20 * DAY - 60_000
    found = transitions(commit(held)[0])
    assert [(t.to, t.cause) for t in found] == [("new", "event"), ("active", "event"), ("dormant", "time")]


def test_a_broker_that_says_nothing_stops_the_clock():
    held = partition(now=T0 + 100 * DAY)
    held._reader.ends = dict.fromkeys(("clicks", "orders", "profiles"), T0 + DAY)
    held.receive(chunk("clicks", click(T0)))
    held.pump()
    assert held.shard.watermark == T0 + DAY - 60_000


def test_old_transitions_are_historic_by_the_wall_clock_and_never_by_the_events():
    for clock, historic in (("wall", True), ("event", False)):
        held = partition(now=T0 + 4 * DAY, clock=clock)
        held._reader.ends = dict.fromkeys(("clicks", "orders", "profiles"), T0)
        held.receive(chunk("clicks", click(T0)))
        held.pump()
        assert [t.historic for t in transitions(commit(held)[0])] == [historic]


def test_a_null_profile_erases_the_user_from_row_and_changelog():
    held, forgotten = partition(), []

    async def forget(user):
        assert len(held.ledger.commits) == 1, "forgotten before the tombstone is committed"
        forgotten.append(user)

    held._forget = forget
    held._reader.ends = dict.fromkeys(("clicks", "orders", "profiles"), T0)
    profile = {"user": "u1", "at": T0, "consent": {"inbox": True}, "contacts": {"inbox": "i"}}
    held.receive(chunk("profiles", ("u1", profile)))
    held.receive(chunk("clicks", click(T0)))
    held.pump()
    assert held.profile("u1").consent == {"inbox": True}
    commit(held)
    held.receive(chunk("profiles", ("u1", None), first=1))
    held.pump()
    assert held.profile("u1") is None
    assert held.shard.number(b"u1") is None
    assert commit(held)[2] == [(b"u1", None)]
    assert forgotten == ["u1"]
    held.receive(chunk("clicks", click(T0 + 5), first=1))
    held.pump()
    assert [t.seq for t in transitions(commit(held)[0])] == [1]


def test_an_event_too_far_ahead_of_the_clock_is_a_dead_letter():
    held = partition(now=T0, max_ahead_seconds=10)
    held._reader.ends = dict.fromkeys(("clicks", "orders", "profiles"), T0)
    held.receive(chunk("clicks", click(T0 + 10_000), click(T0 + 10_001)))
    held.pump()
    records, _, _ = commit(held)
    assert [r[0] for r in records] == ["lifecycle-transitions", "dead-letters"]


@pytest.mark.parametrize(("days", "ms"), [(14, 14 * DAY), (0.5, DAY // 2)])
def test_thresholds_are_milliseconds_to_the_core(days, ms):
    assert rules_of(Settings(activity=Activity(dormant_days=days))).table["dormant_ms"][0] == ms


def test_what_is_dated_into_a_declared_backfill_is_history_and_what_lies_beside_it_is_not():
    one, view = partition(), View()
    backfill = Backfill("b", T0 - 2 * HOUR, T0 - HOUR, "the old shop")
    view.apply(key_of(backfill), encode(backfill))
    one.heed(view)
    at = {"before": T0 - 2 * HOUR - 1, "first": T0 - 2 * HOUR, "last": T0 - HOUR - 1, "after": T0 - HOUR}
    one.receive(chunk("clicks", *((user, {"user": user, "at": then, "kind": "view"}) for user, then in at.items())))
    one._reader.ends = {"orders": EVER, "profiles": EVER}
    one.pump()
    told = [read_transition(value) for topic, _, value in one.ledger.waiting if topic == "lifecycle-transitions"]
    assert {t.subject: t.data.historic for t in told} == {"before": False, "first": True, "last": True, "after": False}


def test_a_chunk_that_does_not_follow_what_was_taken_is_refused_before_anything_is_passed_over():
    one = partition()

    def take(end, follows, topic="clicks"):
        one.follow(Chunk(topic, 3, [], end, follows=follows))

    take(5, None)
    take(9, 5)
    take(25, 9)  # offsets that no record has
    with pytest.raises(Gap, match=r"clicks\[3\]: after 25 comes what follows 30"):
        take(31, 30)
    take(12, None)  # sought anew: known already
    take(26, 12)  # what lay between is known too
    with pytest.raises(Gap, match="after None comes what follows 4"):
        take(5, 4, topic="orders")  # the first after the seek never came


def test_a_trial_is_committed_with_the_positions_and_settled_by_what_was_bought_until_the_watermark():
    held = partition(now=T0 + 8 * DAY)
    held._reader.ends = {"clicks": T0, "orders": T0, "profiles": T0}
    held.receive(chunk("clicks", click(T0 - 1), click(T0 - 1, "u2")))
    held.pump()
    for user, action, reason in (("u1", "send", "sent"), ("u2", "suppress", "holdout")):
        held.shard.trials.open(Decision(user, user, T0, "reactivation", "", action, reason, (), ()))
    *_, first = commit(held)
    end = T0 + 7 * DAY
    held._reader.ends = dict.fromkeys(held._reader.ends, end + 60_000)
    held.receive(chunk("orders", order(end)))
    held.pump()
    assert held.shard.trials.sums == {}
    held._reader.ends = dict.fromkeys(held._reader.ends, end + 60_001)
    counter = metrics.TRIAL_USERS.labels("reactivation", "treated")._value
    before = counter.get()
    held.pump()
    assert counter.get() == before + 1
    *_, second = commit(held)
    shard = Shard(rules_of(held.settings))
    for changelog in (first, second):
        shard.restore(Pairs.of(changelog))
    assert shard.trials.sums == held.shard.trials.sums
    days = {
        (s.trial, s.arm): (t.users, t.conversions, t.spend) for s, t in shard.trials.sums.items() if s.kind == "day"
    }
    assert days == {
        (name, arm): told
        for name in ("all", "reactivation")
        for arm, told in (("treated", (1, 1, 100)), ("holdout", (1, 0, 0)))
    }


def said(user, kind, decision, **more):
    return user, {"user": user, "at": T0, "decision": decision, "kind": kind, **more}


def objections():
    [family] = metrics.OBJECTIONS.collect()
    return {(s.labels["playbook"], s.labels["kind"]): s.value for s in family.samples if s.name.endswith("_total")}


def test_objections_are_counted_by_the_playbook_that_sent_the_push():
    metrics.OBJECTIONS.clear()
    held = partition(playbooks={"reactivation": Playbook(), "win_back": Playbook(enabled=False)})
    held._reader.ends = {"clicks": T0, "orders": T0, "profiles": T0}
    told = [
        said("u1", "unsubscribed", "reactivation:u1-1-5", channel="email"),
        said("u2", "unsubscribed", "reactivation/2:u2-1-5"),
        said("u1", "complained", "win_back:u1-2-5"),
        said("u1", "complained", "no decision of ours"),
        said("u1", "opened", "reactivation:u1-1-5"),
        said("u1", "subscribed", "reactivation:u1-1-5"),
    ]
    for _ in range(2):  # redelivered, they are not counted again
        held.receive(chunk("push-feedback", *told))
        held.pump()
    assert objections() == {("reactivation", "unsubscribed"): 2, ("other", "complained"): 2}
    assert held.shard.objections == []


def test_a_user_is_known_with_what_he_said():
    held = partition()
    held._reader.ends = {"clicks": T0, "orders": T0, "profiles": T0}
    held.receive(chunk("profiles", ("u1", {"user": "u1", "at": T0 - 1, "consent": {"email": True}})))
    held.receive(chunk("push-feedback", said("u1", "unsubscribed", "d", channel="email")))
    held.pump()
    assert allowed(held.profile("u1")) == {"email": False}
    assert held.profile("u2") is None


@pytest.mark.parametrize("most", [1, 2, 3, 100])
def test_folded_a_part_at_a_time_it_comes_to_the_same(most):
    events = [click(T0 + n * DAY // 3, user=f"u{n % 4}") for n in range(90)]
    one, other = (partition(T0 + 99 * DAY, clock="event", lateness_seconds=0) for _ in range(2))
    for held in (one, other):
        held._reader.ends = dict.fromkeys(held.topics, EVER)
    whole = chunk("clicks", *events)
    one.receive(whole)
    one.pump()
    for part in whole.parts(most):
        assert len(part.records) <= most
        other.receive(part)
        while other.pump(most):
            pass
    told = [sorted(record[2] for record in commit(held)[0]) for held in (one, other)]
    assert told[0] == told[1]
    assert one.ledger.positions == other.ledger.positions
    assert one.shard.rows[:4].tobytes() == other.shard.rows[:4].tobytes()


@pytest.mark.parametrize("much", ["DUE_BYTES", "DUE_EVENTS"])
def test_a_commit_is_due_when_its_time_comes_or_much_waits_for_it(monkeypatch, much):
    held = partition()
    held.receive(chunk("clicks", click(T0), click(T0 + 1)))
    held._reader.ends = dict.fromkeys(held.topics, EVER)
    held.pump()
    held.ledger.pending_bytes = 3

    async def rest(seconds, most):
        await held.relieve()
        async with asyncio.timeout(most):
            await held.rest(seconds)

    async def live():
        await rest(0.01, 60)
        with pytest.raises(TimeoutError):
            await rest(3600, 0.05)
        monkeypatch.setattr(room, much, 1)
        await rest(3600, 60)
        await held.commit()
        held.ledger.pending_bytes = 0
        with pytest.raises(TimeoutError):
            await rest(3600, 0.05)

    asyncio.run(live())


def many(users=40):
    """A partition of so many users, all of whom are overdue, and one event that says so."""
    held = partition(T0 + 99 * DAY, clock="event", lateness_seconds=0)
    held._reader.ends = dict.fromkeys(held.topics, EVER)
    held.receive(chunk("clicks", *[click(T0 + n, user=f"u{n}") for n in range(users)]))
    held.pump()
    held.receive(chunk("clicks", click(T0 + 15 * DAY, user="other"), first=users))
    return held


@pytest.fixture
def few_at_once(monkeypatch):
    monkeypatch.setattr(room, "FOLDED_AT_ONCE", 3)
    monkeypatch.setattr(room, "TAKEN_AT_ONCE", 3)


@pytest.mark.usefixtures("few_at_once")
def test_time_comes_to_many_in_parts_and_to_the_same():
    whole, parts = many(), many()
    whole.pump()

    async def live():
        await parts.fold_due()
        assert parts.shard.is_behind
        await parts.pass_time()

    asyncio.run(live())
    assert not parts.shard.is_behind
    assert parts.shard.watermark == whole.shard.watermark
    told = [sorted(value for _, _, value in commit(held)[0]) for held in (whole, parts)]
    assert told[0] == told[1]
    assert sorted(whole.ledger.commits[-1][2]) == sorted(parts.ledger.commits[-1][2])


@pytest.mark.usefixtures("few_at_once")
def test_amid_a_long_sweep_a_commit_becomes_due(monkeypatch):
    held = many()
    monkeypatch.setattr(room, "DUE_EVENTS", 10)

    async def live():
        await held.fold_due()
        await held.commit()
        await held.pass_time()
        assert held.shard.is_behind
        async with asyncio.timeout(60):
            await held.rest(3600)

    asyncio.run(live())


@pytest.mark.usefixtures("few_at_once")
def test_while_a_commit_takes_what_changed_nothing_is_folded():
    held = many()

    async def live():
        commit = asyncio.create_task(held.commit())
        await asyncio.sleep(0)
        folding = asyncio.create_task(held.fold_due())
        await commit
        await folding

    asyncio.run(live())
    [(_, positions, changelog)] = held.ledger.commits
    assert positions == {"clicks": 40}
    assert len([key for key, _ in changelog if not key.startswith(ASIDE)]) == 40


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("rounds", range(1, 13, 3))
def test_new_rules_that_come_amid_a_commit_change_nobody_whom_it_has_written(rounds):
    held, other = many(), settings(activity=Activity(dormant_days=3))
    told = SimpleNamespace(
        stops_found=[],
        outages=[],
        backfills=[],
        approvals=[],
        plans=[Plan(0, rules_of(other)._replace(number=2, version="2"))],
    )

    async def live():
        await held.fold_due()
        assert held.shard.is_behind
        commit = asyncio.create_task(held.commit())
        for _ in range(rounds):
            await asyncio.sleep(0)
        assert not commit.done()
        held.heed(told)
        await commit
        await held.fold_due()

    asyncio.run(live())
    [(records, _, changelog)] = held.ledger.commits
    written = Shard(rules_of(held.settings))
    written.restore(Pairs.of(changelog))
    for _, key, value in records:
        assert written.seqs([key])[0] >= read_transition(value).data.seq
    assert held.shard.book.version == "2"


@pytest.mark.usefixtures("few_at_once")
def test_a_commit_that_is_broken_off_loses_nothing():
    held = many()

    async def live():
        commit = asyncio.create_task(held.commit())
        await asyncio.sleep(0)
        commit.cancel()
        await asyncio.gather(commit, return_exceptions=True)

    asyncio.run(live())
    assert held.ledger.commits == []
    assert len([key for key, _ in commit(held)[2] if not key.startswith(ASIDE)]) == 40


@pytest.mark.usefixtures("few_at_once")
def test_between_two_turns_of_a_workers_partitions_everything_else_has_its_own():
    turn, order = asyncio.Lock(), []
    several = [many() for _ in range(6)]

    async def passing(held):
        await held.fold_due()
        await held.pass_time()

    async def live():
        for held in several:
            held._turn, pump = turn, held.pump
            held.pump = lambda most, pump=pump: order.append("a part") or pump(most)
        tasks = [asyncio.create_task(passing(held)) for held in several]
        while not all(task.done() for task in tasks):
            order.append("all else")
            await asyncio.sleep(0)

    asyncio.run(live())
    assert order.count("a part") > 6 * 10
    in_a_row = [len(list(run)) for what, run in itertools.groupby(order) if what == "a part"]
    assert max(in_a_row) <= 2, "the last thing of one round of the loop, and the first of the next"


@pytest.mark.parametrize(("worth", "folded"), [(5, [2, 2, 2, 8, 8]), (100, [2, 2, 2, 2, 2])])
def test_a_few_events_wait_for_others_and_no_position_passes_over_them(monkeypatch, worth, folded):
    """The first chunk after a while is folded as it comes; in the end the commit's own pass takes what is left."""
    monkeypatch.setattr(room, "WORTH_FOLDING", worth)
    monkeypatch.setattr(room, "FOLD_SECONDS", 3600)
    held = partition()
    held._folded_at = -3600.0
    held._reader.ends = dict.fromkeys(held.topics, EVER)
    events = chunk("clicks", *[click(T0 + n, user=f"u{n}") for n in range(10)])
    seen = []

    async def live():
        for part in events.parts(2):
            await held.fold(part)
            seen.append(len(held.shard.index))
        await held.commit()
        await held.fold_due()
        await held.commit()

    asyncio.run(live())
    assert seen == folded
    assert [positions for _, positions, _ in held.ledger.commits] == [{"clicks": folded[-1]}, {"clicks": 10}]
    came = [t.at for written, _, _ in held.ledger.commits for t in transitions(written) if t.seq == 1]
    assert sorted(came) == [T0 + n for n in range(10)]


def test_few_events_wait_no_longer_for_others_though_none_come_and_a_commit_is_far(monkeypatch):
    monkeypatch.setattr(room, "FOLD_SECONDS", 0.01)
    held = partition()
    held._reader.ends = dict.fromkeys(held.topics, EVER)
    pump, folded = held._pump, asyncio.Event()

    async def told():
        are_more = await pump()
        folded.set()
        return are_more

    async def live():
        held._folded_at = time.monotonic() + 0.01
        await held.fold(chunk("clicks", click(T0)))
        assert not len(held.shard.index)
        held._pump = told
        resting = asyncio.create_task(held.rest(3600))
        async with asyncio.timeout(60):
            await folded.wait()
        resting.cancel()

    asyncio.run(live())
    assert len(held.shard.index) == 1


def test_chunks_joined_are_what_they_were_before_they_were_parted():
    whole = chunk("clicks", *[click(T0 + n, user=f"u{n}") for n in range(7)], first=5)._replace(heard_at=T0, follows=5)
    parts = list(whole.parts(3))
    joined = Chunk.joined(parts)
    assert list(joined.records) == list(whole.records)
    assert joined._replace(records=whole.records) == whole
