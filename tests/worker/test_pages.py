"""What the pages about users say, for what is held and what is not."""

import asyncio
import json
from types import SimpleNamespace
from urllib.parse import quote

import msgspec
import orjson
import pytest
from aiohttp.test_utils import make_mocked_request
from redis.exceptions import RedisError

from streams.core import period
from streams.push.journal import End, Told
from streams.settings import Settings
from streams.shard import Shard
from streams.wire.block import Block
from streams.wire.message import Decision
from streams.wire.partitioner import home
from streams.worker import pages
from streams.worker.chunk import Chunk
from streams.worker.control import View
from streams.worker.partition import Partition, rules_of
from tests.oracle import DAY

T0 = 1_700_438_400_000  # 2023-11-20, a Monday
OF = 4
ADDRESS = "+86 139 0000 0000"
USERS = [f"u{n}" for n in range(12)]
NOBODY = next(f"n{n}" for n in range(99) if home(b"n%d" % n, OF) == 0)


class Ledger:
    """A ledger that nobody commits."""

    pending_bytes = 0

    def record(self, topic, records):
        pass


def records(*events):
    """Events as one partition's records."""
    return [
        SimpleNamespace(offset=n, timestamp=T0, key=e["user"].encode(), value=orjson.dumps(e), headers=[])
        for n, e in enumerate(events)
    ]


def partition(number, settings, now):
    held = Partition(
        number, settings, Shard(rules_of(settings)), Ledger(),
        SimpleNamespace(read_to_end=lambda _topic, _partition: now), now=lambda: now,
    )  # fmt: skip
    users = [user for user in USERS if home(user.encode(), OF) == number]
    clicks = [{"user": u, "at": T0 + day * DAY, "kind": "view"} for day in (0, 1, 7) for u in users]
    profile = [{"user": u, "at": T0, "contacts": {"sms": ADDRESS}, "consent": {"sms": True}} for u in users]
    for topic, events in ((settings.topics.clicks, clicks), (settings.topics.profiles, profile)):
        held.receive(Chunk(topic, number, Block.of(records(*events)), len(events)))
    held.pump()
    return held


def worker(*numbers, now=T0 + 8 * DAY, working=True, **changes):
    settings = msgspec.structs.replace(Settings(partitions=OF), **changes)
    return SimpleNamespace(
        settings=settings, working=working, waiting_since=0.0, should_stop=False,
        control=SimpleNamespace(view=View()), partitions={n: partition(n, settings, now) for n in numbers},
    )  # fmt: skip


@pytest.fixture(scope="module")
def whole():
    return worker(*range(OF))


@pytest.mark.parametrize("user", USERS)
def test_a_users_page_is_told_by_the_worker_that_holds_him_and_by_no_other(whole, user):
    status, told = pages.user(whole, user)
    assert (status, told["user"], told["partition"]) == (200, user, home(user.encode(), OF))
    assert told["values"]["activity"]["value"] == "active"
    assert told["now"] == T0 + 8 * DAY
    others = worker(*(set(range(OF)) - {told["partition"]}))
    status, told = pages.user(others, user)
    assert (status, told["held"], told["partition"]) == (404, False, home(user.encode(), OF))
    assert told["partitions"] == sorted(others.partitions)


def test_somebody_unknown_is_so_where_his_partition_is_held(whole):
    assert pages.user(whole, NOBODY) == (
        404,
        {
            "user": NOBODY, "partition": 0, "held": True, "error": "nothing is known of this user",
            "partitions": [0, 1, 2, 3], "of": 4,
        },
    )  # fmt: skip


def test_with_producers_of_their_own_partitioner_nobody_is_unknown_until_all_is_held():
    some = worker(0, 1, partitioner="any")
    assert pages.user(some, "u?").body["held"] is False
    held = next(u for u in USERS if home(u.encode(), OF) in (0, 1))
    assert pages.user(some, held).status == 200
    assert pages.user(worker(*range(OF), partitioner="any"), "u?").body["held"] is True


def test_contacts_are_never_told_in_clear(whole):
    told = pages.user(whole, "u1").body
    assert told["contact"] == {"reachable": ["sms"], "allowed": ["sms"]}
    assert ADDRESS not in orjson.dumps(told).decode()


def test_what_comes_next_is_told_with_its_dimension(whole):
    told = pages.user(whole, "u1").body
    dormant = next(move for move in told["next"] if move["to"] == "dormant")
    assert (dormant["dimension"], dormant["at"]) == ("activity", T0 + 21 * DAY)


