"""The calendar: everybody's day comes once, whoever is killed or away meanwhile, and nobody waits for it."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from functools import partial

import msgspec
import numpy as np
import orjson
import pytest

from streams.core.row import EVENT, PROFILES
from streams.push.trigger import Triggers
from streams.settings import Festival, Playbook, Settings
from streams.shard import Shard
from streams.wire.block import Pairs
from streams.worker import calendar as room
from streams.worker.calendar import SLICE, Calendar, observe
from streams.worker.partition import rules_of
from tests.push.test_trigger import Words
from tests.worker.test_partition import chunk, partition

DAY = 86_400_000
HOUR = DAY // 24
BIRTHDAY = {"wish": Playbook(on="calendar.birthday", title="Happy birthday", body="For you, {attributes.name|friend}")}
DOUBLE_11 = {"double_11": Playbook(on="calendar.singles_day")}


def ms(*when):
    return round(datetime(*when, tzinfo=UTC).timestamp() * 1000)


START = ms(2026, 5, 1, 12)


class Town:
    """A partition with its calendar; time passes when it is told to."""

    def __init__(self, playbooks=BIRTHDAY, **changes):
        self.settings = msgspec.structs.replace(
            Settings(partitioner="any", dimensions=("activity",), lateness_seconds=0, playbooks=playbooks), **changes
        )
        self.decided, self.read, self.log = [], Counter(), {}
        self.now = START
        self.held = self._opened(Shard(rules_of(self.settings)))
        self.reach(START)

    def _opened(self, shard):
        held = partition(**{name: getattr(self.settings, name) for name in ("playbooks", "push", "clock", "festivals")})
        held.settings, held.shard, held._now = self.settings, shard, lambda: self.now
        return held

    def tell(self, user, birthday=None, zone=None, **attributes):
        """Tell a user's profile; None for `birthday` says nothing of it."""
        said = attributes | ({} if birthday is None else {"birthday": birthday})
        self.hand_in("profiles", user, {"user": user, "at": self.now, "attributes": said, "time_zone": zone})

    def hand_in(self, topic, user, value):
        self.held.receive(chunk(topic, (user, value), first=self.read[topic]))
        self.read[topic] += 1
        self.held.pump()

    def reach(self, now):
        """Let it be `now`, with all topics read to their ends, and have done what the days ask for."""
        self.now = now
        self.held._reader.ends = dict.fromkeys(self.held.topics, now)
        self.held.pump()
        self.observe()

    def observe(self, decide=None):
        """Run the calendar until it waits."""

        async def waits(seconds):
            if seconds:
                self.held.closing = True

        async def recorded(candidates):
            self.decided += candidates
            return True

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room.asyncio, "sleep", waits)
            asyncio.run(observe(self.held, Calendar(self.settings, Triggers(self.settings)), decide or recorded))
        self.held.closing = False

    def commit(self):
        """Write what changed to the log."""
        self.log |= dict(self.held.shard.take_changed().each())

    def crash(self):
        """Lose all that is not written; the log, compacted meanwhile, has the users in another order."""
        shard = Shard(rules_of(self.settings))
        for key, value in reversed(self.log.items()):
            shard.restore(Pairs.of([(key, value)]))
        shard.settle()
        self.held = self._opened(shard)

    def take(self):
        found, self.decided = self.decided, []
        return [(c.user, c.at) for c in found]


def test_a_birthday_comes_when_the_day_begins_where_he_lives():
    town = Town()
    town.tell("shanghai", "1990-05-03", "Asia/Shanghai")
    town.tell("new_york", "05-03", "America/New_York")
    town.tell("nowhere", "05-03")
    town.tell("tomorrow", "05-04", "Asia/Shanghai")
    town.tell("none")
    town.reach(ms(2026, 5, 2, 15, 59))
    assert town.take() == []
    town.reach(ms(2026, 5, 2, 16))
    assert town.take() == [("shanghai", ms(2026, 5, 2, 16))]
    town.reach(ms(2026, 5, 3, 12))
    assert town.take() == [("nowhere", ms(2026, 5, 3)), ("new_york", ms(2026, 5, 3, 4))]


