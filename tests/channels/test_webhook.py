from __future__ import annotations

import asyncio
import contextlib
import hmac
import socket
import time

import orjson
import pytest
from aiohttp import web

from streams.channels import Message
from streams.channels import webhook as module
from streams.channels.attempt import MAX_BACKOFF_SECONDS, MAX_RETRY_AFTER_SECONDS
from streams.channels.webhook import Options, Webhook

MESSAGE = Message("reactivation:t1", "u1", "reactivation", 1_700_000_000_000, "We miss you", "Come back")
DATE = "Tue, 14 Nov 2023 22:13:20 GMT"


class Receiver:
    """A server that answers by a script, the last answer for ever, and keeps what it got."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.got = []
        self.open = asyncio.Event()

    async def handle(self, request):
        self.got.append((dict(request.headers), await request.read()))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer == "silence":
            await self.open.wait()
            return web.Response()
        if answer == "cut":
            request.transport.abort()
            return web.Response()
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        return web.Response(status=status, headers=headers, text="x" * 100_000)


@contextlib.asynccontextmanager
async def receiving(*answers):
    receiver = Receiver(*answers)
    app = web.Application()
    app.router.add_post("/push", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/push"
    try:
        yield receiver
    finally:
        receiver.open.set()
        await runner.cleanup()


def send(*answers, message=MESSAGE, draw=0.5, now=0, **options):
    """Send one message to a receiver; return the receipt, what the receiver got, and the pauses made."""
    pauses = []

    async def pause(seconds):
        pauses.append(seconds)

    async def run():
        async with receiving(*answers) as receiver:
            webhook = Webhook(Options(receiver.url, **options), pause=pause, draw=lambda: draw, wall=lambda: now)
            try:
                return await webhook.send(message, "w1"), receiver.got
            finally:
                await webhook.close()

    receipt, got = asyncio.run(run())
    return receipt, got, pauses


def test_one_post_of_the_message_with_the_decision_as_key():
    receipt, [(headers, body)], pauses = send(200)
    assert (receipt.outcome, receipt.attempts) == ("delivered", 1)
    assert headers["Idempotency-Key"] == "reactivation:t1"
    assert headers["Content-Type"] == "application/json"
    assert orjson.loads(body) == {
        "decision": "reactivation:t1",
        "user": "u1",
        "playbook": "reactivation",
        "at": 1_700_000_000_000,
        "title": "We miss you",
        "body": "Come back",
        "kind": "content",
        "link": "",
        "picture": "",
        "unsubscribe": "",
        "address": "w1",
    }
    assert pauses == []


@pytest.mark.parametrize("status", [200, 201, 202, 204, 208])
def test_any_2xx_is_delivered(status):
    assert send(status)[0].outcome == "delivered"


@pytest.mark.parametrize("trouble", [500, 502, 503, 599, 408, 409, 425, 429, "cut"])
def test_transient_trouble_is_tried_again_with_the_same_key_and_body(trouble):
    receipt, got, pauses = send(trouble, trouble, 200)
    assert (receipt.outcome, receipt.attempts, len(pauses)) == ("delivered", 3, 2)
    assert len(got) == 3
    assert len({(headers["Idempotency-Key"], body) for headers, body in got}) == 1


def test_silence_is_transient_too():
    receipt, got, _ = send("silence", 200, timeout_seconds=0.2)
    assert (receipt.outcome, receipt.attempts, len(got)) == ("delivered", 2, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413])
def test_a_refusal_is_final(status):
    receipt, got, pauses = send(status, 200)
    assert (receipt.outcome, receipt.attempts, len(got), pauses) == ("failed", 1, 1, [])
    assert str(status) in receipt.detail
    assert not receipt.permanent


@pytest.mark.parametrize("status", [410, 422])
def test_a_receiver_may_say_that_this_user_cannot_be_reached(status):
    assert send(status, 200)[0].permanent
    assert not send(503, attempts=1)[0].permanent


def test_a_redirect_is_not_followed_and_names_the_setting():
    receipt, got, _ = send((302, {"Location": "/elsewhere"}), 200)
    assert (receipt.outcome, len(got)) == ("failed", 1)
    assert "set the url" in receipt.detail


def test_the_attempts_end_and_the_last_trouble_is_told():
    receipt, got, pauses = send(503, 503, 500, attempts=3)
    assert (receipt.outcome, receipt.attempts, len(got), len(pauses)) == ("failed", 3, 3, 2)
    assert receipt.detail.startswith("500")
    assert send("silence", timeout_seconds=0.1, attempts=1)[0].detail == "no answer within 0.1 s"


def test_pauses_grow_twofold_up_to_a_bound_with_full_jitter():
    _, _, pauses = send(503, attempts=10, draw=1)
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == MAX_BACKOFF_SECONDS
    assert send(503, attempts=10, draw=0)[2] == [0] * 9


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("7", 7),
        ("0", 0),
        ("100000", MAX_RETRY_AFTER_SECONDS),
        ("Tue, 14 Nov 2023 22:13:32 GMT", 12),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("soon", 0),
        ("-5", 0),
        ("", 0),
        ("Tue, 99 Nov 2023 22:13:32 GMT", 0),
    ],
)
def test_retry_after_is_honoured_up_to_a_bound(asked, waited):
    _, _, pauses = send((429, {"Retry-After": asked, "Date": DATE}), 200, draw=0)
    assert pauses == [waited]


def test_nobody_there_is_a_failure_and_no_exception():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/push"

    async def run():
        webhook = Webhook(Options(url, attempts=2), draw=lambda: 0)
        try:
            return await webhook.send(MESSAGE, "w1")
        finally:
            await webhook.close()

    receipt = asyncio.run(run())
    assert (receipt.outcome, receipt.attempts) == ("failed", 2)
    assert "w1" not in receipt.detail


@pytest.mark.parametrize("ident", ["reactivation:用户\r\nX-Evil: 1", "a b", " ", "%41", "é" * 500])
def test_any_decision_id_makes_a_safe_header_and_no_two_meet(ident):
    message = Message(ident, "u1", "reactivation", 1, "t", "b")
    _, [(headers, body)], _ = send(200, message=message)
    assert headers["Idempotency-Key"].isascii()
    assert headers["Idempotency-Key"] not in ("A", "")
    assert "X-Evil" not in headers
    assert orjson.loads(body)["decision"] == ident


def test_it_opens_again_after_closing():
    async def run():
        async with receiving(200) as receiver:
            webhook = Webhook(Options(receiver.url))
            for _ in range(2):
                assert (await webhook.send(MESSAGE, "w1")).outcome == "delivered"
                await webhook.close()
            await webhook.close()

    asyncio.run(run())


def test_with_a_secret_each_post_is_signed_and_the_check_that_is_shown_accepts_it_and_nothing_else():
    """The check is that of the channel's own documentation."""
    check = "\n".join(line.strip() for line in module.__doc__.splitlines()[-3:])
    receipt, [(headers, body)], _ = send(200, secret="s3cret", now=time.time())
    assert receipt.outcome == "delivered"
    known = {"hmac": hmac, "time": time, "secret": "s3cret", "headers": headers, "body": body}
    for changes, genuine in (
        ({}, True),
        ({"secret": "another"}, False),
        ({"body": body + b" "}, False),
        ({"headers": {"Awaken-Signature": headers["Awaken-Signature"].replace("t=1", "t=2")}}, False),
    ):
        names = known | changes
        exec(check, names)  # noqa: S102 (our own documentation)
        assert names["genuine"] is genuine
    assert "Awaken-Signature" not in send(200)[1][0][0]


def test_a_signature_that_was_caught_is_too_old_soon():
    _, [(headers, _)], _ = send(200, secret="s3cret", now=1_700_000_000.9)
    assert headers["Awaken-Signature"].startswith("t=1700000000,v1=")


def test_it_is_ready_with_a_url():
    assert Options("http://r.example/x").ready
    assert not Options().ready
