"""The health gate: what is an outage and what is not, decided from counts that a simulated input makes."""

import math
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings, strategies

from streams.health import Health, Look
from streams.settings import Gate
from streams.usual import HOUR, hour_of_week
from streams.wire.control import Stop, Usual, Vouched, read
from streams.wire.control import encode as to_json

MONDAY = 1_700_438_400_000  # 2023-11-20 00:00 UTC
MINUTE = 60_000
DAY = 24 * HOUR
LIMITS = Gate()
CLICKS, ORDERS = "clicks", "orders"


def always(_at):
    return 1.0


def by_day(at):
    """A site's day: busy at noon, next to nobody at night."""
    return 0.02 + 0.98 * max(0.0, math.sin((at % DAY / DAY - 0.25) * 2 * math.pi))


@dataclass
class Input:
    """A topic: its rate a second at its height, how that goes through the day, and what befalls its producers."""

    rate: float
    shape: object = always
    partitions: int = 4
    factors: list = field(default_factory=list)  # (start, end, factor by partition)
    ends: list = field(default_factory=list)

    def __post_init__(self):
        self.ends = [1] * self.partitions

    def flow(self, start, end, dice):
        for number in range(self.partitions):
            mean = self.rate / self.partitions * self.shape(end) * (end - start) / 1000
            for since, until, factors in self.factors:
                if since < end and start < until:
                    share = (min(end, until) - max(start, since)) / (end - start)
                    mean *= 1 - share * (1 - factors[number])
            self.ends[number] += int(dice.poisson(mean))

    def outage(self, start, end, factor=0.0, partitions=None):
        chosen = range(self.partitions) if partitions is None else partitions
        factors = [factor if number in chosen else 1.0 for number in range(self.partitions)]
        self.factors.append((start, end, factors))


class Sim:
    """A gate that looks at inputs, and a `control` that keeps what it writes."""

    def __init__(self, limits=LIMITS, start=MONDAY, seed=1, **inputs):
        self.limits, self.now, self.inputs = limits, start, inputs
        self.dice = np.random.default_rng(seed)
        self.control = {}
        self.readable = True
        self.health = Health(limits)
        self.look()

    def look(self):
        ends = {topic: list(found.ends) if self.readable else None for topic, found in self.inputs.items()}
        for record in self.health.look(Look(self.now, ends)):
            again = read(to_json(record))
            assert again == record
            match record:
                case Vouched():
                    assert record.through >= self.vouched.through if self.vouched else True
                    self.control["vouched"] = again
                case Stop():
                    begun = record.start not in self.control
                    assert not begun or record.start >= self.vouched.through, "vouched for what was an outage"
                    self.control[record.start] = again
                case Usual():
                    self.control[record.topic] = again

    @property
    def vouched(self):
        return self.control.get("vouched")

    @property
    def stops(self):
        return [record for record in self.control.values() if isinstance(record, Stop)]

    def run(self, until, step=MINUTE):
        while self.now < until:
            start, self.now = self.now, min(self.now + step, until)
            for found in self.inputs.values():
                found.flow(start, self.now, self.dice)
            self.look()
        return self

    def away(self, until):
        """Nobody looks, and the records go on."""
        for found in self.inputs.values():
            found.flow(self.now, until, self.dice)
        self.now = until

    def restart(self):
        usuals = {record.topic: record for record in self.control.values() if isinstance(record, Usual)}
        self.health = Health(self.limits, self.vouched, self.stops, usuals)

    def behind(self):
        return self.now - self.vouched.through


def learnt(shape=by_day, rate=20.0, weeks=2, seed=1, step=5 * MINUTE, **options):
    """A gate that has seen some weeks of clicks."""
    return Sim(clicks=Input(rate, shape, **options), seed=seed).run(MONDAY + weeks * 7 * DAY, step)


def test_a_usual_fortnight_is_vouched_for_to_the_last_look_but_one():
    sim = learnt(rate=50.0)
    assert sim.stops == []
    sim.run(sim.now + 12 * HOUR)
    assert sim.run(sim.now + HOUR, 5000).behind() <= 5000


def test_two_days_of_silence_are_one_stop_dated_from_the_last_record():
    sim = learnt()
    silent_from = sim.now + 10 * HOUR
    sim.run(silent_from)
    sim.inputs[CLICKS].outage(silent_from, silent_from + 2 * DAY)
    sim.run(silent_from + 2 * DAY)
    [stop] = sim.stops
    assert (stop.end, stop.topics, stop.reason, stop.by) == (None, (CLICKS,), "silent", CLICKS)
    assert silent_from - 10 * MINUTE <= stop.start <= silent_from
    assert sim.vouched.through <= stop.start
    sim.run(sim.now + HOUR)
    [stop] = sim.stops
    assert sim.now - HOUR <= stop.end <= sim.now - HOUR + 5 * MINUTE
    assert sim.behind() <= 5 * MINUTE
    assert sim.run(sim.now + 3 * DAY, 5 * MINUTE).stops == [stop]


