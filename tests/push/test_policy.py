from __future__ import annotations

import asyncio
import itertools
from datetime import date

import pytest
from msgspec.structs import replace

from streams.channels import webhook
from streams.channels.known import Channels
from streams.consent import Known, Said
from streams.push.charter import Charter
from streams.push.gate import Admission
from streams.push.hearing import Hearing
from streams.push.memory import MemoryGate
from streams.push.policy import (
    CHAIN,
    NO_LONGER,
    UNAPPROVED,
    Case,
    Standing,
    addresses,
    share_of,
    stop,
)
from streams.push.trigger import Candidate
from streams.settings import Offer, Playbook, Push, Settings, Step
from streams.wire.event import Profile
from streams.wire.message import Grant, Verdict

AT = 1_700_000_000_000
HOUR, DAY = 3_600_000, 86_400_000
HOOK = "http://receiver.example/push"
ADDRESSES = {"inbox": "u1", "webhook": "w1"}
CANDIDATE = Candidate("reactivation:t1", "u1", AT, "reactivation", "t1", historic=False)
PROFILE = Profile("u1", AT, contacts=ADDRESSES, consent={"inbox": True, "webhook": True})
HOOKED = Channels(webhook=webhook.Options(url=HOOK))
GOOD = Case(CANDIDATE, PROFILE, Charter(Settings(playbooks={"reactivation": Playbook()}, channels=HOOKED)), AT)


PUSH = GOOD.charter.push


def heard(case, verdict="", refused="", *, allowed=True):
    """Let a case go through the chain; what is not said is answered as a gate answers that has seen nothing."""
    hearing = Hearing(case)
    while (needs := hearing.go()) is not None:
        match needs:
            case "gate":
                (answer,) = asyncio.run(MemoryGate().admit([hearing.ask()]))
                hearing.gate = Admission(verdict) if verdict else answer
            case "purse":
                hearing.purse = refused
            case "breaker":
                hearing.breaker = allowed
    return hearing.decision


def decide(case):
    return heard(case)


def pushed(case, **fields):
    """The case under other settings of pushes."""
    settings = case.charter.settings
    return replace(case, charter=Charter(replace(settings, push=replace(settings.push, **fields))))


def playing(case, **fields):
    """The case of a playbook that is other than the shipped one."""
    settings = case.charter.settings
    playbook = replace(settings.playbooks["reactivation"], **fields)
    return replace(case, charter=Charter(replace(settings, playbooks={"reactivation": playbook})))


def stands(case, **fields):
    return replace(case, standing=replace(case.standing, **fields))


def offering(case):
    """The case where there is an offer that has ended, and one of which everybody may have one."""
    over = Offer(kind="exclusive", value=1, valid_until=date(2020, 1, 1))
    settings = replace(case.charter.settings, offers={"gone": over, "once": Offer(kind="exclusive", value=1)})
    grant = Grant("gone", "exclusive", "C", 1, "1 off")
    return replace(case, charter=Charter(settings), candidate=replace(case.candidate, offer=grant))


# What makes each rule refuse, whatever the others say; in the chain's order.
FLAWS = {
    "historic": lambda case: replace(case, candidate=replace(case.candidate, historic=True)),
    "new_rules": lambda case: replace(case, candidate=replace(case.candidate, cause="threshold")),
    "no_longer": lambda case: stands(case, there=False),
    "no_consent": lambda case: replace(case, profile=replace(case.profile, consent={"inbox": False})),
    "not_contactable": lambda case: replace(case, profile=replace(case.profile, contacts={"inbox": ""})),
    "open_complaint": lambda case: stands(case, complaints=1),
    "exhausted": lambda case: stands(case, fatigue="exhausted"),
    "tired": lambda case: stands(pushed(case, along=()), fatigue="tired"),
    "coupon_dependent": lambda case: stands(playing(case, kind="offer"), coupon="dependent"),
    "restraint": lambda case: stands(playing(case, kind="offer"), phase="stable", activity="active"),
    "offer_gone": lambda case: playing(offering(case), kind="offer", offer="gone"),
}
ANSWERS = (
    "already_sent",
    "already_served",
    "exclusive",
    "offer_used",
    "capped",
    "min_gap",
    "usage_capped",
    "channel_capped",
)
REASONS = (*FLAWS, *ANSWERS, "budget", "holdout")


