"""What must hold for every history, however it is cut, repeated, swept or restored."""

import json
import os
import random
import subprocess
import sys

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.core.dimension import DIMENSIONS
from streams.core.row import CORRECTION_CAUSE, DAY, NEVER, ORDERS, ROW
from streams.shard import Shard
from tests import oracle
from tests.laws.history import (
    BOOK,
    CLICK_DEEDS,
    CLOCKED_DEEDS,
    DEEDS,
    FEEDBACK_DEEDS,
    HALF,
    HOUR,
    LAST_HOUR,
    ORDER_DEEDS,
    PROFILE_DEEDS,
    REFUND_DEEDS,
    SIDE_DEEDS,
    T0,
    TILL_DEEDS,
    Reader,
    acts,
    click,
    cuts,
    histories,
    named,
    order,
    thresholds,
    topics,
    wide_cuts,
)

END = T0 + (LAST_HOUR + 24 * 60) * HOUR + 1
KINDS_OF_DEEDS = (
    CLICK_DEEDS, TILL_DEEDS, ORDER_DEEDS, REFUND_DEEDS, SIDE_DEEDS, FEEDBACK_DEEDS, PROFILE_DEEDS,
)  # fmt: skip

PATH = ("seq", "since_day", "since", "before_since", "before", "lapsed_at", "lost_rung")
"""What tells how a user came to his values, not which they are."""


def days(ms):
    return 0 if ms >= NEVER else ms / DAY


@given(acts, thresholds, cuts)
def test_any_chunking_and_any_sweeping_give_the_same_users(history, rules, cut):
    plain = Reader(history, rules).run()
    cut_up = Reader(history, rules).run(cut, sweep=True)
    assert cut_up.moves == plain.moves
    assert cut_up.rows() == plain.rows()


@given(histories(CLOCKED_DEEDS), wide_cuts)
def test_any_chunking_and_any_sweeping_give_the_same_users_in_all_dimensions(history, cut):
    plain = Reader(history).run()
    cut_up = Reader(history).run(cut, sweep=True)
    assert cut_up.all_moves == plain.all_moves
    assert cut_up.rows() == plain.rows()
    assert np.array_equal(cut_up.shard.periods, plain.shard.periods)
    assert np.array_equal(cut_up.shard.population[:, 1:], plain.shard.population[:, 1:])


@given(histories(), wide_cuts)
def test_with_what_others_tell_any_sweeping_gives_the_same_facts_and_values(history, cut):
    """What others tell moves no clock: whether a sweep comes before it shows in the path, not in where that leads."""
    plain = Reader(history).run()
    cut_up = Reader(history).run(cut, sweep=True)
    assert cut_up.rows(but=PATH) == plain.rows(but=PATH)
    assert np.array_equal(cut_up.shard.periods, plain.shard.periods)
    assert np.array_equal(cut_up.shard.population[:, 1:], plain.shard.population[:, 1:])


@given(acts, thresholds, cuts)
def test_the_moves_equal_the_batch_oracle(history, rules, cut):
    reader = Reader(history, rules).run(cut, sweep=True)
    due = oracle.transitions(
        [(f"u{user}", T0 + hour * HOUR + HALF) for hour, user, _ in sorted(history, key=lambda h: h[:2])],
        oracle.Rules(*(days(int(rules.table[f][0])) for f in ("new_ms", "dormant_ms", "churned_ms"))),
        reader.shard.newest,
    )
    assert reader.moves == {user: [tuple(step) for step in steps] for user, steps in due.items()}


@given(acts, thresholds, cuts)
def test_sequences_are_whole_and_every_from_is_the_previous_to(history, rules, cut):
    for moves in Reader(history, rules).run(cut, sweep=True).moves.values():
        assert [m[0] for m in moves] == list(range(1, len(moves) + 1))
        assert [m[1] for m in moves] == ["none", *(m[2] for m in moves[:-1])]