@settings(max_examples=20)
@given(
    rate=strategies.floats(10, 500),
    hour=strategies.floats(7.5, 16),
    hours=strategies.floats(0.3, 48),
    seed=strategies.integers(0, 9999),
)
def test_whatever_the_silence_vouching_never_passed_its_beginning_and_it_ends(rate, hour, hours, seed):
    sim = Sim(clicks=Input(rate, by_day), seed=seed).run(MONDAY + 2 * DAY + round(hour * HOUR), 5 * MINUTE)
    silent_from, back_at = sim.now, sim.now + round(hours * HOUR)
    assert sim.stops == []
    sim.inputs[CLICKS].outage(silent_from, back_at)
    sim.run(back_at, 2 * MINUTE)
    [stop] = sim.stops
    assert stop.end is None
    assert stop.start <= silent_from
    assert sim.vouched.through <= silent_from
    sim.run(back_at + 12 * HOUR + DAY, 5 * MINUTE)
    [stop] = [stop for stop in sim.stops if stop.start <= silent_from]
    assert back_at <= stop.end
    assert sim.vouched.through > back_at


def test_a_slow_night_is_no_outage_neither_the_first_nor_a_later_one():
    sim = Sim(clicks=Input(50.0, by_day), orders=Input(0.5, by_day)).run(MONDAY + 16 * DAY, 2 * MINUTE)
    assert sim.stops == []


def test_a_shop_that_sells_little_is_vouched_for_nearly_at_once():
    sim = Sim(clicks=Input(50.0), orders=Input(5 / 86_400))  # five orders a day
    sim.run(MONDAY + 3 * DAY, 2 * MINUTE)
    assert sim.stops == []
    assert sim.behind() <= 4 * MINUTE


def test_one_silent_partition_of_several_is_a_stop_and_named():
    sim = learnt()
    start = sim.now + 12 * HOUR
    sim.run(start)
    sim.inputs[CLICKS].outage(start, start + 3 * HOUR, partitions=[2])
    sim.run(start + 3 * HOUR)
    [stop] = sim.stops
    assert (stop.reason, stop.by, stop.end) == ("silent", "clicks[2]", None)
    assert stop.start <= start
    sim.run(sim.now + HOUR)
    assert [stop.end is not None for stop in sim.stops] == [True]


def test_one_of_three_producers_dying_is_a_stop_dated_from_its_death():
    sim = learnt(weeks=3, rate=60.0)
    dies = sim.now + 10 * HOUR
    sim.run(dies)
    sim.inputs[CLICKS].outage(dies, dies + 6 * HOUR, factor=2 / 3)
    sim.run(dies + LIMITS.slow_seconds * 1000 + 5 * MINUTE)
    [stop] = sim.stops
    assert (stop.reason, stop.end) == ("slow", None)
    assert dies - 10 * MINUTE <= stop.start <= dies
    sim.run(dies + 7 * HOUR)
    [stop] = sim.stops
    assert stop.end >= dies + 6 * HOUR


def test_a_tenth_less_than_usual_is_no_outage():
    sim = learnt(weeks=3, rate=60.0)
    sim.inputs[CLICKS].outage(sim.now, sim.now + 2 * DAY, factor=0.9)
    assert sim.run(sim.now + 2 * DAY).stops == []


def test_slow_for_very_long_is_the_new_usual():
    sim = Sim(Gate(slow_max_hours=30), clicks=Input(60.0)).run(MONDAY + 15 * DAY, 5 * MINUTE)
    sim.inputs[CLICKS].outage(sim.now, sim.now + 60 * DAY, factor=0.4)
    sim.run(sim.now + 4 * DAY, 5 * MINUTE)
    [stop] = sim.stops
    assert 30 * HOUR <= stop.end - stop.start <= 32 * HOUR
    assert sim.behind() <= 10 * MINUTE


def test_a_new_topic_is_vouched_for_after_its_warm_up_and_not_before():
    sim = Sim(clicks=Input(5.0), orders=Input(0.0))
    sim.inputs[ORDERS].ends = [0, 0, 0, 0]  # it was never used
    sim.run(MONDAY + round(LIMITS.warmup_seconds * 1000) - 1, 5000)
    assert sim.vouched.through == 0
    sim.run(sim.now + 20_000, 5000)
    assert sim.behind() <= 20_000


def test_a_topic_that_is_silent_at_the_first_start_is_waited_for_as_long_as_a_silence_may_last():
    sim = Sim(clicks=Input(0.0)).run(MONDAY + 59 * MINUTE)
    assert sim.vouched.through == 0
    assert sim.run(MONDAY + 62 * MINUTE).behind() <= 2 * MINUTE