def refused(reason, case=GOOD):
    if reason in FLAWS:
        return heard(FLAWS[reason](case))
    if reason == "budget":
        return heard(case, refused="spring: 5000 a month")
    if reason == "holdout":
        return heard(pushed(case, holdout=1.0))
    return heard(case, verdict=reason)


def test_what_nothing_stops_is_sent_on_every_channel_with_the_whole_trace():
    decision = decide(GOOD)
    assert (decision.id, decision.user, decision.at) == ("reactivation:t1", "u1", AT)
    assert (decision.playbook, decision.transition) == ("reactivation", "t1")
    assert (decision.action, decision.reason) == ("send", "sent")
    assert decision.channels == ("inbox", "webhook")
    assert [verdict.rule for verdict in decision.trace] == [rule.name for rule in CHAIN]
    assert all(verdict.passed for verdict in decision.trace)


@pytest.mark.parametrize("reason", REASONS)
def test_each_rule_refuses_with_its_reason_and_ends_the_trace(reason):
    decision = refused(reason)
    would_go = ("inbox", "webhook") if reason == "holdout" else ()  # what is withheld is told as if it were sent
    assert (decision.action, decision.reason, decision.channels) == ("suppress", reason, would_go)
    assert [verdict.passed for verdict in decision.trace] == [True] * (len(decision.trace) - 1) + [False]
    assert CHAIN[len(decision.trace) - 1].reason == reason


def test_the_declared_order_is_the_order():
    assert [rule.reason for rule in CHAIN] == [*REASONS, "breaker"]


@pytest.mark.parametrize(("first", "second"), list(itertools.pairwise(list(FLAWS)[:7])))
def test_of_two_flaws_the_earlier_rule_decides(first, second):
    assert decide(FLAWS[first](FLAWS[second](GOOD))).reason == first
    assert decide(FLAWS[second](FLAWS[first](GOOD))).reason == first


def test_nobody_is_asked_about_those_whom_other_rules_stop():
    for flaw in FLAWS.values():
        hearing = Hearing(flaw(GOOD))
        assert hearing.go() is None
        assert hearing.decision is not None
    assert Hearing(GOOD).go() == "gate"


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
    assert Charter(Settings()).channels == ("inbox",)
    both = Push(channels=("webhook", "inbox", "webhook"))
    assert Charter(Settings(push=both, channels=HOOKED)).channels == ("webhook", "inbox")
    hookless = replace(GOOD, charter=Charter(Settings()), profile=replace(PROFILE, consent={"webhook": True}))
    assert decide(hookless).reason == "no_consent"


def test_the_channels_stand_in_the_order_of_the_settings():
    assert decide(pushed(GOOD, channels=("webhook", "inbox"))).channels == ("webhook", "inbox")


def test_no_trace_holds_an_address():
    secretive = replace(PROFILE, contacts={"inbox": "SECRET", "webhook": "SECRET"})
    assert "SECRET" not in repr(decide(replace(GOOD, profile=secretive)))
    for reason in REASONS:
        assert "SECRET" not in repr(refused(reason, replace(GOOD, profile=secretive)))


def test_addresses_are_those_that_may_be_used_now():
    both = ("inbox", "webhook")
    assert addresses(None, both, "content") == {}
    assert addresses(PROFILE, both, "content") == ADDRESSES
    assert addresses(PROFILE, ("inbox",), "content") == {"inbox": "u1"}
    assert addresses(replace(PROFILE, consent={"webhook": True}), both, "content") == {"webhook": "w1"}


NIGHT = pushed(GOOD, quiet_from="22:00", quiet_to="08:00", spread_minutes=0)
LATE, MORNING = AT, 1_700_035_200_000  # 2023-11-14 22:13 UTC, 2023-11-15 08:00


def test_in_his_quiet_hours_a_push_is_held_until_they_end():
    decision = decide(NIGHT)
    assert (decision.action, decision.reason, decision.until) == ("hold", "quiet_hours", MORNING)
    assert decision.channels == ("inbox", "webhook")
    assert decision.trace[-1] == Verdict("quiet_hours", passed=True, detail="until 2023-11-15T08:00:00.000Z")
    assert decide(replace(NIGHT, now=MORNING)).action == "send"


