"""Which transitions are candidates, for whom, and in which words."""

import pytest

from streams.push.trigger import Triggers, trigger_topics
from streams.settings import Playbook, Push, Settings, Topics
from streams.threshold import Own
from streams.wire.message import Envelope, Transition

AT = 1_700_000_000_000
SHIPPED = Triggers(Settings())


def envelope(dimension="activity", to="dormant", *, historic=False, user="u1", ident="u1-7-5"):
    data = Transition(dimension, "active", to, "time", 7, AT, "1", historic, {})
    return Envelope(ident, "awaken", f"awaken.{dimension}.{to}", user, "2023-11-14T22:13:20.000Z", data)


def only(**fields):
    return Triggers(Settings(playbooks={"mine": Playbook(**fields)}))


def candidates(triggers, transition, **words):
    return triggers.candidates(transition, lambda _: {name.replace("__", "."): text for name, text in words.items()})


def test_becoming_dormant_is_a_candidate():
    (candidate,) = candidates(SHIPPED, envelope(), interest="shoes")
    assert candidate.id == "reactivation:u1-7-5"
    assert (candidate.user, candidate.at, candidate.playbook) == ("u1", AT, "reactivation")
    assert (candidate.transition, candidate.historic) == ("u1-7-5", False)
    assert (candidate.title, candidate.body) == ("We miss you", "It has been a while. See what is new in shoes.")


def test_the_historic_mark_is_carried():
    assert candidates(SHIPPED, envelope(historic=True))[0].historic


@pytest.mark.parametrize(
    ("dimension", "to"), [("activity", "new"), ("activity", "active"), ("contribution", "dormant")]
)
def test_other_values_and_other_dimensions_are_no_trigger(dimension, to):
    assert candidates(SHIPPED, envelope(dimension, to)) == []


def test_several_playbooks_on_one_transition_are_as_many_candidates_and_one_that_is_off_is_none():
    triggers = Triggers(Settings(playbooks={"a": Playbook(), "b": Playbook(body="x"), "c": Playbook(enabled=False)}))
    assert [c.id for c in candidates(triggers, envelope())] == ["a:u1-7-5", "b:u1-7-5"]


def test_of_whom_not_all_holds_is_no_candidate():
    triggers = only(when={"rfm": ("keep", "rescue"), "attributes.region": "Beijing"})
    assert candidates(triggers, envelope(), rfm="keep", attributes__region="Beijing")
    assert not candidates(triggers, envelope(), rfm="champion", attributes__region="Beijing")
    assert not candidates(triggers, envelope(), rfm="keep", attributes__region="Harbin")
    assert not candidates(triggers, envelope(), rfm="keep")


def test_a_look_at_the_bytes_says_no_only_where_there_is_none():
    for name, playbook in Settings().playbooks.items():
        event = f'{{"type":"awaken.{playbook.on}","subject":"u1"}}'.encode()
        assert SHIPPED.may_trigger(event), name
    assert not SHIPPED.may_trigger(b'{"type":"awaken.activity.active"}')
    assert not SHIPPED.may_trigger(b'{"type":"awaken.activityxdormant"}')
    assert not Triggers(Settings(playbooks={})).may_trigger(b'{"type":"awaken.activity.dormant"}')


def test_only_topics_that_can_trigger_anything_are_read():
    topics = Topics(value_transitions="mine")
    own = {"spender": Own(of="spend", weeks=2, bands={"small": 1})}
    assert trigger_topics(Settings()) == ("growth-transitions", "lifecycle-transitions")
    assert trigger_topics(Settings(dimensions=("activity",))) == ("lifecycle-transitions",)
    one = {"mine": Playbook(on="spender.small")}
    assert trigger_topics(Settings(playbooks=one, own=own, topics=topics)) == ("mine",)
    assert trigger_topics(Settings(playbooks={"off": Playbook(enabled=False)}, push=Push())) == ()