def test_the_growth_accounting_is_the_sum_of_the_partitions(whole):
    status, told = pages.growth(whole, {"grain": "day", "count": "9"})
    assert (status, told["family"], told["partitions"], told["of"]) == (200, "period-based", [0, 1, 2, 3], 4)
    n = len(USERS)
    assert [(p["new"], p["retained"], p["resurrected"], p["churned"]) for p in told["periods"]] == [
        (n, 0, 0, 0), (0, n, 0, 0), (0, 0, 0, n), *[(0, 0, 0, 0)] * 4, (0, 0, n, 0), (0, 0, 0, n)
    ]  # fmt: skip
    assert told["periods"][-1]["start"] == "2023-11-28"
    parts = [pages.growth(worker(k), {"grain": "day", "count": "9"}).body["periods"] for k in range(OF)]
    assert [p["new"] for p in told["periods"]] == [sum(p["new"] for p in of) for of in zip(*parts, strict=True)]


def test_the_two_families_stand_under_their_own_names(whole):
    told = pages.growth(whole, {}).body
    assert told["population"]["family"] == "threshold-based"
    assert told["population"]["users"]["activity"]["active"] == len(USERS)
    assert "active" not in told


def test_an_earlier_end_can_be_asked_for(whole):
    told = pages.growth(whole, {"grain": "week", "count": "2", "until": "2023-11-22"}).body
    assert [p["start"] for p in told["periods"]] == ["2023-11-13", "2023-11-20"]
    assert told["periods"][-1]["new"] == len(USERS)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"grain": "year"}, "grain=year: must be one of day, week, month"),
        ({"count": "0"}, f"count=0: must be a whole number from 1 to {period.SIZE - 1}"),
        ({"count": "many"}, "count=many"),
        ({"count": "9999"}, "count=9999"),
        ({"count": "²"}, "count=²"),
        ({"until": "soon"}, "until=soon: must be a date"),
        ({"until": "1960-01-01"}, "until=1960-01-01"),
    ],
)
def test_what_cannot_be_asked_is_said(whole, query, said):
    status, told = pages.growth(whole, query)
    assert status == 400
    assert said in told["error"]


def test_a_worker_that_holds_nothing_counts_nobody():
    idle = worker()
    assert pages.growth(idle, {}).body["periods"] == []
    assert pages.growth(idle, {}).body["population"]["users"] == {"activity": {}}


