from __future__ import annotations

import itertools

import pytest
from msgspec.structs import replace

from streams.channels import webhook
from streams.channels.known import Channels
from streams.push.policy import CHAIN, NO_LONGER, Case, Standing, addresses, configured, decide, share_of, stop
from streams.push.trigger import Candidate
from streams.settings import Push, Settings
from streams.wire.event import Profile
from streams.wire.message import Verdict

AT = 1_700_000_000_000
ADDRESSES = {"inbox": "u1", "webhook": "w1"}
CANDIDATE = Candidate("reactivation:t1", "u1", AT, "reactivation", "t1", historic=False)
PROFILE = Profile("u1", AT, contacts=ADDRESSES, consent={"inbox": True, "webhook": True})
HOOKED = Channels(webhook=webhook.Options(url="http://receiver.example/push"))


def settings(**push):
    return Settings(push=Push(**push), channels=HOOKED)


GOOD = Case(CANDIDATE, PROFILE, settings(), AT, admission="admitted")

# What makes each rule refuse, whatever the others say; in the chain's order.
FLAWS = {
    "historic": lambda case: replace(case, candidate=replace(case.candidate, historic=True)),
    "new_rules": lambda case: replace(case, candidate=replace(case.candidate, cause="threshold")),
    "no_longer": lambda case: replace(case, standing=Standing(there=False)),
    "no_consent": lambda case: replace(case, profile=replace(case.profile, consent={"inbox": False})),
    "not_contactable": lambda case: replace(case, profile=replace(case.profile, contacts={"inbox": ""})),
    "open_complaint": lambda case: replace(case, standing=replace(case.standing, complaints=1)),
    "exhausted": lambda case: replace(case, standing=replace(case.standing, fatigue="exhausted")),
    "already_sent": lambda case: replace(case, admission="already_sent"),
    "capped": lambda case: replace(case, admission="capped"),
    "holdout": lambda case: replace(case, settings=settings(holdout=1.0)),
}


def test_what_nothing_stops_is_sent_on_every_channel_with_the_whole_trace():
    decision = decide(GOOD)
    assert (decision.id, decision.user, decision.at) == ("reactivation:t1", "u1", AT)
    assert (decision.playbook, decision.transition) == ("reactivation", "t1")
    assert (decision.action, decision.reason) == ("send", "sent")
    assert decision.channels == ("inbox", "webhook")
    assert [verdict.rule for verdict in decision.trace] == [
        "historic",
        "own_change",
        "still_so",
        "consent",
        "contactable",
        "open_complaint",
        "fatigue",
        "already_sent",
        "frequency_cap",
        "holdout",
    ]
    assert all(verdict.passed for verdict in decision.trace)


@pytest.mark.parametrize("reason", FLAWS)
def test_each_rule_refuses_with_its_reason_and_ends_the_trace(reason):
    decision = decide(FLAWS[reason](GOOD))
    would_go = decision.channels if reason == "holdout" else ()  # what is withheld is told as if it were sent
    assert (decision.action, decision.reason, decision.channels) == ("suppress", reason, would_go)
    assert [verdict.passed for verdict in decision.trace] == [True] * (len(decision.trace) - 1) + [False]
    assert CHAIN[len(decision.trace) - 1].reason == reason


def test_the_declared_order_is_the_order():
    assert [rule.reason for rule in CHAIN] == list(FLAWS)


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(list(FLAWS)[:6])))
def test_of_two_flaws_the_earlier_rule_decides(first, second):
    assert decide(FLAWS[first](FLAWS[second](GOOD))).reason == first
    assert decide(FLAWS[second](FLAWS[first](GOOD))).reason == first


def test_the_gate_is_needed_only_by_those_that_pass_the_pure_rules():
    unasked = replace(GOOD, admission=None)
    assert decide(unasked) is None
    for reason in list(FLAWS)[:3]:
        assert decide(FLAWS[reason](unasked)).reason == reason


def test_nothing_known_of_the_user_is_no_consent():
    decision = decide(replace(GOOD, profile=None))
    assert decision.reason == "no_consent"
    assert decision.trace[-1] == Verdict("consent", passed=False, detail="no profile")


def test_silence_is_not_consent():
    assert decide(replace(GOOD, profile=replace(PROFILE, consent={}))).reason == "no_consent"


def test_only_what_is_allowed_and_has_an_address_is_used():
    allowed_webhook = replace(PROFILE, consent={"webhook": True})
    assert decide(replace(GOOD, profile=allowed_webhook)).channels == ("webhook",)
    no_inbox = replace(PROFILE, contacts={"inbox": "  ", "webhook": "w1"})
    assert decide(replace(GOOD, profile=no_inbox)).channels == ("webhook",)


def test_consent_for_one_channel_and_an_address_on_another_is_not_contactable():
    crossed = replace(PROFILE, consent={"inbox": True}, contacts={"webhook": "w1"})
    decision = decide(replace(GOOD, profile=crossed))
    assert decision.reason == "not_contactable"
    assert decision.trace[-1].detail == "no address on inbox"