@given(histories(), wide_cuts)
def test_over_all_dimensions_sequences_are_whole_and_every_from_is_the_previous_to(history, cut):
    reader = Reader(history).run(cut, sweep=True)
    for user, moves in reader.told.items():
        assert [int(m["seq"]) for m in moves] == list(range(1, len(moves) + 1))
        stands = [0] * len(BOOK.dimensions)
        for m in moves:
            assert m["from"] == stands[m["dimension"]] != m["to"]
            stands[m["dimension"]] = int(m["to"])
        row = reader.shard.rows[reader.shard.index.find(user.encode())]
        assert row["values"][: len(stands)].tolist() == stands


@given(acts, thresholds, cuts)
def test_the_same_events_twice_are_once(history, rules, cut):
    reader = Reader(history, rules).run(cut)
    rows, skipped = reader.rows(), reader.shard.skipped
    again = Reader(history, rules, reader.shard).run()
    assert again.moves == {}
    assert again.rows() == rows
    assert again.shard.skipped == skipped + len(history)


@given(histories(), wide_cuts)
def test_the_same_events_of_all_sources_twice_are_once(history, cut):
    reader = Reader(history).run(cut, sweep=True)
    rows, periods = reader.rows(), reader.shard.periods.copy()
    again = Reader(history, shard=reader.shard).run()
    assert again.told == {}
    assert again.rows() == rows
    assert again.shard.skipped == len(history)
    assert np.array_equal(again.shard.periods, periods)


@given(acts, thresholds, cuts)
def test_a_shard_restored_amid_a_history_goes_on_as_if_nothing_had_happened(history, rules, cut):
    whole = Reader(history, rules).run(cut)
    reader = Reader(history, rules)
    for source, size in cut:
        reader.chunk(source, size)
    restored = Shard(rules)
    restored.restore(reader.shard.take_changed())
    restored.settle()
    # The reader's merge is lost with its process: reading begins anew, and what was folded is skipped.
    rest = Reader(history, rules, restored).run()
    for user, moves in whole.moves.items():
        assert reader.moves.get(user, []) + rest.moves.get(user, []) == moves
    assert rest.rows() == whole.rows()


@given(histories(), wide_cuts, st.integers(0, 60))
def test_a_shard_restored_from_two_commits_goes_on_in_all_dimensions(history, cut, commit):
    whole = Reader(history).run(cut)
    reader, restored = Reader(history), Shard(BOOK)
    for k, (source, size) in enumerate(cut):
        if k == commit:
            restored.restore(reader.shard.take_changed())
        reader.chunk(source, size)
    restored.restore(reader.shard.take_changed())
    restored.settle()
    rest = Reader(history, shard=restored).run()
    for user, moves in whole.all_moves.items():
        assert reader.all_moves.get(user, []) + rest.all_moves.get(user, []) == moves
    assert rest.rows() == whole.rows()
    assert {k: rest.shard.profile(k) for k in rest.rows()} == {k: whole.shard.profile(k) for k in whole.rows()}
    assert np.array_equal(rest.shard.periods, whole.shard.periods)
    assert np.array_equal(rest.shard.population[:, 1:], whole.shard.population[:, 1:])
    assert np.array_equal(rest.shard.sources[1:], whole.shard.sources[1:])


@given(acts, thresholds)
def test_the_population_is_that_of_the_rows(history, rules):
    shard = Reader(history, rules).run().shard
    counted = np.bincount(shard.rows["values"][:, 0], minlength=shard.population.shape[1])
    assert shard.population[0][1:].tolist() == counted[1:].tolist()


@given(histories())
def test_the_population_of_every_dimension_is_that_of_the_rows(history):
    shard = Reader(history).run().shard
    for place in range(len(BOOK.dimensions)):
        counted = np.bincount(shard.rows["values"][:, place], minlength=shard.population.shape[1])
        assert shard.population[place][1:].tolist() == counted[1:].tolist()


