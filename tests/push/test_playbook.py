from __future__ import annotations

import pytest

from streams.push.playbook import candidates
from streams.wire.message import Envelope, Transition

AT = 1_700_000_000_000


def envelope(dimension="activity", to="dormant", *, historic=False, user="u1", ident="u1:activity:7"):
    data = Transition(dimension, "active", to, "time", 7, AT, "1", historic, {})
    return Envelope(ident, "awaken", f"awaken.{dimension}.{to}", user, "2023-11-14T22:13:20.000Z", data)


def test_becoming_dormant_is_a_candidate():
    (candidate,) = candidates(envelope())
    assert candidate.id == "reactivation:u1:activity:7"
    assert (candidate.user, candidate.at, candidate.playbook) == ("u1", AT, "reactivation")
    assert candidate.transition == "u1:activity:7"
    assert not candidate.historic


def test_the_historic_mark_is_carried():
    assert candidates(envelope(historic=True))[0].historic


@pytest.mark.parametrize("to", ["new", "active", "churned", "returning"])
def test_other_values_are_no_trigger(to):
    assert candidates(envelope(to=to)) == []


def test_another_dimension_with_a_dormant_value_is_no_trigger():
    assert candidates(envelope(dimension="contribution")) == []
