"""`awaken preview`: what it asks of whom, and how what it is told reads."""

import io
import json

import msgspec
import pytest
from rich.console import Console

from streams.ops import NotReady
from streams.ops.child import free_port
from streams.ops.preview import ask, brought, render
from streams.settings import Budget, Offer, Playbook, Push, Settings, Step, judged
from streams.wire.message import Decision, Grant, Text, Verdict
from tests.ops.site import site

NOW = 1_700_438_400_000  # 2023-11-20 00:00 UTC
DAY = 86_400_000
SETTINGS = Settings(
    push=Push(secret="nobody knows this one"),
    offers={"gift": Offer(value=20, min_spend=100), "draw": Offer(kind="membership", price={30: 15, 365: 120})},
    budgets={"spring": Budget(amount=100), "autumn": Budget(amount=1)},
    playbooks={
        "lost": Playbook(
            budget="spring",
            steps=(Step(3, "Later", "x", kind="offer", offer="gift"), Step(4, "x", "y", kind="offer", offer="draw")),
        ),
        "other": Playbook(),
    },
)
HELD = {"user": "u", "partition": 2, "held": True, "error": "nothing is known of this user"}
ELSEWHERE = {"user": "u", "partition": 2, "held": False, "error": "partition 2 is not held here"}
SHOWN = {"inbox": {"title": "Hello", "body": "Come in [now]"}, "sms": {"text": "Come…"}}
SENT = Decision(
    "lost:preview", "u", NOW, "lost", "u-9-1", "send", "sent", ("inbox",), (Verdict("consent", True, "inbox, sms"),),
    title="Hello", body="Come in [now]", fallbacks=("sms", "email"), cost=0.05,
)  # fmt: skip


def found(*decisions, there=True, value="dormant", when=(), shown=SHOWN):
    """What a worker tells; a message every three days."""
    steps = [
        {"step": n + 1, "after_days": 3 * n, "at": NOW + 3 * n * DAY, "decision": d, "shown": shown, "not_ready": []}
        for n, d in enumerate(msgspec.to_builtins(decisions))
    ]
    trigger = {"on": "activity.dormant", "value": value, "there": there}
    place = {"user": "u", "partition": 2, "now": NOW, "playbook": "lost"}
    return place | {"trigger": trigger, "when": list(when), "steps": steps}


def printed(told, **options):
    out = io.StringIO()
    render(told, Console(file=out, width=100), **options)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def changed(**changes):
    return msgspec.structs.replace(SENT, **changes)


def test_the_playbook_travels_with_what_it_names_and_is_the_same_there():
    sent = json.loads(msgspec.json.encode(brought(SETTINGS, "lost")))
    assert {section: set(named) for section, named in sent.items()} == {
        "playbooks": {"lost"}, "offers": {"gift", "draw"}, "budgets": {"spring"},
    }  # fmt: skip
    theirs = Settings(push=SETTINGS.push, playbooks={"lost": Playbook(title="As it is there", priority=1)})
    there = judged(sent, "preview", theirs)
    assert there.playbooks["lost"] == SETTINGS.playbooks["lost"]
    assert there.offers == SETTINGS.offers
    assert brought(SETTINGS, "other").keys() == {"playbooks"}


def test_the_worker_that_holds_him_is_asked():
    asked = []

    def holder(path, body):
        asked.append((path, json.loads(body)["playbook"]))
        return 200, {"user": "a/b"}

    with site(lambda *_: (404, ELSEWHERE)) as other, site(holder) as url:
        assert ask(SETTINGS, "lost", "a/b", [other, url]) == {"user": "a/b"}
    assert asked == [("/users/a%2Fb/preview", "lost")]