ORDER_TRACE = ("applied", "seq", "since_day", "best_rung", "lost_rung", "due_engagement")
"""What an order that was taken back leaves of its own. It moved him there and back again: the sequence has gone on, and
those values were entered anew on the day of its refund. That he once stood as high as that is kept (`best_rung`, and
the rung at which he was lost). And it is remembered, lest it be counted twice."""
MEMORY = ("attention", "coupon")
"""Values that remember: who was an advocate once matters, and dependency on coupons has a hysteresis."""
CLICK_TRACE = ("daily_clicks",)
"""What a click of that moment leaves of its own."""
FEW_CATEGORIES = [deed for deed in CLICK_DEEDS if deed.category < 6]
"""So few that none takes another's place among the eight."""


def bought_back(history, hour, lapse, user=0):
    """A history in which one bought and was paid back some hours later, and another in which he only looked.

    Both end with a visit, so that the calendars of both come to the same day.
    """
    last = (LAST_HOUR + 500, user, click("view"))
    bought = [(hour, user, order(99, 5_000, coupon=1)), (hour + lapse, user, order(99, 0, "refunded")), last]
    return Reader([*history, *bought]).run(), Reader([*history, (hour, user, click("view")), last]).run()


TAKEN_BACK = FEW_CATEGORIES + ORDER_DEEDS + REFUND_DEEDS


@given(histories(TAKEN_BACK, 30, users=st.just(0)), st.integers(0, LAST_HOUR), st.integers(0, 400))
def test_an_order_and_its_refund_leave_no_trace_but_their_own(history, hour, lapse):
    bought, looked = bought_back(history, hour, lapse)
    but = (*ORDER_TRACE, *CLICK_TRACE)
    assert facts(bought.shard, but) == facts(looked.shard, but)
    assert np.array_equal(bought.shard.periods, looked.shard.periods)
    assert np.array_equal(bought.shard.sources, looked.shard.sources)


def facts(shard, but, without=MEMORY):
    """A user's row by field, without some fields and without some dimensions' values; and his orders but that one."""
    row, remembered = shard.rows[0], shard.orders(0)
    found = {name: row[name].tolist() for name in ROW.names if name not in ("first_order", "purchases", *but)}
    found["weekly"] = shard.weekly(0).tobytes()
    found["values"] = {n: v for n, v in zip(BOOK.dimensions, found["values"], strict=False) if n not in without}
    liked = zip(found.pop("interests"), found.pop("interest_weights"), strict=True)
    found["liked"] = [(category, weight) for category, weight in liked if weight]
    kept = remembered[remembered["hash"] % 1000 != 99]
    found["orders"] = sorted(zip(*(kept[name].tolist() for name in ("hash", "at", "amount", "undone")), strict=True))
    return found


@given(histories(CLICK_DEEDS + ORDER_DEEDS + REFUND_DEEDS, 40), st.data())
def test_an_order_told_again_changes_nothing(history, data):
    paid = [h for h in history if h[2].source == ORDERS and h[2].kind == 0]
    if not paid:
        return
    hour, user, deed = data.draw(st.sampled_from(paid))
    later = data.draw(st.integers(hour, LAST_HOUR))
    again = deed._replace(amount=deed.amount + data.draw(st.integers(0, 1)))
    plain, told_again = Reader(history).run(until=END), Reader([*history, (later, user, again)]).run(until=END)
    assert told_again.rows(but=("applied",)) == plain.rows(but=("applied",))
    assert told_again.all_moves == plain.all_moves


LATE_HOURS = 6
SUCCESSION = ("gap_ms", "seq", "since_day", "since", "before_since", "before", "lapsed_at", "lost_rung", "applied")
"""What goes by the succession in which events came. `gap_ms` is a mean by which later gaps weigh more (nothing is
decided by it: own gaps are settled by days). Sequence and days of entry tell what was said, corrections and all. What
is kept of the newest dormancy, and since when he is in his class, may be the class's that was corrected."""
COMMUTING = FEW_CATEGORIES + ORDER_DEEDS + FEEDBACK_DEEDS


