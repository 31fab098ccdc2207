"""What is told, followed: a line each, chosen by user and field."""

import asyncio

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from streams.ops import NotReady, tail
from streams.settings import Settings
from streams.wire.message import Decision, Outcome, encode, envelope
from tests.ops.command import awaken

AT = 1_484_495_292_000  # 2017-01-15 15:48:12 UTC
MOVE = {
    "dimension": "activity", "from": "active", "to": "dormant", "cause": "time", "seq": 18, "at": AT,
    "rules": "r", "historic": False, "evidence": {"last_at": AT - 14 * 86_400_000, "absent_days": 14},
}  # fmt: skip
TRANSITION = envelope("h1-18", "awaken.activity.dormant", "h1", AT, "awaken", MOVE)
SENT = Decision("d", "h1", AT, "reactivation", "h1-18-1", "send", "sent", ("inbox", "webhook"), (), title="We miss you")
HELD = Decision("d", "h2", AT, "reactivation", "h2-1-1", "hold", "quiet_hours", ("inbox",), (), AT + 3_600_000)
NOT = Decision("d", "h2", AT, "reactivation", "h2-1-1", "suppress", "no_consent", (), ())
DONE = Outcome("d", "h1", AT, "inbox", "delivered", 1)
FAILED = Outcome("d", "h1", AT, "webhook", "failed", 4, "503")


def event(told):
    return orjson.loads(told if isinstance(told, bytes) else encode(told, "awaken"))


@pytest.mark.parametrize(
    ("told", "line"),
    [
        (
            TRANSITION,
            ("h1  activity: active → dormant  time passed, and nothing happened: "
            "last seen 2017-01-01 15:48 · days absent 14"),
        ),
        (SENT, 'h1  reactivation: send, sent, by inbox, webhook  "We miss you"'),
        (HELD, "h2  reactivation: hold, quiet hours until 2017-01-15 16:48, by inbox"),
        (NOT, "h2  reactivation: suppress, no consent"),
        (DONE, "h1  inbox: delivered after 1 attempt"),
        (FAILED, "h1  webhook: failed after 4 attempts: 503"),
    ],
)  # fmt: skip
def test_each_is_told_in_a_line(told, line):
    assert tail.line(event(told), 2) == f"2017-01-15 15:48  {line}"


def test_only_what_is_asked_for_fits():
    assert tail.fits(event(TRANSITION), None, {})
    assert tail.fits(event(TRANSITION), "h1", {"to": "dormant", "historic": "false", "seq": "18"})
    assert not tail.fits(event(TRANSITION), "h2", {})
    assert not tail.fits(event(TRANSITION), None, {"to": "churned"})
    assert not tail.fits(event(SENT), None, {"to": "dormant"})
    assert tail.fits(event(FAILED), None, tail.conditions(["outcome=failed"]))


@pytest.mark.parametrize("text", ["to", "tow=dormant", "=x"])
def test_what_is_no_field_is_refused(text):
    with pytest.raises(NotReady, match=r"is no FIELD=VALUE(.|\n)*dimension, from, to"):
        tail.conditions([text])


def test_what_is_nothing_to_follow_is_refused():
    assert tail.topics_named(Settings(), ["push-outcomes"]) == ["push-outcomes"]
    assert len(tail.topics_named(Settings(), [])) == 5
    with pytest.raises(NotReady, match=r"clicks: is nothing to follow(.|\n)*push-decisions"):
        tail.topics_named(Settings(), ["clicks"])


def test_the_command_follows_what_is_there_and_what_comes(settings):
    names = settings.topics
    told = [(names.lifecycle_transitions, TRANSITION), (names.push_decisions, encode(SENT, "awaken"))]
    told += [(names.push_outcomes, encode(one, "awaken")) for one in (DONE, FAILED)]

    async def write():
        async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
            for topic, value in told:
                await producer.send_and_wait(topic, value, key=b"h1", partition=0)

    asyncio.run(write())
    everything = awaken(settings, "tail", "--from-beginning", "-n", "4")
    assert sorted(everything.stdout.splitlines()) == sorted(tail.line(event(value), 2) for _, value in told)
    failed = awaken(settings, "tail", "--from-beginning", "--where", "outcome=failed", "-n", "1", "--json")
    assert failed.stdout == f"{told[-1][1].decode()}\n"
