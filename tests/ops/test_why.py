"""`awaken why`: whom it asks, what it says when it gets no answer, and how a row reads."""

import io
from urllib.parse import unquote

import msgspec
import numpy as np
import pytest
from rich.console import Console

from streams import rulebook
from streams.core.dimension import DIMENSIONS
from streams.core.row import CAUSES, CLICKS, DAY, EVENT, ORDERS
from streams.forecast import forecast
from streams.ops import NotReady
from streams.ops.child import free_port
from streams.ops.page import Silent, workers
from streams.ops.topics import create
from streams.ops.why import meaning, view
from streams.ops.why.answer import Answer, from_topics, from_worker, life, reasons
from streams.ops.why.ask import ask
from streams.ops.why.decided import Push, Reply
from streams.ops.why.push import line, trace
from streams.ops.why.wording import CAUSES as WORDS
from streams.ops.why.wording import ago, evidence, money, reason
from streams.portrait import portrait
from streams.push.journal import End
from streams.settings import Settings
from streams.shard import Shard
from streams.wire.message import Decision, Outcome, Transition, Verdict, encode, read_transition
from streams.wire.transition import Encoder
from tests.end_to_end import topic
from tests.end_to_end.history import click, order
from tests.ops.site import site

T0 = 1_700_438_400_000
HELD = {"user": "u", "partition": 2, "held": True, "error": "nothing is known of this user"}
ELSEWHERE = {"user": "u", "partition": 2, "held": False, "error": "partition 2 is not held here"}


def transition(seq, to, dimension="activity", at=T0, cause="event", **figures):
    return Transition(dimension, "none", to, cause, seq, at, "rules", False, figures)


def test_the_worker_that_holds_him_is_asked_whatever_his_id_holds():
    user, asked = "a/b ?#%ü..\n", []

    def holder(path):
        asked.append(path)
        return 200, {"user": unquote(path.removeprefix("/users/"))}

    with site(lambda _: (404, ELSEWHERE)) as other, site(holder) as url:
        assert ask([other, url], user)["user"] == user
    assert not set("?# \n").intersection(asked[0])
    assert asked[0].count("/") == 2


def test_a_worker_that_is_away_holds_nobody_up():
    with site(lambda _: (200, {"user": "u"})) as url:
        assert ask([f"http://127.0.0.1:{free_port()}", url], "u") == {"user": "u"}


def test_an_unknown_user_is_told():
    with site(lambda _: (404, HELD)) as url, pytest.raises(NotReady, match="nothing is known of 'u'"):
        ask([url], "u")


def test_a_partition_that_no_worker_asked_holds_is_told_with_what_each_said():
    away = f"http://127.0.0.1:{free_port()}"
    with (
        site(lambda _: (404, ELSEWHERE)) as one,
        site(lambda _: (503, {"error": "waiting for the group"})) as two,
        pytest.raises(NotReady) as told,
    ):
        ask([one, two, away], "u")
    for words in (f"{one}: partition 2 is not held here", f"{two}: waiting for the group", away, "--url"):
        assert words in str(told.value)


def test_workers_that_do_not_answer_are_told():
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(Silent, match=f"no worker answers at {url}.*refused"):
        ask([url], "u")


@pytest.mark.parametrize(("status", "body"), [(200, b"<html>"), (404, b"404: Not Found"), (200, []), (404, {})])
def test_somebody_who_is_no_worker_is_told(status, body):
    with site(lambda _: (status, body)) as url, pytest.raises(Silent, match=f"{url} does not answer as a worker"):
        ask([url], "u")


@pytest.mark.parametrize("url", ["localhost:6066", "ftp://x", "http://", "http://h:99999", "http://h/?q", "x"])
def test_what_is_no_url_is_refused(url):
    with pytest.raises(NotReady, match="is no URL of a worker"):
        workers(Settings(), [url])


def test_without_a_url_the_worker_of_the_settings_is_asked():
    assert workers(Settings(web_host="0.0.0.0", web_port=6067), []) == ["http://127.0.0.1:6067"]
    assert workers(Settings(), ["http://h:1/", "http://h:1"]) == ["http://h:1"]


