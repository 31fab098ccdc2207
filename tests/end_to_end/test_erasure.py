"""A profile's tombstone erases the user: row, changelog, inbox and gate; who comes back begins anew."""

import asyncio

from redis.asyncio import Redis

from tests.end_to_end.history import PROFILES, START, Event, click, home, padded, profile
from tests.end_to_end.law import assert_same, read_inboxes
from tests.end_to_end.scene import PARTITIONS, rows
from tests.oracle import DAY

GONE = "gone"
OTHER = next(f"other{number}" for number in range(100) if home(f"other{number}", PARTITIONS) == home(GONE, PARTITIONS))


def tombstone(user, at):
    return Event(PROFILES, user, at, None)


def on(day):
    return START + day * DAY


def dormant_both(scene):
    """Let both users become dormant, on days 15 and 17, with a message each; return the worker."""
    scene.write([profile(GONE, 0, on(0)), profile(OTHER, 0, on(0))])
    scene.write([click(GONE, on(1)), click(OTHER, on(3)), click(OTHER, on(18))])
    worker = scene.start_ready()
    scene.await_pushed()
    inboxes = read_inboxes(scene, {GONE, OTHER})
    assert [len(inboxes[user]) for user in (GONE, OTHER)] == [1, 1]
    return worker


def test_the_erased_user_is_gone_everywhere_and_begins_anew(scene):
    worker = dormant_both(scene)
    scene.write([tombstone(GONE, on(19))])
    scene.await_folded()
    assert_gone(scene)
    scene.write([click(GONE, on(20)), click(OTHER, on(40))])
    scene.await_pushed()
    scene.stop(worker)
    anew = [e for e in scene.transitions() if e.subject == GONE and e.data.at >= on(20)]
    assert [e.data.seq for e in anew] == list(range(1, len(anew) + 1))
    again = [row[2:] for row in rows(anew)]
    due = [("new", on(20), "event"), ("active", on(27), "time"), ("dormant", on(34), "time")]
    assert_same("the second life", again, due)
    reasons = [d.reason for d in scene.decisions() if d.user == GONE]
    assert reasons == ["sent", "no_consent"]


def test_erasure_at_the_end_of_a_backlog_is_complete_too(scene):
    scene.stop(dormant_both(scene))
    scene.write([padded(click(OTHER, on(19) + n), 4000) for n in range(1500)])
    scene.write([tombstone(GONE, on(20))])
    worker = scene.start_ready("the second")
    scene.await_folded()
    assert_gone(scene)
    scene.stop(worker)


def assert_gone(scene):
    """Nothing of him is left in Redis, and his row is a tombstone; the other is untouched."""
    inboxes = read_inboxes(scene, {GONE, OTHER})
    assert (inboxes[GONE], len(inboxes[OTHER])) == ([], 1)
    assert keys_of(scene, GONE) == []
    assert keys_of(scene, OTHER)
    newest = {r.key: r.value for r in scene.changelog()}
    assert newest[GONE.encode()] is None
    assert newest[OTHER.encode()] is not None


def keys_of(scene, user):
    """The Redis keys that hold something about a user."""

    async def scan():
        async with Redis.from_url(scene.settings.redis) as redis:
            return [key async for key in redis.scan_iter(f"{scene.settings.group}:{{{user}}}:*", count=1000)]

    return asyncio.run(scan())
