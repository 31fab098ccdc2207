"""A transition is a CloudEvent, written by a template that must say what the declaration says."""

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import rulebook
from streams.core.activity import CLASSES
from streams.core.dimension import RFM
from streams.core.row import CAUSES, DAY, MOVE, NEVER
from streams.core.rules import activity_only
from streams.index import Index
from streams.settings import Settings
from streams.wire.message import Envelope, Transition, instant, read_transition
from streams.wire.transition import PRESENT, Encoder

RULES = activity_only(7 * DAY, 14 * DAY, 30 * DAY)
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
    [(topic, written)] = encoder.encode(np.array(moves, MOVE), index, historic).items()
    assert topic == "lifecycle_transitions"
    return written


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
    book = rulebook.build(Settings())
    encoder, index = Encoder("awaken"), Index()
    encoder.know(book)
    index.intern([b"u"])
    move = np.array([(DAY, (3, 2, 5000, -1), 0, 1, RFM, 0, 1, 0, 0, 1)], MOVE)
    [(topic, [(_, event)])] = encoder.encode(move, index).items()
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