def test_without_kafka_a_worker_still_answers_and_the_reasons_are_said_to_be_missing(told):
    with site(lambda _: (200, told)) as url:
        found = from_worker(Settings(kafka="127.0.0.1:1"), "u1", [url])
    assert found.told == told
    assert found.reasons == {}
    assert "the reasons are not known: nothing listens at 127.0.0.1:1" in found.notes[0]


def test_each_number_is_told_once_and_of_the_newest_life():
    old = [transition(n, "new", at=T0 + n) for n in (1, 2, 3)]
    new = [transition(n, "active", at=T0 + DAY + n) for n in (1, 2)]
    assert life([*old, *new, new[1]], 2) == new
    assert life([*new, *old], 2) == new


def test_a_reason_is_told_only_of_the_value_that_holds():
    told = {"values": {
        "activity": {"value": "new", "since": "2023-11-20"},
        "rfm": {"value": "keep", "since": "2023-11-20"},
        "rung": {"value": "use", "since": "2023-11-19"},
    }}  # fmt: skip
    history = [transition(1, "new"), transition(2, "rescue", "rfm"), transition(3, "use", "rung")]
    assert reasons(told, history) == {"activity": history[0]}


def test_every_value_has_a_meaning_and_every_meaning_a_value():
    declared = {d.name: set(d.values[1:]) for d in DIMENSIONS if not d.bands}
    assert {name: set(values) for name, values in meaning.MEANINGS.items()} == declared
    assert all(text for values in meaning.MEANINGS.values() for text in values.values())


def test_every_cause_has_its_words():
    assert set(WORDS) == set(CAUSES)


def test_evidence_is_in_words():
    figures = {
        "last_at": T0,
        "threshold_days": 14,
        "last_order_at": 0,
        "content_day": 19_681,
        "share": 0.5,
        "note": None,
    }
    assert evidence(figures, 2) == (
        "last seen 2023-11-20 00:00 · days allowed 14 · newest order never · newest content 2023-11-20 "
        "· share with a coupon 50%"
    )
    assert evidence({"average": 7550, "orders": 2, "at_least": 5000}, 2) == (
        "average order 75.50 · orders 2 · the band begins at 50.00"
    )
    assert evidence({"orders": 2, "at_least": 2}, 2) == "orders 2 · the band begins at 2"
    assert reason(transition(1, "new", cause="correction"), 2) == "a late event proved the former value wrong"


def test_money_and_spans_are_in_words():
    assert (money(123_450, 2), money(5, 0)) == ("1,234.50", "5")
    assert ago(T0 - 2 * DAY, T0) == "2 days ago"
    assert ago(T0 + DAY, T0) == "in 1 day"
    assert ago(T0 - 90 * 60_000, T0) == "1 hour ago"
    assert ago(T0, T0) == "just now"


def test_bars_have_the_height_of_their_figures():
    assert view.bars([0, 1, 7, 14]) == "▁▂▅█"
    assert view.bars([0, 0]) == "▁▁"


def push(ident="d1", reason="sent", action="send", channels=("inbox", "sms"), at=T0, **more):
    said = {"trace": (Verdict("consent", True, "inbox"),), "title": "We miss you", "step": 1} | more
    return Push(
        id=ident, user="u1", at=at, playbook="win_back", transition="t", action=action, reason=reason,
        channels=channels, **said,
    )  # fmt: skip


def test_a_decision_is_told_in_a_line():
    ends = {"sms": End("failed", T0, 4, "HTTP 500"), "inbox": End("delivered", T0, 1)}
    replies = Reply("delivered", T0, "inbox"), Reply("opened", T0 + DAY, "inbox")
    assert line(push(outcomes=ends, replies=replies)) == (
        'sent "We miss you" by inbox, sms; inbox: delivered; sms: failed after 4 attempts, HTTP 500; '
        "opened 2023-11-21 00:00"
    )
    cancelled = {"inbox": End("cancelled", T0, 0, "he is back, or was never away")}
    held = push(action="hold", reason="quiet_hours", channels=("inbox",), until=T0 + 8 * 3_600_000, outcomes=cancelled)
    assert line(held) == (
        'held until 2023-11-20 08:00, "We miss you" by inbox: it is night where he lives; '
        "inbox: cancelled, he is back, or was never away"
    )
    refused = push(reason="no_consent", action="suppress", channels=())
    assert line(refused) == "not sent: he allows none of the channels that it could go by"


