"""A transition is a CloudEvent, written by a template that must say what the declaration says."""

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams.core.activity import CLASSES
from streams.core.dimension import ACTIVITY, DIMENSIONS, FIRST_OWN, RFM
from streams.core.row import CAUSES, DAY, MOVE, NEVER
from streams.core.rules import activity_only
from streams.index import Index
from streams.settings import Settings
from streams.wire.message import Envelope, Transition, instant, read_transition
from streams.wire.transition import FIRST_SLOTS, PRESENT, Encoder, number

RULES = activity_only(7 * DAY, 14 * DAY, 30 * DAY)
BOOK = rulebook.build(Settings())
NAMES = DIMENSIONS[ACTIVITY].figures
figures = st.one_of(st.just(-1.0), st.integers(0, 4_000_000_000_000).map(float), st.floats(0, 1e9))
moves = st.tuples(
    st.integers(0, 4_000_000_000_000),
    st.lists(figures, min_size=4, max_size=4),
    st.just(0),
    st.integers(1, 1 << 31),
    st.just(0),
    st.integers(1, len(CLASSES) - 1),
    st.sampled_from([2, 3, 4]),
    st.integers(0, len(CAUSES) - 1),
    st.just(0),
    st.just(1),
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def encode(moves, user=b"u", book=RULES, historic=PRESENT):
    encoder, index = Encoder("awaken/x"), Index()
    encoder.know(book)
    index.intern([user])
    [(topic, pairs)] = encoder.encode(np.array(moves, MOVE), index, historic).items()
    assert topic == "lifecycle_transitions"
    return list(pairs.each())


@given(moves, names, st.booleans())
def test_the_template_writes_what_is_declared(move, user, historic):
    at, _, _, seq, _, before, to, cause, *_ = move
    [(key, event)] = encode([move], user.encode(), historic=np.array([historic]))
    read = read_transition(event)
    assert key == user.encode()
    assert read == Envelope(
        id=f"{user}-{seq}-{at}",
        source="awaken/x",
        type=f"awaken.activity.{CLASSES[to]}",
        subject=user,
        time=instant(at),
        data=Transition(
            dimension="activity",
            from_=CLASSES[before],
            to=CLASSES[to],
            cause=CAUSES[cause],
            seq=seq,
            at=at,
            rules="activity-7-14-30",
            historic=historic,
            evidence=read.data.evidence,
        ),
    )
    assert orjson.loads(event) == msgspec.to_builtins(read)


@given(moves, names, st.booleans())
def test_it_is_written_as_orjson_writes_it_with_its_figures_to_four_places(move, user, historic):
    at, found, _, seq, _, before, to, cause, *_ = move
    [(_, event)] = encode([move], user.encode(), historic=np.array([historic]))
    data = {
        "dimension": "activity", "from": CLASSES[before], "to": CLASSES[to], "cause": CAUSES[cause], "seq": seq,
        "at": at, "rules": RULES.version, "historic": historic,
        "evidence": {name: orjson.Fragment(number(x)) for name, x in zip(NAMES, found, strict=False) if x >= 0},
    }  # fmt: skip
    assert event == orjson.dumps({
        "specversion": "1.0", "id": f"{user}-{seq}-{at}", "source": "awaken/x",
        "type": f"awaken.activity.{CLASSES[to]}", "subject": user, "time": instant(at),
        "datacontenttype": "application/json", "data": data,
    })  # fmt: skip


def test_a_figure_that_is_no_number_or_has_no_end_is_left_out():
    [(_, event)] = encode([(DAY, (np.nan, np.inf, 1e300, -1), 0, 1, 0, 2, 3, 0, 0, 1)])
    assert read_transition(event).data.evidence == {"threshold_days": int(1e300)}


MANY = st.lists(st.tuples(st.integers(0, 2), st.integers(0, FIRST_OWN - 1), st.integers(0, 3)), max_size=60)


@given(MANY, st.data())
def test_each_goes_to_its_topic_in_the_order_of_the_moves_with_its_user_as_the_key(drawn, data):
    book, users = rulebook.build(Settings()), [b"u", 'ü"'.encode(), b"a longer one"]
    encoder, index, expected = Encoder("awaken"), Index(), {}
    encoder.know(book)
    index.intern(users)
    found = np.zeros(len(drawn), MOVE)
    for seq, (row, dimension, cause) in enumerate(drawn):
        to = data.draw(st.integers(0, len(book.values[dimension]) - 1))
        found[seq] = (DAY, (-1, -1, -1, -1), row, seq, dimension, 0, to, cause, 0, book.number)
        told = (users[row], seq, book.dimensions[dimension], book.values[dimension][to], CAUSES[cause])
        expected.setdefault(book.topics[dimension], []).append(told)
    for _ in range(2):  # the second time every kind is known
        written = {topic: list(pairs.each()) for topic, pairs in encoder.encode(found, index).items()}
        assert {topic: [told_by(*pair) for pair in pairs] for topic, pairs in written.items()} == expected


def told_by(key, event):
    data = read_transition(event).data
    return key, data.seq, data.dimension, data.to, data.cause


def test_however_many_kinds_there_are_each_is_told_apart():
    book, encoder, index = BOOK, Encoder("awaken"), Index()
    encoder.know(book)
    index.intern([b"u"])
    kinds = [
        (DAY, (-1, -1, -1, -1), 0, 1, dimension, before, to, cause, 0, book.number)
        for dimension, values in enumerate(book.values)
        for before in range(len(values))
        for to in range(len(values))
        for cause in range(len(CAUSES))
    ]
    assert len(kinds) > 2 * FIRST_SLOTS
    written = encoder.encode(np.array(kinds, MOVE), index)
    read = [read_transition(event).data for pairs in written.values() for _, event in pairs.each()]
    told = {(data.dimension, data.from_, data.to, data.cause) for data in read}
    assert told == {
        (book.dimensions[d], book.values[d][before], book.values[d][to], CAUSES[cause])
        for _, _, _, _, d, before, to, cause, *_ in kinds
    }


def test_rules_of_the_same_number_that_say_something_else_are_taken_up():
    encoder, index = Encoder("awaken"), Index()
    index.intern([b"u"])
    move, versions = np.array([(DAY, (-1, -1, -1, -1), 0, 1, 0, 1, 2, 0, 0, 1)], MOVE), []
    for book in (RULES, activity_only(DAY)):
        encoder.know(book)
        [pairs] = encoder.encode(move, index).values()
        versions += [read_transition(event).data.rules for _, event in pairs.each()]
    assert versions == [RULES.version, activity_only(DAY).version]


def test_the_evidence_are_the_figures_that_made_it_so():
    rows = [
        (20 * DAY, (6 * DAY, 14, 14, -1), 0, 2, 0, 2, 3, 1, 0, 1),
        (30 * DAY, (6 * DAY, 24.5, -1, -1), 0, 3, 0, 3, 5, 0, 0, 1),
        (5 * DAY, (-1, -1, -1, -1), 0, 1, 0, 0, 1, 0, 0, 1),
    ]
    assert [read_transition(event).data.evidence for _, event in encode(rows)] == [
        {"last_at": 6 * DAY, "absent_days": 14, "threshold_days": 14},
        {"last_at": 6 * DAY, "absent_days": 24.5},
        {},
    ]


def test_the_cuts_of_a_tier_are_evidence_too():
    encoder, index = Encoder("awaken"), Index()
    encoder.know(BOOK)
    index.intern([b"u"])
    move = np.array([(DAY, (3, 2, 5000, -1), 0, 1, RFM, 0, 1, 0, 0, 1)], MOVE)
    [(topic, pairs)] = encoder.encode(move, index).items()
    [(_, event)] = pairs.each()
    assert topic == "value_transitions"
    assert read_transition(event).data.evidence == {
        "recency_days": 3, "frequency": 2, "monetary": 5000,
        "recent_days": 30, "frequent": 3, "valuable": 30_000,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "name"), [(RULES, "activity-7-14-30"), (activity_only(NEVER, DAY // 2), "activity-none-0.5-none")]
)
def test_a_rule_version_names_its_thresholds(rules, name):
    assert rules.version == name