def test_too_old_is_historic_and_the_bound_itself_is_not():
    assert decide(replace(GOOD, oldest=AT + 1)).reason == "historic"
    assert decide(replace(GOOD, oldest=AT)).reason == "sent"


def test_the_webhook_counts_only_with_a_url():
    assert configured(Settings()) == ("inbox",)
    assert configured(settings(channels=("webhook", "inbox", "webhook"))) == ("webhook", "inbox")
    only_there = replace(PROFILE, consent={"webhook": True})
    assert decide(replace(GOOD, settings=Settings(), profile=only_there)).reason == "no_consent"


def test_the_channels_stand_in_the_order_of_the_settings():
    other = settings(channels=("webhook", "inbox"))
    assert decide(replace(GOOD, settings=other)).channels == ("webhook", "inbox")


def test_no_trace_holds_an_address():
    secretive = replace(PROFILE, contacts={"inbox": "SECRET", "webhook": "SECRET"})
    for flaw in [lambda case: case, *FLAWS.values()]:
        assert "SECRET" not in repr(decide(flaw(replace(GOOD, profile=secretive))))


def test_addresses_are_those_that_may_be_used_now():
    assert addresses(None, GOOD.settings) == {}
    assert addresses(PROFILE, GOOD.settings) == ADDRESSES
    assert addresses(PROFILE, Settings()) == {"inbox": "u1"}
    assert addresses(replace(PROFILE, consent={"webhook": True}), GOOD.settings) == {"webhook": "w1"}


HOURS = {"quiet_from": "22:00", "quiet_to": "08:00"}
NIGHT = settings(**HOURS, spread_minutes=0)
LATE, MORNING = AT, 1_700_035_200_000  # 2023-11-14 22:13 UTC, 2023-11-15 08:00


def test_in_his_quiet_hours_a_push_is_held_until_they_end():
    decision = decide(replace(GOOD, settings=NIGHT))
    assert (decision.action, decision.reason, decision.until) == ("hold", "quiet_hours", MORNING)
    assert decision.channels == ("inbox", "webhook")
    assert decision.trace[-1] == Verdict("quiet_hours", passed=True, detail="until 2023-11-15T08:00:00.000Z")
    assert decide(replace(GOOD, settings=NIGHT, now=MORNING)).action == "send"


def test_the_hours_are_those_of_his_profile_and_without_one_those_of_the_settings():
    shanghai = replace(PROFILE, time_zone="Asia/Shanghai")  # it is 06:13 there
    assert decide(replace(GOOD, settings=NIGHT, profile=shanghai)).until == 1_700_006_400_000
    nowhere = replace(PROFILE, time_zone="Mars/Olympus")
    for_all = settings(**HOURS, spread_minutes=0, time_zone="America/New_York")  # 17:13
    assert decide(replace(GOOD, settings=for_all, profile=nowhere)).action == "send"


def test_what_would_be_refused_is_not_held():
    assert decide(FLAWS["capped"](replace(GOOD, settings=NIGHT))).reason == "capped"


def test_pushes_that_wait_leave_spread_over_the_time_set_for_it_each_always_at_its_own():
    spread = settings(**HOURS, spread_minutes=30)
    untils = [
        decide(replace(GOOD, settings=spread, candidate=replace(CANDIDATE, id=f"r:{n}"))).until - MORNING
        for n in range(300)
    ]
    assert all(0 <= wait < 30 * 60_000 for wait in untils)
    tenths = [sum(wait * 10 // (30 * 60_000) == tenth for wait in untils) for tenth in range(10)]
    assert min(tenths) > 10
    assert untils[7] == decide(replace(GOOD, settings=spread, candidate=replace(CANDIDATE, id="r:7"))).until - MORNING


def test_the_holdout_is_the_share_that_is_set_and_grows_by_others_without_losing_any():
    users = [f"u{n}" for n in range(4000)]
    held = {
        share: {
            user
            for user in users
            if decide(replace(GOOD, settings=settings(holdout=share), candidate=replace(CANDIDATE, user=user))).reason
            == "holdout"
        }
        for share in (0.0, 0.1, 0.3)
    }
    assert not held[0.0]
    assert held[0.1] < held[0.3]
    assert abs(len(held[0.1]) / len(users) - 0.1) < 0.02
    assert abs(len(held[0.3]) / len(users) - 0.3) < 0.03


def test_a_share_belongs_to_its_text():
    assert share_of("holdout u1") == share_of("holdout u1") != share_of("holdout u2")
    assert 0 <= share_of("") < 1


def test_what_may_have_changed_is_asked_before_it_goes_out():
    decision, push = decide(GOOD), GOOD.push
    assert stop(decision, Standing(), push, AT) == ""
    assert stop(decision, Standing(there=False), push, AT) == NO_LONGER
    assert "complained" in stop(decision, Standing(complaints=1), push, AT)
    last = AT + round(push.expires_hours * 3_600_000)
    assert stop(decision, Standing(), push, last) == ""
    assert "within 72 hours" in stop(decision, Standing(), push, last + 1)