def test_the_trials_are_told_as_sums_that_add_up():
    some = worker(*range(OF))
    for held in some.partitions.values():
        for user in (u for u in USERS if home(u.encode(), OF) == held.number):
            reason = "holdout" if user == "u1" else "sent"
            action = "suppress" if reason == "holdout" else "send"
            for at in (T0, T0 + 7 * DAY + 1):
                told = Decision(f"{user}-{at}", user, at, "reactivation", "", action, reason, ("inbox",), ())
                held.shard.trials.open(told)
                held.pump()
    status, told = pages.lift(some)
    assert (status, told["partitions"], told["of"], told["attribution_days"]) == (200, [0, 1, 2, 3], 4, 7)
    json.loads(orjson.dumps(told))
    assert {(w["trial"], w["arm"]): w["users"] for w in told["waiting"]} == {
        (name, arm): users for name in ("all", "reactivation") for arm, users in (("holdout", 1), ("treated", 11))
    }
    days = [row for row in told["trials"] if (row["trial"], row["kind"]) == ("all", "day")]
    assert [(row["arm"], row["number"], row["users"]) for row in days] == [
        ("holdout", T0 // DAY + 7, 1), ("treated", T0 // DAY + 7, 11)
    ]  # fmt: skip


class App(SimpleNamespace):
    """A worker that keeps the pages which are added to it."""

    def page(self, path):
        return lambda view: self.found.setdefault(path.partition("{")[0], view)


def ask(held, path, journal=None, body=None):
    """GET a page, or POST a body to it."""
    app = App(found={}, **vars(held))
    pages.add(app, journal)
    if path.startswith("/users/"):
        view = getattr(app.found["/users/"], "get" if body is None else "post")
    else:
        view = app.found[path.partition("?")[0]]
    request = make_mocked_request("GET", path)

    async def read():
        return body

    request.read = read
    answer = asyncio.run(view(None, request))
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize("user", ["ü/../a b?c#d%2Fe{f}\n&g", "..", "a+b", "%", "用户"])
def test_an_id_may_hold_anything(whole, user):
    status, told = ask(whole, f"/users/{quote(user, safe='').replace('.', '%2E')}")
    assert (status, told["user"]) == (404, user)


class Kept:
    """A journal that tells of everybody the same, or breaks."""

    def __init__(self, *told, error=None):
        self.told, self.error, self.asked = list(told), error, []

    async def read(self, user):
        self.asked.append(user)
        if self.error:
            raise self.error
        return self.told


TOLD = Told(
    id="d1", user="u1", at=T0, playbook="reactivation", transition="t", action="send", reason="sent",
    channels=("inbox",), trace=(), outcomes={"inbox": End("delivered", T0 + 1, 1)},
)  # fmt: skip


def test_what_was_decided_about_a_user_stands_on_a_page_of_its_own(whole):
    status, [one] = ask(whole, "/users/u1/decisions", Kept(TOLD))
    assert (status, one["id"], one["reason"], one["channels"]) == (200, "d1", "sent", ["inbox"])
    assert one["outcomes"] == {"inbox": {"outcome": "delivered", "at": T0 + 1, "attempts": 1, "detail": ""}}
    assert ask(whole, "/users/u1/decisions", Kept()) == (200, [])
    assert ask(whole, "/users/u1/decisions") == (200, [])  # without channels nothing is decided


def test_decisions_are_told_where_the_user_is(whole):
    kept = Kept(TOLD)
    status, told = ask(whole, f"/users/{NOBODY}/decisions", kept)
    assert (status, told["user"], told["held"]) == (404, NOBODY, True)
    number = home(b"u1", OF)
    status, told = ask(worker(*(set(range(OF)) - {number})), "/users/u1/decisions", kept)
    assert (status, told["partition"], told["held"]) == (404, number, False)
    assert kept.asked == []


def test_an_id_may_end_as_the_page_does(whole):
    status, told = ask(whole, "/users/u1%2Fdecisions")
    assert (status, told["user"]) == (404, "u1/decisions")
    status, told = ask(whole, "/users/a%2Fb%2Fdecisions/decisions", Kept())
    assert (status, told["user"]) == (404, "a/b/decisions")


WISH = orjson.dumps({"playbook": "reactivation", "settings": {"playbooks": {"reactivation": {"body": "Hello"}}}})


def test_what_a_playbook_would_send_is_told_where_the_user_is(whole):
    status, told = ask(whole, "/users/u1/preview", body=WISH)
    assert (status, told["user"], told["partition"]) == (200, "u1", home(b"u1", OF))
    assert told["trigger"] == {"on": "activity.dormant", "value": "active", "there": False}
    assert told["steps"][0]["decision"]["body"] == "Hello"
    status, told = ask(whole, f"/users/{NOBODY}/preview", body=WISH)
    assert (status, told["user"], told["held"]) == (404, NOBODY, True)
    number = home(b"u1", OF)
    status, told = ask(worker(*(set(range(OF)) - {number})), "/users/u1/preview", body=WISH)
    assert (status, told["partition"], told["held"]) == (404, number, False)
    assert ask(worker(*range(OF), working=False), "/users/u1/preview", body=WISH)[0] == 503


def test_a_preview_that_cannot_be_is_refused(whole):
    status, told = ask(whole, "/users/u1/preview", body=b'{"playbook": "reactivaton"}')
    assert (status, told["error"][:37]) == (400, "preview: 'reactivaton': there is no s")
    assert ask(whole, "/users/u1", body=WISH)[0] == 405


@pytest.mark.parametrize("error", [RedisError("connection refused"), TimeoutError()])
def test_without_redis_the_page_says_so(whole, error):
    status, told = ask(whole, "/users/u1/decisions", Kept(error=error))
    assert status == 503
    assert "Redis, which keeps what was decided about him, does not answer" in told["error"]


def test_growth_and_population_are_asked_by_their_paths(whole):
    assert ask(whole, "/growth?grain=month&count=3")[1]["periods"][-1]["start"] == "2023-11-01"
    status, told = ask(whole, "/population")
    assert (status, told["family"], told["users"]["activity"]["active"]) == (200, "threshold-based", len(USERS))
    assert ask(whole, "/lift")[1]["trials"] == []


@pytest.mark.parametrize("path", ["/users/u1", "/users/u1/decisions", "/growth", "/population", "/lift"])
def test_nothing_is_told_while_users_are_read_back(path):
    status, told = ask(worker(*range(OF), working=False), path)
    assert status == 503
    assert "waiting for the group" in told["error"]