def test_restarted_in_mid_outage_it_goes_on_and_ends():
    sim = learnt()
    start = sim.now + 12 * HOUR
    sim.run(start)
    sim.inputs[CLICKS].outage(start, start + 5 * HOUR)
    sim.run(start + HOUR)
    [before] = sim.stops
    sim.away(start + 2 * HOUR)
    sim.restart()
    sim.run(start + 5 * HOUR)
    assert sim.stops == [before]
    sim.run(start + 6 * HOUR)
    [after] = sim.stops
    assert after.start == before.start
    assert start + 5 * HOUR <= after.end <= start + 5 * HOUR + 10 * MINUTE


def test_an_outage_that_began_and_went_on_while_nobody_watched_is_dated_from_the_last_look():
    sim = learnt()
    start = sim.now + 12 * HOUR
    sim.run(start)
    last_look = sim.vouched.looked_at
    sim.inputs[CLICKS].outage(start, start + 3 * HOUR)
    sim.away(start + 3 * HOUR)
    sim.restart()
    sim.look()
    [stop] = sim.stops
    assert stop.start <= last_look
    sim.run(start + 4 * HOUR)
    assert [s.end is not None for s in sim.stops] == [True]


def test_nobody_watching_a_healthy_input_stops_nothing():
    sim = learnt()
    sim.run(sim.now + 12 * HOUR)
    through = sim.vouched.through
    sim.away(sim.now + 3 * HOUR)
    assert sim.vouched.through == through
    sim.restart()
    sim.run(sim.now + 10 * MINUTE)
    assert sim.stops == []
    assert sim.behind() <= 4 * MINUTE


def test_ends_that_cannot_be_read_are_an_outage_from_the_last_that_were():
    sim = learnt()
    sim.run(sim.now + 12 * HOUR)
    start, sim.readable = sim.now, False
    sim.inputs[CLICKS].outage(start, start + HOUR)
    sim.run(start + HOUR)
    [stop] = sim.stops
    assert (stop.start, stop.reason, stop.end) == (start, "lag", None)
    assert sim.vouched.through <= start
    sim.readable = True
    sim.run(start + 2 * HOUR)
    assert all(start + HOUR <= s.end <= start + 70 * MINUTE for s in sim.stops)
    assert sim.behind() <= 4 * MINUTE


def test_a_burst_after_an_outage_does_not_end_it_while_nothing_else_comes():
    sim = learnt()
    start = sim.now + 12 * HOUR
    sim.run(start)
    sim.inputs[CLICKS].outage(start, start + 5 * HOUR)
    sim.run(start + HOUR)
    sim.inputs[CLICKS].ends = [end + 100_000 for end in sim.inputs[CLICKS].ends]
    sim.run(start + 5 * HOUR)
    assert [s.end for s in sim.stops] == [None]


def test_an_operator_who_ends_a_stop_has_the_last_word():
    sim = learnt()
    start = sim.now + 12 * HOUR
    sim.run(start)
    sim.inputs[CLICKS].outage(start, start + 90 * DAY)  # the topic is used no more
    sim.run(start + 2 * DAY, 5 * MINUTE)
    [stop] = sim.stops
    sim.health.release(stop.start, sim.now)
    sim.run(sim.now + 10 * DAY, 5 * MINUTE)
    assert sim.stops == [stop]
    assert sim.behind() <= 10 * MINUTE


def test_a_topic_made_anew_or_with_more_partitions_is_no_outage():
    sim = learnt()
    sim.run(sim.now + 12 * HOUR)
    sim.inputs[CLICKS].ends = [0, 0, 0, 0]
    sim.run(sim.now + HOUR)
    sim.inputs[CLICKS].partitions = 6
    sim.inputs[CLICKS].ends += [0, 0]
    assert sim.run(sim.now + 3 * HOUR).stops == []


def test_a_topic_of_another_name_takes_the_place_of_the_old_one():
    sim = learnt()
    sim.inputs = {"visits": Input(20.0, by_day)}
    sim.restart()
    sim.run(sim.now + HOUR)
    assert sim.stops == []
    assert sim.behind() <= 5 * MINUTE


def test_a_clock_set_back_says_nothing_until_it_has_caught_up():
    sim = learnt(weeks=1)
    before = sim.vouched
    assert sim.health.look(Look(sim.now - HOUR, {CLICKS: sim.inputs[CLICKS].ends})) == []
    assert sim.run(sim.now + HOUR).vouched.through > before.through
    assert sim.stops == []


@pytest.mark.parametrize(("at", "hour"), [(MONDAY, 0), (MONDAY + HOUR - 1, 0), (MONDAY - 1, 167), (0, 72)])
def test_the_week_begins_on_monday(at, hour):
    assert hour_of_week(at) == hour
