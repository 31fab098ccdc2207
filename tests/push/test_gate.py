"""What the laws do not show: round trips, lost answers, forgotten scripts, a cluster, expiry, crowds."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from redis.asyncio import Connection, ConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from streams.push.connection import connect
from streams.push.gate import KEPT_MS, Ask, Claim, Limit, RedisGate, Way
from streams.push.memory import MemoryGate
from streams.settings import DAY, Settings
from streams.wire.message import Outcome

AT = 1_700_000_000_000
WINDOW = 7 * DAY
ODD_USERS = ["u1", "}", "}x", "{", "{}", "{a}b", "a}b", "%7D", "用户 1", "a:b"]


def ask(decision, user="u1", at=AT, cap=2, window=WINDOW):
    return Ask(decision, user, at, (Limit("capped", "*", window, cap),))


async def verdicts(gate, asks):
    return [answer.verdict for answer in await gate.admit(asks)]


def outcome(decision="d1", user="u1", channel="inbox", word="delivered", at=AT):
    return Outcome(decision, user, at, channel, word, 1, "")


@contextlib.asynccontextmanager
async def both(url):
    async with Redis.from_url(url) as redis:
        yield {"redis": RedisGate(redis), "memory": MemoryGate()}


def each(url, story):
    """Run a story against either gate."""

    async def run():
        async with both(url) as gates:
            for gate in gates.values():
                await story(gate)

    asyncio.run(run())


def test_a_send_counts_until_exactly_the_window_has_passed(url):
    async def story(gate):
        assert await verdicts(gate, [ask("a", cap=1), ask("b", at=AT + WINDOW - 1, cap=1)]) == [
            "admitted",
            "capped",
        ]
        assert await verdicts(gate, [ask("c", at=AT + WINDOW, cap=1)]) == ["admitted"]

    each(url, story)


def test_a_refused_push_does_not_count(url):
    async def story(gate):
        batch = [
            ask("a", cap=1),
            *(ask(f"b{n}", at=AT + n * DAY, cap=1) for n in range(1, 7)),
            ask("c", at=AT + WINDOW, cap=1),
        ]
        assert await verdicts(gate, batch) == ["admitted", *["capped"] * 6, "admitted"]

    each(url, story)


def test_a_refusal_stays_though_the_cap_is_raised_later(url):
    async def story(gate):
        assert await verdicts(gate, [ask("a", cap=0)]) == ["capped"]
        assert await verdicts(gate, [ask("a", cap=9), ask("b", cap=9)]) == ["capped", "admitted"]

    each(url, story)


def test_an_older_push_than_those_sent_is_capped_by_them(url):
    async def story(gate):
        assert await verdicts(gate, [ask("b", at=AT + DAY, cap=1), ask("a", at=AT, cap=1)]) == [
            "admitted",
            "capped",
        ]

    each(url, story)


def test_users_do_not_share_a_cap(url):
    async def story(gate):
        assert await verdicts(gate, [ask("a", "u1", cap=1), ask("a", "u2", cap=1)]) == ["admitted", "admitted"]

    each(url, story)


def test_admission_repeats_until_the_delivery_is_finished(url):
    async def story(gate):
        assert await verdicts(gate, [ask("a")]) == ["admitted"]
        assert await gate.claim("a", "u1", "inbox") == Claim("fresh")
        assert await verdicts(gate, [ask("a")]) == ["admitted"]
        await gate.complete(outcome("a"))
        assert await verdicts(gate, [ask("a")]) == ["admitted"]
        await gate.finish("a", "u1", ["inbox"])
        assert await verdicts(gate, [ask("a"), ask("b"), ask("c")]) == ["already_sent", "admitted", "capped"]

    each(url, story)


def test_a_delivery_goes_from_fresh_to_interrupted_to_done(url):
    async def story(gate):
        assert await gate.look("d1", "u1", "inbox") == Claim("fresh")
        assert await gate.claim("d1", "u1", "inbox") == Claim("fresh")
        assert await gate.claim("d1", "u1", "inbox") == Claim("interrupted")
        assert await gate.look("d1", "u1", "inbox") == Claim("interrupted")
        assert await gate.claim("d1", "u1", "webhook") == Claim("fresh")
        assert await gate.complete(outcome()) == outcome()
        assert await gate.claim("d1", "u1", "inbox") == Claim("done", outcome())
        assert await gate.claim("d1", "u1", "webhook") == Claim("interrupted")

    each(url, story)


def test_the_first_outcome_stands(url):
    async def story(gate):
        await gate.claim("d1", "u1", "inbox")
        await gate.complete(outcome())
        assert await gate.complete(outcome(word="uncertain", at=AT + 9)) == outcome()

    each(url, story)


def test_forgetting_a_user_forgets_caps_and_deliveries_and_nothing_comes_back(url):
    async def story(gate):
        for user in ("u1", "u2"):
            await verdicts(gate, [ask("d1", user, cap=1)])
            await gate.claim("d1", user, "inbox")
        await gate.forget("u1")
        # A delivery under way at the erasure ends after it.
        assert await gate.complete(outcome()) == outcome()
        await gate.finish("d1", "u1", ["inbox"])
        assert await gate.claim("d1", "u1", "inbox") == Claim("fresh")
        await gate.forget("u1")
        assert await verdicts(gate, [ask("d2", "u1", cap=1), ask("d2", "u2", cap=1)]) == ["admitted", "capped"]
        assert await gate.claim("d1", "u2", "inbox") == Claim("interrupted")

    each(url, story)


def test_history_played_fast_is_remembered_for_a_repetition_of_the_whole_batch(url):
    async def story(gate):
        year = [ask(f"d{n}", at=AT + n * 14 * DAY) for n in range(26)]
        assert await verdicts(gate, year) == ["admitted"] * 26
        assert await verdicts(gate, year) == ["admitted"] * 26

    each(url, story)


def test_what_was_forgotten_is_not_admitted():
    async def run():
        gate = MemoryGate(max_decisions=1)
        apart = [ask(f"d{n}", at=AT + n * (KEPT_MS + WINDOW)) for n in range(3)]
        assert await verdicts(gate, apart) == ["admitted"] * 3
        assert await verdicts(gate, apart) == ["already_sent", "already_sent", "admitted"]

    asyncio.run(run())


def test_erasure_leaves_no_key_and_every_key_expires_later_than_the_window(url):
    async def run():
        async with Redis.from_url(url) as redis:
            gate = RedisGate(redis)
            await verdicts(gate, [ask("d1", cap=1), ask("d2", cap=1)])
            await gate.claim("d1", "u1", "inbox")
            await gate.complete(outcome())
            await gate.finish("d1", "u1", ["inbox"])
            keys = {key.decode() for key in await redis.keys()}
            assert keys == {"awaken:{u1}:sends", "awaken:{u1}:capped", "awaken:{u1}:deliveries"}
            assert all([WINDOW < await redis.pttl(key) <= WINDOW + KEPT_MS for key in keys])
            await gate.forget("u1")
            await gate.complete(outcome())
            await gate.finish("d1", "u1", ["inbox"])
            await gate.look("d1", "u1", "inbox")
            assert await redis.dbsize() == 0

    asyncio.run(run())


def test_a_claim_without_an_admission_expires_too(url):
    async def run():
        async with Redis.from_url(url) as redis:
            await RedisGate(redis).claim("d1", "u1", "inbox")
            assert 0 < await redis.pttl("awaken:{u1}:deliveries") <= KEPT_MS

    asyncio.run(run())


def test_a_delivery_is_kept_as_long_as_its_admission(url):
    async def run():
        async with Redis.from_url(url) as redis:
            gate = RedisGate(redis)
            await verdicts(gate, [ask("d1", window=365 * DAY)])
            await gate.claim("d1", "u1", "inbox")
            assert await redis.pttl("awaken:{u1}:deliveries") > 365 * DAY
            await verdicts(gate, [ask("d2", window=366 * DAY)])
            assert await redis.pttl("awaken:{u1}:deliveries") > 395 * DAY

    asyncio.run(run())


def test_gates_of_two_deployments_on_one_server_do_not_meet(url):
    async def run():
        async with Redis.from_url(url) as redis:
            live = RedisGate.open(Settings(group="live"), redis)
            trial = RedisGate.open(Settings(group="trial"), redis)
            assert await verdicts(live, [ask("a", cap=1)]) == await verdicts(trial, [ask("a", cap=1)]) == ["admitted"]
            await trial.forget("u1")
            assert await verdicts(live, [ask("b", cap=1)]) == ["capped"]

    asyncio.run(run())


def test_a_client_that_decodes_answers_is_as_good(url):
    async def run():
        async with Redis.from_url(url, decode_responses=True) as redis:
            gate = RedisGate(redis)
            assert await verdicts(gate, [ask("a")]) == ["admitted"]
            assert await gate.claim("a", "u1", "inbox") == Claim("fresh")
            assert await gate.complete(outcome("a")) == outcome("a")
            assert await gate.claim("a", "u1", "inbox") == Claim("done", outcome("a"))

    asyncio.run(run())


def test_a_server_that_has_forgotten_the_scripts_learns_them_again(url):
    async def run():
        async with Redis.from_url(url) as redis:
            gate = RedisGate(redis)
            assert await verdicts(gate, [ask("a", cap=1)]) == ["admitted"]
            await redis.script_flush()
            assert await verdicts(gate, [ask("a", cap=1), ask("b", cap=1), ask("c", "u2")]) == [
                "admitted",
                "capped",
                "admitted",
            ]
            await redis.script_flush()
            assert await gate.claim("a", "u1", "inbox") == Claim("fresh")

    asyncio.run(run())


def test_a_batch_is_one_round_trip(url):
    class Counting(Connection):
        sent = 0

        async def send_packed_command(self, command, *args, **kwargs):
            Counting.sent += 1
            return await super().send_packed_command(command, *args, **kwargs)

    async def run():
        pool = ConnectionPool.from_url(url, connection_class=Counting)
        async with Redis.from_pool(pool) as redis:
            gate = RedisGate(redis)
            await verdicts(gate, [ask("warm")])
            Counting.sent = 0
            assert len(await gate.admit([ask(f"d{n}", f"u{n}") for n in range(500)])) == 500
            assert Counting.sent == 1
            assert await verdicts(gate, []) == []
            assert Counting.sent == 1

    asyncio.run(run())


def test_a_claim_whose_answer_was_lost_is_still_fresh(url):
    """The client asks again by itself: that is the same claim, not an interruption."""

    class Lossy(Connection):
        lose = 0

        async def read_response(self, *args, **kwargs):
            response = await super().read_response(*args, **kwargs)
            if Lossy.lose:
                Lossy.lose -= 1
                await self.disconnect()
                raise RedisConnectionError("the answer was lost")
            return response

    async def run():
        retry = Retry(NoBackoff(), 1)
        pool = ConnectionPool.from_url(url, connection_class=Lossy, retry=retry)
        async with Redis.from_pool(pool) as redis:
            gate = RedisGate(redis)
            await gate.claim("warm", "u1", "inbox")
            Lossy.lose = 1
            assert await gate.claim("d1", "u1", "inbox") == Claim("fresh")
            assert Lossy.lose == 0
            # And an interruption does not become fresh by being asked about twice.
            Lossy.lose = 1
            assert await gate.claim("d1", "u1", "inbox") == Claim("interrupted")
            assert Lossy.lose == 0

    asyncio.run(run())


def test_a_crowd_asking_at_once_never_breaks_the_cap(url):
    async def run():
        async with contextlib.AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connect(Settings(redis=url))) for _ in range(8)]
            users = [f"u{n}" for n in range(5)]

            async def worker(number, redis):
                gate = RedisGate(redis)
                chunks = [[ask(f"w{number}:{n}", user, AT + n * 1000, cap=3) for user in users] for n in range(40)]
                told = await asyncio.gather(*(verdicts(gate, chunk) for chunk in chunks))
                return [dict(zip(users, chunk, strict=True)) for chunk in told]

            answers = await asyncio.gather(*(worker(n, redis) for n, redis in enumerate(clients)))
            for user in users:
                given = [answer[user] for answers_of_one in answers for answer in answers_of_one]
                assert given.count("admitted") == 3
                assert given.count("capped") == 8 * 40 - 3

    asyncio.run(run())


def test_of_a_crowd_claiming_at_once_one_is_fresh(url):
    async def run():
        async with connect(Settings(redis=url)) as redis:
            gate = RedisGate(redis)
            claims = await asyncio.gather(*(gate.claim("d1", "u1", "inbox") for _ in range(200)))
            assert sorted(claim.state for claim in claims) == ["fresh"] + ["interrupted"] * 199

    asyncio.run(run())


@pytest.mark.parametrize("client", [Redis, RedisCluster])
def test_in_a_cluster_all_keys_of_a_user_are_in_one_slot(cluster, client):
    async def run():
        async with client.from_url(cluster) as redis:
            gate = RedisGate(redis, prefix=client.__name__)
            found = await verdicts(gate, [ask("d1", user, cap=1) for user in ODD_USERS])
            assert found == ["admitted"] * len(ODD_USERS)
            for user in ODD_USERS:
                assert await verdicts(gate, [ask("d2", user, cap=1)]) == ["capped"]
                assert await gate.claim("d1", user, "inbox") == Claim("fresh")
                assert await gate.complete(outcome(user=user)) == outcome(user=user)
                await gate.finish("d1", user, ["inbox"])
                assert await verdicts(gate, [ask("d1", user)]) == ["already_sent"]
                await gate.forget(user)
                assert await gate.look("d1", user, "inbox") == Claim("fresh")
            assert await redis.dbsize() == 0

    asyncio.run(run())


def test_a_limit_counts_what_bears_its_tag_and_not_what_is_excepted(url):
    """Playbooks that exclude one another: the episode's own messages may follow, another's may not."""

    def of(decision, playbook, episode, at=AT):
        tags = ("*", "group:g", f"playbook:{playbook}", f"episode:{episode}")
        return Ask(decision, "u1", at, (Limit("exclusive", "group:g", WINDOW, 1, f"episode:{episode}"),), tags)

    async def story(gate):
        assert await verdicts(gate, [of("a1", "a", "t1"), of("a2", "a", "t1", AT + DAY)]) == ["admitted"] * 2
        assert await verdicts(gate, [of("b1", "b", "t2", AT + 2 * DAY)]) == ["exclusive"]
        assert await verdicts(gate, [of("b2", "b", "t3", AT + DAY + WINDOW)]) == ["admitted"]

    each(url, story)


def test_the_first_limit_that_is_reached_names_the_verdict(url):
    async def story(gate):
        both = (Limit("min_gap", "*", DAY, 1), Limit("capped", "*", WINDOW, 1))
        await gate.admit([Ask("a", "u1", AT, both)])
        assert await verdicts(gate, [Ask("b", "u1", AT + 1, both)]) == ["min_gap"]
        assert await verdicts(gate, [Ask("c", "u1", AT + DAY, both)]) == ["capped"]

    each(url, story)


WAYS = (Way("inbox", along=True), Way("email", window_ms=DAY, most=1), Way("sms", window_ms=WINDOW, most=1))


def test_what_goes_along_is_used_and_of_the_others_the_first_with_room(url):
    async def story(gate):
        asks = [Ask(f"d{n}", "u1", AT + n, ways=WAYS) for n in range(3)]
        first, second, third = await gate.admit(asks)
        assert (first.channels, first.fallbacks) == (("inbox", "email"), ("sms",))
        # The fallback counts as well, as long as nobody knows that it was not needed.
        assert (second.channels, second.fallbacks) == (third.channels, third.fallbacks) == (("inbox",), ())

    each(url, story)


def test_a_fallback_that_was_not_needed_leaves_its_place(url):
    async def story(gate):
        await gate.admit([Ask("a", "u1", AT, ways=WAYS)])
        await gate.finish("a", "u1", ["inbox", "email"])
        (after,) = await gate.admit([Ask("b", "u1", AT + 1, ways=WAYS)])
        assert (after.channels, after.fallbacks) == (("inbox", "sms"), ())

    each(url, story)


def test_where_no_channel_has_room_nothing_is_sent_and_nothing_counts(url):
    async def story(gate):
        asks = [Ask(f"d{n}", "u1", AT + n, (Limit("capped", "*", WINDOW, 2),), ways=WAYS[1:2]) for n in range(3)]
        assert await verdicts(gate, asks) == ["admitted", "channel_capped", "channel_capped"]
        assert await verdicts(gate, [Ask("x", "u1", AT + 9, (Limit("capped", "*", WINDOW, 2),))]) == ["admitted"]

    each(url, story)