def test_a_playbook_that_there_is_none_of_is_told_before_anybody_is_asked():
    with pytest.raises(NotReady, match=r"no playbook lots in these settings\ndid you mean lost\?.*--config"):
        ask(SETTINGS, "lots", "u", [f"http://127.0.0.1:{free_port()}"])


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, HELD, "nothing is known of 'u'"),
        (404, ELSEWHERE, "partition 2 is not held here\nname the others too, each with --url$"),
        (503, {"error": "waiting for the group"}, "waiting for the group"),
        (400, {"error": "preview: playbooks.lost.on: no such value"}, ": preview: playbooks.lost.on: no such value"),
    ],
)
def test_what_a_worker_cannot_tell_is_told(status, body, said):
    with site(lambda *_: (status, body)) as url, pytest.raises(NotReady, match=said):
        ask(SETTINGS, "lost", "u", [url])


def test_without_a_worker_it_says_what_to_do():
    with pytest.raises(NotReady, match=r"no worker answers(.|\n)*awaken worker; or name one: --url$"):
        ask(SETTINGS, "lost", "u", [f"http://127.0.0.1:{free_port()}"])


def test_a_message_reads_with_its_ways_its_cost_and_its_words():
    page = printed(found(SENT))
    for words in (
        "lost for u   as of 2023-11-20 00:00 UTC", "comes to activity: dormant  he is there now", "at once, content",
        "would be sent\n", "by             inbox\n", "if that fails  sms, then email\n", "at most 0.05 to send",
        "─ inbox ─", "Hello", "Come in [now]", "─ sms ─", "text  Come… (cut)", "budgets and stocks",
    ):  # fmt: skip
        assert words in page, words


def test_channels_that_show_the_same_share_a_frame():
    page = printed(found(SENT, shown={"inbox": {"title": "A"}, "sms": {"text": "B"}, "email": {"title": "A"}}))
    assert "─ inbox, email ─" in page
    assert page.index("inbox, email") < page.index("─ sms")


def test_steps_say_when():
    page = printed(found(SENT, SENT))
    assert "Message 1 of 2  at once" in page
    assert "Message 2 of 2  after 3 days (2023-11-23 00:00 UTC), if he has not moved" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"action": "hold", "reason": "quiet_hours", "until": NOW + DAY}, "be held until 2023-11-21 00:00 UTC: it is"),
        ({"action": "suppress", "reason": "no_consent", "channels": ()}, "would not be sent: he allows none"),
        ({"action": "suppress", "reason": "holdout", "trace": (Verdict("holdout", False, "0.1 of all"),)}, "(0.1 of"),
        ({"cost": 0}, "nothing to send"),
    ],
)  # fmt: skip
def test_the_verdict_is_in_plain_words(changes, said):
    assert said in printed(found(changed(**changes)))


def test_an_offer_is_told_with_a_code_that_is_a_sample():
    page = printed(found(changed(offer=Grant("gift", "spend_and_save", "AB-12", 20, "20 off an order of 100 or more"))))
    assert "gift: 20 off an order of 100 or more" in page
    assert "code AB-12 (a sample); costs at most 20 when it is used" in page


def test_who_is_elsewhere_or_not_meant_is_told_first():
    assert "he is active now\nHe is not there now." in printed(found(SENT, there=False, value="active"))
    wanted = {"name": "rfm", "wanted": ["keep", "rescue"], "value": None, "holds": False}
    page = printed(found(SENT, when=[wanted]))
    assert "rfm is keep or rescue" in page
    assert "his is not known" in page
    assert "It is not meant for him" in page
    assert "a day or an event" in printed(found(SENT, there=None, value=None))
    assert "switched off" in printed(found(SENT), enabled=False)


def test_with_trace_each_rule_says_what_it_said_and_those_that_were_not_asked_say_so():
    trace = (Verdict("consent", True, "inbox"), Verdict("frequency_cap", True), Verdict("holdout", False, "0.1 of all"))
    told = found(changed(trace=trace))
    page = printed(told, trace=True)
    for words in ("✓  consent        inbox", "·  frequency cap  not asked", "✗  holdout        0.1 of all"):
        assert words in page
    assert "frequency cap" not in printed(told)


def test_three_dots_of_ones_own_are_no_cut():
    told = found(changed(texts={"sms": Text(body="Come…")}))
    assert "(cut)" not in printed(told)