def test_what_was_asked_is_told_up_to_the_rule_that_said_no():
    asked = Verdict("still_so", True, ""), Verdict("frequency_cap", False, "at most 3 in 7 days")
    assert trace(push(trace=asked)) == "asked in turn: still so ✓, frequency cap ✗ at most 3 in 7 days"
    assert trace(push(trace=())) == ""


def test_decisions_stand_on_the_page_the_newest_ten_of_them(told):
    many = [push(f"d{n}", at=T0 + n * DAY, step=n + 1) for n in reversed(range(12))]
    text = written(Answer(told, {}, (), (), many))
    for words in ("What was decided about him", "2023-12-01", "win back, message 12", "consent ✓", "and 2 before"):
        assert words in text, words
    assert text.count("asked in turn") == 10
    assert Answer(told, {}, (), (), many).plain()["decisions"][0]["id"] == "d11"
    assert "What was decided" not in written(Answer(told, {}, (), ()))


def test_decisions_are_asked_of_the_worker_that_holds_him_and_replies_of_kafka(told):
    made = push(outcomes={"inbox": End("delivered", T0, 1)})
    pages = {"/users/u1": (200, told), "/users/u1/decisions": (200, [msgspec.to_builtins(made)])}
    with site(lambda _: (404, ELSEWHERE)) as other, site(pages.get) as url:
        found = from_worker(Settings(kafka="127.0.0.1:1"), "u1", [other, url])
    assert "what was decided about him is not known: nothing listens at 127.0.0.1:1" in found.notes[1]
    quiet = push(reason="no_consent", action="suppress", channels=())
    pages["/users/u1/decisions"] = (200, [msgspec.to_builtins(quiet)])
    with site(pages.get) as url:
        found = from_worker(Settings(kafka="127.0.0.1:1"), "u1", [url])
    assert list(found.pushes) == [quiet]


def test_a_worker_that_cannot_tell_decisions_tells_the_rest(told):
    pages = {"/users/u1": (200, told), "/users/u1/decisions": (503, {"error": "Redis does not answer"})}
    with site(pages.get) as url:
        found = from_worker(Settings(kafka="127.0.0.1:1"), "u1", [url])
    assert found.told == told
    assert f"what was decided about him is not known: {url}: Redis does not answer" in found.notes


@pytest.fixture
def lived():
    """A shard, and all moves of a user who bought, was paid back once, and stayed away."""
    shard = Shard(rulebook.build(Settings()))
    events = np.zeros(6, EVENT)
    events["row"] = shard.intern([b"u1"])[0]
    events["at"] = T0 + np.arange(6) * DAY
    events["source"] = [CLICKS, CLICKS, ORDERS, ORDERS, ORDERS, CLICKS]
    events["offset"], events["hash"] = [0, 1, 0, 1, 2, 2], [0, 0, 7, 8, 8, 0]
    events["kind"], events["amount"] = [12, 3, 0, 0, 1, 12], [0, 0, 7_550, 5_000, 5_000, 0]
    events["act"] = [1, 1, 1, 1, 0, 1]
    events["category"] = [shard.categories["[red]tea"], 0, 0, 0, 0, 0]
    return shard, np.concatenate([shard.fold(events, {}), shard.advance(T0 + 16 * DAY)])


@pytest.fixture
def told(lived):
    shard, _ = lived
    now = T0 + 16 * DAY
    more = {"next": forecast(shard, b"u1", now), "partition": 0, "now": now, "decided_through": now}
    return portrait(shard, b"u1") | more


