"""A transition is a CloudEvent, written by a template that must say what the declaration says."""

import msgspec
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.activity import CLASSES, Rules
from streams.core.row import CAUSES, DAY, MOVE, NEVER
from streams.wire.message import Envelope, Transition, instant, read_transition
from streams.wire.transition import encode_moves, version

RULES = Rules(7 * DAY, 14 * DAY, 30 * DAY)
moves = st.tuples(
    st.integers(0, 4_000_000_000_000),
    st.integers(-1, 4_000_000_000_000),
    st.just(0),
    st.integers(1, 1 << 31),
    st.integers(1, len(CLASSES) - 1),
    st.sampled_from([2, 3, 4]),
    st.integers(0, len(CAUSES) - 1),
)
names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(moves, names, st.booleans())
def test_the_template_writes_what_is_declared(move, user, historic):
    at, _, _, seq, before, to, cause = move
    [(key, event)] = encode_moves(np.array([move], MOVE), [user.encode()], RULES, "awaken/x", at + 1 if historic else 0)
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
    rows = np.array(
        [
            (20 * DAY, 6 * DAY, 0, 2, 2, 3, 1),
            (30 * DAY, 6 * DAY, 0, 3, 3, 5, 0),
            (5 * DAY, -1, 0, 1, 0, 1, 0),
        ],
        MOVE,
    )
    evidence = [read_transition(e).data.evidence for _, e in encode_moves(rows, [b"u"], RULES, "awaken", 0)]
    assert evidence == [
        {"last_at": 6 * DAY, "threshold_days": 14},
        {"last_at": 6 * DAY, "absent_days": 24},
        {},
    ]


@pytest.mark.parametrize(
    ("rules", "name"), [(RULES, "activity-7-14-30"), (Rules(NEVER, DAY // 2, NEVER), "activity-none-0.5-none")]
)
def test_a_rule_version_names_its_thresholds(rules, name):
    assert version(rules) == name