def told_in_turn(history):
    """A shard that was told a history as it stands, without merge or sweep until all is told; and its moves."""
    shard, read, found, made = Shard(BOOK), dict.fromkeys(range(4), 0), topics(history), []
    for _, _, deed in history:
        events, keys, payloads = found[deed.source]
        k = read[deed.source]
        read[deed.source] += 1
        events["row"][k] = shard.intern([keys[k]])[0]
        made.append(shard.fold(events[k : k + 1], payloads if deed.body else {}))
    return shard, np.concatenate([*made, shard.advance(END)])


@given(histories(COMMUTING, 40, users=st.just(0)), st.lists(st.integers(0, LATE_HOURS), min_size=40, max_size=40))
def test_the_order_of_events_within_the_lateness_does_not_matter(history, delays):
    # Of an order told twice at different times the first that comes is the order: here each is told once.
    told = {(h[2].order or k): h for k, h in reversed(list(enumerate(history, 100)))}
    history = sorted(told.values(), key=lambda h: h[0])
    arrival = sorted(range(len(history)), key=lambda k: history[k][0] + delays[k])
    shuffled = told_in_turn([history[k] for k in arrival])[0]
    in_order = told_in_turn(history)[0]
    assert facts(shuffled, SUCCESSION, without=()) == facts(in_order, SUCCESSION, without=())
    assert np.array_equal(shuffled.periods, in_order.periods)
    assert np.array_equal(shuffled.sources, in_order.sources)


@given(histories(CLOCKED_DEEDS), wide_cuts)
def test_in_order_nothing_is_ever_corrected(history, cut):
    for moves in Reader(history).run(cut, sweep=True).told.values():
        assert all(m["cause"] != CORRECTION_CAUSE for m in moves)
        assert [int(m["at"]) for m in moves] == sorted(int(m["at"]) for m in moves)


@given(histories(DEEDS, 40, until=24 * 40), st.lists(st.integers(0, 24 * 6), min_size=40, max_size=40))
def test_a_correction_disproves_what_it_says(history, delays):
    """It is dated before what it takes back was entered, and takes back what stood last."""
    arrival = sorted(range(len(history)), key=lambda k: history[k][0] + delays[k])
    entered = {}
    for m in told_in_turn([history[k] for k in arrival])[1]:
        place = (int(m["row"]), int(m["dimension"]))
        before = entered.get(place, (0, 0))
        assert m["from"] == before[1]
        if m["cause"] == CORRECTION_CAUSE:
            assert m["at"] <= before[0]
        entered[place] = int(m["at"]), int(m["to"])


def test_no_value_is_a_trap():
    """Every value of every dimension that has values of its own can be left again."""
    chance, left = random.Random(7), set()
    for _ in range(150):
        history = [(chance.randrange(LAST_HOUR), 0, chance.choice(chance.choice(KINDS_OF_DEEDS))) for _ in range(40)]
        reader = Reader(history).run(until=END)
        left |= {named(reader.shard, m)[:2] for m in reader.told.get("u0", ())}
    for dimension in DIMENSIONS:
        if not dimension.bands:
            assert {value for name, value in left if name == dimension.name} == set(dimension.values), dimension.name


PROGRAM = """
import json, random
from tests.laws.history import *
chance, found = random.Random(3), []
for rules in (activity_only(7 * DAY, 14 * DAY, 30 * DAY), BOOK):
    for n in range(12):
        deeds = DEEDS if rules is BOOK else [CLICKS, ORDERS]
        history = [(chance.randrange(LAST_HOUR), chance.randrange(5), chance.choice(deeds)) for _ in range(60)]
        reader = Reader(history, rules).run([(0, 7), (1, 3), (0, 9)], sweep=True)
        rows = sorted((k.decode(), *(part.hex() for part in kept)) for k, kept in reader.rows().items())
        found.append([sorted(reader.all_moves.items()), rows, reader.shard.periods.sum(axis=(1, 2)).tolist()])
print(json.dumps(found))
"""


def test_the_fold_says_the_same_compiled_and_as_plain_python():
    """The same histories in a process without numba's compiler give the same moves and rows."""
    said = []
    for jit in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={**os.environ, "NUMBA_DISABLE_JIT": jit},
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        said.append(json.loads(done.stdout))
    assert said[0] == said[1]