def test_what_a_candidate_is():
    town = Town()
    town.tell("u1", "05-03", name="Li")
    town.reach(ms(2026, 5, 3, 1))
    [candidate] = town.decided
    assert candidate.id == "wish:u1-2026-05-03"
    assert (candidate.transition, candidate.cause, candidate.historic) == ("", "time", False)
    assert (candidate.title, candidate.body) == ("Happy birthday", "For you, Li")


def test_who_has_another_birthday_by_now_is_wished_on_that():
    town = Town()
    town.tell("u1", "05-03")
    town.observe()
    town.tell("u1", "05-04")
    town.tell("gone", "05-03")
    town.hand_in("profiles", "gone", None)
    town.reach(ms(2026, 5, 5, 1))
    assert town.take() == [("u1", ms(2026, 5, 4))]


def test_a_lunar_birthday_and_one_on_29_february():
    town = Town()
    town.tell("moon", "1985-04-08", birthday_lunar=True)
    town.tell("leap", "2000-02-29")
    town.reach(ms(2026, 5, 24, 1))
    assert town.take() == [("moon", ms(2026, 5, 24))], "the eighth day of the fourth month"
    town.reach(ms(2027, 2, 28, 1))
    assert town.take() == [("leap", ms(2027, 2, 28))]


def test_a_festival_is_everybodys_of_whom_we_know_something_and_for_whom_all_holds():
    moon = Playbook(on="calendar.mid_autumn", lead_days=3, when={"attributes.region": "Beijing"})
    town = Town({"moon": moon})
    town.tell("a", region="Beijing")
    town.tell("b", region="Harbin")
    town.tell("c", "05-03", "Asia/Shanghai", region="Beijing")
    town.hand_in("clicks", "d", {"user": "d", "at": START, "kind": "view"})
    town.reach(ms(2026, 9, 23))
    assert sorted(town.take()) == [("a", ms(2026, 9, 22)), ("c", ms(2026, 9, 21, 16))]
    assert town.held.shard.calendar_until.at == ms(2026, 9, 23)


def test_a_festival_of_the_settings_own():
    town = Town({"ours": Playbook(on="calendar.ours")}, festivals={"ours": Festival(date="2026-05-20")})
    town.tell("a")
    town.reach(ms(2026, 5, 20))
    assert town.take() == [("a", ms(2026, 5, 20))]


@pytest.mark.parametrize(("back", "wished"), [(ms(2026, 5, 5, 23), True), (ms(2026, 5, 6, 1), False)])
def test_after_an_outage_the_days_missed_are_made_up_for_unless_it_is_too_late(back, wished):
    """By default a push is too late after 72 hours."""
    town = Town()
    town.tell("u1", "05-03")
    town.observe()
    town.commit()
    town.crash()
    town.reach(back)
    assert bool(town.take()) == wished
    town.reach(ms(2026, 6, 1))
    assert town.take() == []


def test_nothing_is_decided_of_a_day_as_long_as_there_are_events_before_it_to_read():
    town = Town()
    town.tell("u1", "05-03")
    town.now = ms(2026, 5, 3, 1)
    town.held._reader.ends = dict.fromkeys(town.held.topics, town.now) | {"clicks": None}
    town.held.pump()
    town.observe()
    assert town.take() == []
    town.reach(town.now)
    assert town.take() == [("u1", ms(2026, 5, 3))]


def test_a_calendar_that_is_new_begins_with_the_next_day():
    town = Town(DOUBLE_11)
    town.tell("u1")
    town.held.shard.calendar_until = None
    town.reach(ms(2026, 11, 11, 9))
    assert town.take() == []
    town.reach(ms(2027, 11, 11, 9))
    assert town.take() == [("u1", ms(2027, 11, 11))]


def test_history_that_is_played_has_its_days_too_however_far_it_leaps():
    town = Town(clock="event")
    town.tell("u1", "05-03", "Asia/Shanghai")
    town.hand_in("clicks", "u2", {"user": "u2", "at": START, "kind": "view"})
    town.observe()
    town.now = ms(2029, 1, 1)
    town.hand_in("clicks", "u2", {"user": "u2", "at": ms(2028, 7, 1), "kind": "view"})
    town.observe()
    assert town.take() == [("u1", ms(year, 5, 2, 16)) for year in (2026, 2027, 2028)]


