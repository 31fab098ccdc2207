"""Where and about what a user may be written to: his profile and he himself say so, in whatever order that comes."""

import orjson
import pytest

from streams.consent import Known, allowed, read, renewed, spoken, usable
from streams.wire.event import Feedback, Merged, Profile

AT = 1_700_000_000_000
PROFILE = {"user": "u1", "at": AT, "contacts": {"email": "e", "sms": "s"}, "consent": {"email": True, "sms": True}}


def said(kind, at=AT + 1, channel=None, about=None):
    return Feedback("u1", at, "d", kind, channel, about)


def known(*words, **changes):
    """His profile, and then these words of his."""
    kept = orjson.dumps(PROFILE | changes)
    for word in words:
        kept = spoken(kept, word)
    return read(kept)


def test_who_has_said_nothing_is_asked_by_his_profile():
    assert allowed(known(consent={"email": True, "sms": False})) == {"email": True, "sms": False}
    assert allowed(Profile("u1", AT, consent={"email": True})) == {"email": True}


@pytest.mark.parametrize("kind", ["unsubscribed", "complained"])
def test_an_objection_withdraws_its_channel_or_all(kind):
    assert allowed(known(said(kind, channel="email"))) == {"email": False, "sms": True}
    assert allowed(known(said(kind))) == {"email": False, "sms": False}


def test_the_latest_word_counts_and_at_equal_times_the_one_that_says_no():
    no, yes = said("unsubscribed", AT + 2, "email"), said("subscribed", AT + 3, "email")
    assert allowed(known(no, yes))["email"] is allowed(known(yes, no))["email"] is True
    for same in ("complained", "unsubscribed"):
        both = said("subscribed", AT + 2, "email"), said(same, AT + 2, "email")
        assert allowed(known(*both))["email"] is allowed(known(*reversed(both)))["email"] is False
    assert allowed(known(said("unsubscribed", AT, "email")))["email"] is False
    assert allowed(known(said("unsubscribed", AT - 1, "email")))["email"] is True
    assert allowed(known(said("subscribed", AT, "email"), consent={"email": False})) == {"email": False}
    assert allowed(known(said("subscribed", AT + 1, "email"), consent={"email": False})) == {"email": True}


def test_what_he_says_of_all_channels_and_of_one_is_weighed_by_time():
    assert allowed(known(said("unsubscribed", AT + 1), said("subscribed", AT + 2, "sms"))) == {
        "email": False,
        "sms": True,
    }
    assert allowed(known(said("unsubscribed", AT + 1, "sms"), said("subscribed", AT + 2))) == {
        "email": True,
        "sms": True,
    }


def test_a_kind_of_message_is_refused_on_one_channel_or_on_all():
    profile = known(said("unsubscribed", channel="email", about="offer"), said("unsubscribed", about="content"))
    assert allowed(profile) == {"email": True, "sms": True}
    assert allowed(profile, "offer") == {"email": False, "sms": True}
    assert allowed(profile, "content") == {"email": False, "sms": False}
    assert allowed(profile, "service") == {"email": True, "sms": True}


def test_a_kind_is_taken_back_by_himself_and_not_by_a_profile_that_speaks_of_channels():
    no = said("unsubscribed", AT + 1, about="offer")
    assert allowed(known(no, at=AT + 9), "offer") == {"email": False, "sms": False}
    assert allowed(known(no, said("subscribed", AT + 2)), "offer") == {"email": False, "sms": False}
    assert allowed(known(no, said("subscribed", AT + 2, about="offer")), "offer") == {"email": True, "sms": True}
    one = said("subscribed", AT + 2, "email", "offer")
    assert allowed(known(no, one), "offer") == {"email": True, "sms": False}


def test_to_want_a_kind_does_not_open_a_channel():
    profile = known(said("unsubscribed", AT + 1, "email"), said("subscribed", AT + 2, "email", "offer"))
    assert allowed(profile, "offer")["email"] is False


def test_a_complaint_withdraws_the_channel_whatever_it_is_about():
    assert allowed(known(said("complained", channel="email", about="offer"))) == {"email": False, "sms": True}


def test_of_merged_accounts_the_most_restrictive_consent_wins_until_he_says_otherwise():
    merged = [{"user": "u2", "consent": {"email": True}}]
    assert allowed(known(merged=merged)) == {"email": True, "sms": False}
    assert allowed(Profile("u1", AT, consent={"email": True}, merged=(Merged("u2"),))) == {"email": False}
    assert allowed(known(said("subscribed", channel="sms"), merged=merged)) == {"email": True, "sms": True}


def test_an_address_is_of_no_use_once_something_has_bounced_until_a_newer_profile():
    bounced = said("bounced", AT + 5, "email")
    assert not usable(known(bounced), "email")
    assert not usable(known(bounced, said("bounced", AT - 5, "email")), "email")
    assert not usable(known(bounced, at=AT + 5), "email")
    assert usable(known(bounced, at=AT + 6), "email")
    assert usable(known(bounced), "sms")
    assert allowed(known(bounced))["email"] is True
    assert all(usable(known(said("bounced")), name) for name in ("email", "sms"))
    assert usable(Profile("u1", AT), "email")


def test_of_whom_there_is_no_profile_what_he_said_is_kept_for_the_one_that_comes():
    kept = spoken(None, said("unsubscribed", AT + 1, "email"))
    assert (read(kept).user, read(kept).at, allowed(read(kept))) == ("u1", 0, {"email": False})
    assert allowed(read(renewed(kept, orjson.dumps(PROFILE)))) == {"email": False, "sms": True}


def test_times_may_be_text_with_a_zone():
    profile = known(said("unsubscribed", AT + 1, "email"), at="2023-11-14T22:13:20.002Z")
    assert allowed(profile)["email"] is True
    assert usable(known(said("bounced", AT + 1, "email"), at="2023-11-14T22:13:20.002Z"), "email")


def test_a_producer_cannot_put_words_into_a_users_mouth():
    forged = {"said": {"email": [AT + 9, True]}, "bounced": {"sms": AT + 9}}
    profile = known(consent={"email": False}, **forged)
    assert (isinstance(profile, Known), allowed(profile)) == (False, {"email": False})
    kept = renewed(spoken(None, said("unsubscribed")), orjson.dumps(PROFILE | forged))
    assert (read(kept).said.keys(), read(kept).bounced) == ({"*"}, {})


def test_a_record_is_kept_as_it_came():
    record = b'  {"user": "u1",  "at": 1700000000000, "unknown": {"field": 1}}'
    assert renewed(None, record) == renewed(orjson.dumps(PROFILE), record) == record
    kept = renewed(spoken(None, said("unsubscribed")), record)
    assert record.strip() in kept