def written(answer, width=200):
    out = io.StringIO()
    view.render(answer, 2, Console(file=out, width=width))
    return out.getvalue()


def test_a_row_reads_as_a_page(lived, told):
    shard, moves = lived
    encoder = Encoder("awaken/test")
    encoder.know(shard.book)
    found = [value for pairs in encoder.encode(moves, shard.index).values() for _, value in pairs.each()]
    history = life([read_transition(value).data for value in found], told["transitions"])
    assert len(history) == told["transitions"] == len(moves)
    why = reasons(told, history)
    assert set(why) == {name for name, held in told["values"].items() if held["since"]}
    text = written(Answer(told, why, history, ["a note [b]"]))
    for words in (
        "u1", "last seen 2023-11-25 00:00, 11 days ago",
        "is here, and comes again", "1 order, 75.50 in all, 75.50 each",
        "one order", "[red]tea 100%", "activity: active → dormant", "in 3 days", "has stayed away for longer",
        "What has happened", "customer: old customer → new customer", "note: a note [b]", "not known",
    ):  # fmt: skip
        assert words in text, words


def test_a_page_fits_where_it_is_read(told):
    assert max(map(len, written(Answer(told, {}, (), ()), width=80).splitlines())) <= 80


def test_somebody_of_whom_only_a_profile_is_known_has_a_page(told):
    bare = told | {"first_at": 0, "last_at": 0, "next": [], "interests": []}
    bare["values"] = {name: {"value": "none", "since": None} for name in told["values"]}
    text = written(Answer(bare, {}, (), ()))
    assert "never seen to act" in text
    assert "nothing: time alone changes nothing" in text


def write_pushes(settings):
    """Write a decision about u1, what became of it, and what came back: one event that can be read, one that cannot."""
    made = Decision("d1", "u1", T0, "win_back", "t", "send", "sent", ("inbox",), ())
    names, opened = settings.topics, {"user": "u1", "at": T0 + 21 * DAY, "decision": "d1", "kind": "opened"}
    values = [
        (names.push_decisions, encode(made, "awaken/t")),
        (names.push_outcomes, encode(Outcome("d1", "u1", T0 + 1, "inbox", "delivered", 1), "awaken/t")),
        (names.push_feedback, b"{"),
        (names.push_feedback, msgspec.json.encode(opened)),
    ]
    topic.write(settings.kafka, [(name, b"u1", value, T0 + 21 * DAY, []) for name, value in values])


def test_a_replay_needs_no_worker(names, embedded_broker):
    settings = names.settings(
        kafka=embedded_broker.bootstrap, partitions=2, clock="event", lateness_seconds=0, guarantee="at-least-once"
    )
    with pytest.raises(NotReady, match=f"there is no topic .*{settings.topics.clicks}"):
        from_topics(settings, "u1")
    create(settings)
    events = [click("u1", T0), click("u1", T0 + DAY), order("u1", T0 + 2 * DAY, amount=75.5)]
    events += [click(f"later-{n}", T0 + 20 * DAY) for n in range(8)]
    topic.write(settings.kafka, [topic.encode(event, settings.topics) for event in events])
    found = from_topics(settings, "u1")
    assert found.told["values"]["activity"]["value"] == "dormant"
    assert found.told["orders"] == {"count": 1, "spend": 7550, "last_at": T0 + 2 * DAY}
    assert found.reasons["activity"].evidence["threshold_days"] == 14
    assert [t.seq for t in found.history] == list(range(1, found.told["transitions"] + 1))
    assert found.pushes == []
    write_pushes(settings)
    [one] = from_topics(settings, "u1").pushes
    assert (one.id, one.outcomes["inbox"].outcome) == ("d1", "delivered")
    assert one.replies == (Reply("opened", T0 + 21 * DAY, None),)
    with pytest.raises(NotReady, match="nothing is known of 'u2'"):
        from_topics(settings, "u2")
    with pytest.raises(NotReady, match="partitioner = 'any'"):
        from_topics(msgspec.structs.replace(settings, partitioner="any"), "u1")