class Killed(Exception):
    pass


@pytest.mark.parametrize("slices", range(1, 5))
def test_killed_amid_a_day_each_user_is_decided_once_as_it_was_committed(slices):
    """Of every slice either both are written, the decisions and how far it has come, or neither."""
    town, users = Town(DOUBLE_11), [f"u{n}" for n in range(5 * SLICE)]
    for user in users:
        town.tell(user)
    town.observe()
    town.commit()
    town.now = ms(2026, 11, 11, 1)
    town.held._reader.ends = dict.fromkeys(town.held.topics, town.now)
    town.held.pump()
    written, before = [], []

    async def decide(candidates):
        if len(before) == slices:
            raise Killed
        if before:  # what was recorded before is noted by now, and a commit comes between
            written.extend(before[-1])
            town.commit()
        before.append(candidates)
        return True

    with pytest.raises(Killed):
        town.observe(decide)
    town.crash()
    town.reach(town.now)
    again = [c.user for c in town.decided]
    assert Counter(c.user for c in written) + Counter(again) == Counter(users)
    assert len(written) < len(users)


def test_who_comes_amid_a_day_and_who_goes_disturbs_nobody_else():
    town, users = Town(DOUBLE_11), [f"u{n}" for n in range(5 * SLICE)]
    for user in users:
        town.tell(user)
    decided = []

    async def decide(candidates):
        decided.extend(c.user for c in candidates)
        for n in range(600):
            town.tell(f"new{len(decided)}-{n}")
        return True

    town.reach(ms(2026, 11, 10, 23))
    town.now = ms(2026, 11, 11, 1)
    town.held._reader.ends = dict.fromkeys(town.held.topics, town.now)
    town.held.pump()
    town.observe(decide)
    assert sorted(user for user in decided if user.startswith("u")) == sorted(users)
    assert max(Counter(decided).values()) == 1


def test_a_partition_that_is_given_up_leaves_the_rest_to_its_next_owner():
    town = Town()
    town.tell("u1", "05-03")
    town.observe()

    async def gives_up(_):
        return False

    town.now = ms(2026, 5, 3, 1)
    town.held._reader.ends = dict.fromkeys(town.held.topics, town.now)
    town.held.pump()
    town.observe(gives_up)
    assert town.held.shard.calendar_until.at < ms(2026, 5, 3)
    town.observe()
    assert town.take() == [("u1", ms(2026, 5, 3))]


def crowd(settings, count):
    """A shard of so many users with profiles, a hundredth of them born on 3 May."""
    shard = Shard(rules_of(settings))
    who = shard.intern([b"user-%d" % n for n in range(count)])
    events = np.zeros(count, EVENT)
    events["row"], events["source"], events["offset"], events["at"] = who, PROFILES, np.arange(count), START
    shard.rows["applied"][:count, PROFILES] = 1
    for row in who.tolist():
        born = "05-03" if row % 100 == 0 else "06-01"
        shard.profiles[row] = orjson.dumps({"user": "u", "at": START, "attributes": {"birthday": born}})
    return shard


def test_a_crowd_is_taken_in_slices_between_which_the_loop_has_its_turn():
    count = 100_000
    playbooks = BIRTHDAY | {"day": Playbook(on="calendar.ours")}
    settings = Settings(dimensions=("activity",), playbooks=playbooks, festivals={"ours": Festival(date="05-04")})
    shard, calendar = crowd(settings, count), Calendar(settings, Triggers(settings))
    read = list(calendar.read(shard))
    assert max(np.diff([0, *read])) <= SLICE
    assert list(calendar.read(shard)) == []
    due = partial(calendar.due, shard, oldest=0, words=lambda _: Words())
    [first] = due(START)
    shard.calendar_until = first.reached
    born = list(due(ms(2026, 5, 3)))
    assert sum(len(some.candidates) for some in born) == count // 100
    shard.calendar_until = born[-1].reached
    feast = [len(some.candidates) for some in due(ms(2026, 5, 4))]
    assert sum(feast) == count
    assert max(feast) < 2 * SLICE
    assert len(feast) < 3 * count // SLICE
