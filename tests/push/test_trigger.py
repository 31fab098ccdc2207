"""Which transitions are candidates, for whom, and in which words."""

import pytest

from streams.push.trigger import Triggers, trigger_topics
from streams.settings import Offer, Playbook, Push, Settings, Topics
from streams.threshold import Own
from streams.wire.message import Envelope, Transition

AT = 1_700_000_000_000
SHIPPED = Triggers(Settings())


def envelope(dimension="activity", to="dormant", *, historic=False, user="u1", ident="u1-7-5"):
    data = Transition(dimension, "active", to, "time", 7, AT, "1", historic, {})
    return Envelope(ident, "awaken", f"awaken.{dimension}.{to}", user, "2023-11-14T22:13:20.000Z", data)


def only(**fields):
    return Triggers(Settings(playbooks={"mine": Playbook(**fields)}))


class Words(dict):
    """What is known of a user: a word is a value, too."""

    time_zone = "Asia/Shanghai"

    def value(self, name):
        return self.get(name)


def candidates(triggers, transition, **words):
    return triggers.candidates(transition, lambda _: Words({n.replace("__", "."): text for n, text in words.items()}))


def test_becoming_dormant_is_a_candidate():
    (candidate,) = candidates(SHIPPED, envelope(), interest="shoes")
    assert candidate.id == "reactivation:u1-7-5"
    assert (candidate.user, candidate.at, candidate.playbook) == ("u1", AT, "reactivation")
    assert (candidate.transition, candidate.historic) == ("u1-7-5", False)
    assert (candidate.title, candidate.body) == ("We miss you", "It has been a while. See what is new in shoes.")


def test_the_historic_mark_is_carried():
    assert candidates(SHIPPED, envelope(historic=True))[0].historic


@pytest.mark.parametrize(
    ("dimension", "to"), [("activity", "none"), ("activity", "active"), ("contribution", "dormant")]
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
    every = ("growth-transitions", "lifecycle-transitions", "referrals", "value-transitions")
    assert trigger_topics(Settings()) == every
    assert trigger_topics(Settings(dimensions=("activity",))) == ("lifecycle-transitions",)
    one = {"mine": Playbook(on="spender.small")}
    assert trigger_topics(Settings(playbooks=one, own=own, topics=topics)) == ("mine",)
    assert trigger_topics(Settings(playbooks={"off": Playbook(enabled=False)}, push=Push())) == ()


def test_the_item_that_he_is_likely_to_want_stands_in_the_catalogue(tmp_path):
    file = tmp_path / "catalogue.json"
    file.write_text('{"shoes": {"item": "Red shoes", "picture": "https://a/b.png", "url": "https://a/red"}}')
    playbook = Playbook(body="{item|Something} for you", picture="{picture|}", link="{url|https://a/}")
    triggers = Triggers(Settings(playbooks={"mine": playbook}, push=Push(catalogue=str(file))))
    [known] = candidates(triggers, envelope(), interest="shoes")
    assert (known.body, known.picture) == ("Red shoes for you", "https://a/b.png")
    assert known.link == "https://a/red?awaken=mine:u1-7-5"
    [other] = candidates(triggers, envelope(), interest="hats")
    assert (other.body, other.picture, other.link) == ("Something for you", "", "https://a/?awaken=mine:u1-7-5")


def test_a_link_keeps_its_own_query_and_what_he_likes_is_percent_encoded():
    triggers = only(link="https://a/search?q={interest|}#top")
    [candidate] = candidates(triggers, envelope(), interest="a & b")
    assert candidate.link == "https://a/search?q=a%20%26%20b&awaken=mine:u1-7-5#top"


def test_an_offer_is_granted_and_spoken_of():
    offers = {"back": Offer(kind="spend_and_save", value=20, min_spend=100, valid_days=7)}
    playbook = Playbook(kind="offer", offer="back", body="{offer.value} off with {offer.code} until {offer.until|soon}")
    triggers = Triggers(Settings(playbooks={"mine": playbook}, offers=offers, push=Push(secret="x" * 16)))
    [candidate] = candidates(triggers, envelope())
    grant = candidate.offer
    assert (grant.offer, grant.kind, grant.value) == ("back", "spend_and_save", 20)
    # The seventh day from the 15th ends at midnight in Shanghai, which is 16:00 UTC.
    assert grant.until == 1_700_668_800_000
    assert candidate.body.startswith(f"20 off with {grant.code} until 22 ")
    assert candidates(triggers, envelope())[0] == candidate


def test_what_is_to_be_said_later_is_held_until_then_and_asked_for_anew():
    triggers = only(after_days=5, when={"rfm": "keep"}, body="{interest|Something} for you")
    assert candidates(triggers, envelope(), rfm="keep") == []
    [step] = triggers.later(envelope())
    assert (step.id, step.step, step.since, step.until) == ("mine:u1-7-5", 1, AT, AT + 5 * 86_400_000)
    [candidate] = triggers.candidates_of(step, lambda _: Words(rfm="keep", interest="shoes"))
    assert (candidate.id, candidate.at, candidate.since, candidate.body) == (step.id, step.until, AT, "shoes for you")
    assert triggers.candidates_of(step, lambda _: Words(rfm="champion")) == []
    assert triggers.later(envelope(historic=True)) == []