def test_the_hours_are_those_of_his_profile_and_without_one_those_of_the_settings():
    shanghai = replace(PROFILE, time_zone="Asia/Shanghai")  # it is 06:13 there
    assert decide(replace(NIGHT, profile=shanghai)).until == 1_700_006_400_000
    nowhere = replace(PROFILE, time_zone="Mars/Olympus")
    for_all = pushed(NIGHT, time_zone="America/New_York")  # 17:13
    assert decide(replace(for_all, profile=nowhere)).action == "send"


def test_what_would_be_refused_is_not_held():
    assert refused("capped", NIGHT).reason == "capped"


def test_pushes_that_wait_leave_spread_over_the_time_set_for_it_each_always_at_its_own():
    spread = pushed(NIGHT, spread_minutes=30)
    untils = [decide(replace(spread, candidate=replace(CANDIDATE, id=f"r:{n}"))).until - MORNING for n in range(300)]
    assert all(0 <= wait < 30 * 60_000 for wait in untils)
    tenths = [sum(wait * 10 // (30 * 60_000) == tenth for wait in untils) for tenth in range(10)]
    assert min(tenths) > 10
    assert untils[7] == decide(replace(spread, candidate=replace(CANDIDATE, id="r:7"))).until - MORNING


def test_the_holdout_is_the_share_that_is_set_and_grows_by_others_without_losing_any():
    users = [f"u{n}" for n in range(4000)]
    held = {
        share: {
            user
            for user in users
            if decide(pushed(replace(GOOD, candidate=replace(CANDIDATE, user=user)), holdout=share)).reason == "holdout"
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
    decision, push = decide(GOOD), PUSH
    assert stop(decision, Standing(), push, AT) == ""
    assert stop(decision, Standing(there=False), push, AT) == NO_LONGER
    assert "complained" in stop(decision, Standing(complaints=1), push, AT)
    last = AT + round(push.expires_hours * 3_600_000)
    assert stop(decision, Standing(), push, last) == ""
    assert "within 72 hours" in stop(decision, Standing(), push, last + 1)


def test_what_the_breaker_stopped_goes_out_only_if_somebody_approves_it():
    decision = heard(GOOD, allowed=False)
    until = AT + round(PUSH.approval_hours * HOUR)
    assert (decision.action, decision.reason, decision.until) == ("hold", "breaker", until)
    assert decision.channels == ("inbox", "webhook")
    assert stop(decision, Standing(), PUSH, until) == UNAPPROVED
    assert stop(decision, Standing(), PUSH, until, approved=True) == ""


def test_who_is_withheld_from_is_not_a_matter_for_the_breaker():
    assert heard(pushed(GOOD, holdout=1.0), allowed=False).reason == "holdout"


def test_a_playbook_may_withhold_from_others_than_all_pushes_do():
    users = [replace(CANDIDATE, user=f"u{n}") for n in range(2000)]
    of_all, of_one = (
        {c.user for c in users if decide(replace(case, candidate=c)).arm == "holdout"}
        for case in (pushed(GOOD, holdout=0.2), playing(GOOD, holdout=0.2))
    )
    assert abs(len(of_one) / len(users) - 0.2) < 0.03
    assert abs(len(of_one & of_all) / len(users) - 0.04) < 0.02


def test_what_nobody_gets_for_other_reasons_belongs_to_its_arm_too():
    """Else the arms would differ by more than the push."""
    assert heard(pushed(GOOD, holdout=1.0), verdict="capped").arm == "holdout"
    assert refused("capped").arm == "treated"


COUPON = Step(after_days=7, title="For you", body="10 off", kind="offer", channels=("webhook",))


def test_a_later_step_goes_by_its_own_kind_and_channels():
    case = playing(GOOD, steps=(COUPON,))
    later = replace(case, candidate=replace(CANDIDATE, step=2, since=AT - 7 * DAY))
    decision = decide(later)
    assert (decision.kind, decision.step, decision.since) == ("offer", 2, AT - 7 * DAY)
    assert decision.channels == ("webhook",)
    assert decide(stands(later, coupon="dependent")).reason == "coupon_dependent"
    assert decide(stands(case, coupon="dependent")).reason == "sent"


def test_a_tired_user_gets_what_disturbs_nobody():
    case = stands(pushed(GOOD, along=("inbox",)), fatigue="tired")
    assert decide(case).channels == ("inbox",)
    assert decide(stands(case, fatigue="fresh")).channels == ("inbox", "webhook")


def test_in_a_stable_phase_who_is_gone_gets_his_coupon():
    case = stands(playing(GOOD, kind="offer"), phase="stable")
    assert [decide(stands(case, activity=a)).reason for a in ("active", "dormant", "churned")] == [
        "restraint", "sent", "sent",
    ]  # fmt: skip


HOURS = tuple(9 if hour in (19, 20, 21) else 0 for hour in range(24))  # AT is 22:13 UTC


def test_what_waits_for_his_best_hour_is_held_until_then_and_goes_at_once_within_it():
    case = stands(playing(pushed(GOOD, spread_minutes=0), timing="best_hour"), hours=HOURS, everybody=(1,) * 24)
    evening = AT - AT % DAY + DAY + 18 * HOUR
    decision = decide(replace(case, now=evening - 9 * HOUR))
    assert (decision.action, decision.reason, decision.until) == ("hold", "best_hour", evening)
    assert decide(replace(case, now=evening)).action == "send"
    assert decide(stands(case, hours=())).action == "send"


def test_his_best_hour_gives_way_to_his_quiet_hours():
    case = stands(playing(NIGHT, timing="best_hour"), hours=(9, *HOURS[:-1]), everybody=(1,) * 24)
    decision = decide(replace(case, now=MORNING + HOUR))
    assert (decision.reason, decision.until) == ("best_hour", MORNING + 11 * HOUR)
    assert decide(stands(replace(case, now=MORNING + HOUR), hours=(9, 9, 9, *(0,) * 21))).reason == "quiet_hours"


def test_limits_and_tags_say_what_the_gate_must_count():
    case = playing(
        pushed(GOOD, caps={"1": 1}, min_gap_hours=2, cap_per_visit=0.5),
        again_days=30,
        exclusive="back",
        exclusive_days=14,
    )
    hearing = Hearing(stands(case, active_days=5))
    assert hearing.go() == "gate"
    ask = hearing.ask()
    assert [(limit.name, limit.window_ms, limit.most) for limit in ask.limits] == [
        ("already_served", 30 * DAY, 1),
        ("exclusive", 14 * DAY, 1),
        ("capped", 7 * DAY, 3),
        ("capped", DAY, 1),
        ("min_gap", 2 * HOUR, 1),
        ("usage_capped", 28 * DAY, 2),
    ]
    assert set(ask.tags) == {"*", "playbook:reactivation", "group:back"}
    assert ask.episode.startswith("episode:")
    hearing = Hearing(playing(offering(GOOD), kind="offer", offer="once"))
    hearing.go()
    assert next((limit.name, limit.tag, limit.most) for limit in hearing.ask().limits) == (
        "offer_used",
        "offer:once",
        1,
    )


def test_an_offer_of_which_nothing_is_left_is_none():
    case = playing(offering(GOOD), kind="offer", offer="once")
    decision = decide(replace(case, candidate=replace(case.candidate, offer=None)))
    assert (decision.reason, decision.trace[-1].detail) == ("offer_gone", "once: nothing is left")


def test_tags_hold_no_blanks():
    hearing = Hearing(GOOD)
    hearing.go()
    ask = hearing.ask()
    assert not any(" " in tag for tag in (*ask.tags, ask.episode))


def test_an_address_to_which_messages_bounced_or_where_he_wants_none_of_the_kind_is_not_used():
    known = Known("u1", AT, contacts=ADDRESSES, consent={"inbox": True, "webhook": True})
    assert addresses(known, ADDRESSES, "content") == ADDRESSES
    assert addresses(replace(known, bounced={"webhook": AT}), ADDRESSES, "content") == {"inbox": "u1"}
    some = replace(known, said={"inbox/offer": Said(AT + 1, yes=False)})
    assert addresses(some, ADDRESSES, "content") == ADDRESSES
    assert addresses(some, ADDRESSES, "offer") == {"webhook": "w1"}
    assert decide(playing(replace(GOOD, profile=some), kind="offer")).channels == ("webhook",)


def test_who_has_unsubscribed_since_his_profile_gives_no_consent():
    known = Known("u1", AT, contacts=ADDRESSES, consent={"inbox": True}, said={"*": Said(AT + 1, yes=False)})
    assert decide(replace(GOOD, profile=known)).reason == "no_consent"
