"""The loop closed: what a user says on the preference page of any worker works before the next push."""

import json
import time

from streams.preference import PATH, token
from streams.settings import Push
from tests.end_to_end.history import click, profile
from tests.oracle import DAY

SECRET = "a-long-word"
HOUR = DAY // 24
PEOPLE = ("stays", "leaves", "clicks-once")
ABSENT = 14 * DAY
FORM = "application/x-www-form-urlencoded"


def path(user, channel="inbox", kind="content"):
    return PATH + token(SECRET, user, channel, kind, f"reactivation:{user}-1-1")


def test_who_unsubscribes_on_the_page_gets_no_further_push(play, real_kafka):
    scene = play(real_kafka, clock="wall", push=Push(channels=("inbox",), secret=SECRET))
    now = time.time_ns() // 1_000_000
    scene.write([profile(user, 0, now - 2 * ABSENT) for user in PEOPLE])
    worker = scene.start_ready()
    scene.await_folded()
    assert worker.page(path("leaves"), b'{"channel": "inbox", "subscribed": false}')[0] == 200
    assert worker.page(path("clicks-once"), b"List-Unsubscribe=One-Click", FORM)[0] == 200
    assert worker.page(path("leaves")[:-1])[0] == 404
    scene.wait("both to be folded", lambda: worker.metric("awaken_push_objections_total") == 2)
    assert values(worker, "leaves") == {"inbox": False}
    assert values(worker, "clicks-once") == values(worker, "stays") == {"inbox": True}
    scene.write([click(user, now - ABSENT - HOUR) for user in PEOPLE])
    scene.wait("everybody to be decided about", lambda: len(scene.decisions()) == len(PEOPLE))
    scene.await_pushed()
    reasons = {decision.user: decision.reason for decision in scene.decisions()}
    assert (reasons["leaves"], reasons["stays"]) == ("no_consent", "sent")
    assert {outcome.user for outcome in scene.outcomes()} >= {"stays"}
    assert "leaves" not in {outcome.user for outcome in scene.outcomes()}
    found = worker.by("awaken_push_objections_total", "playbook", "kind")
    assert found == {("reactivation", "unsubscribed"): 2}
    scene.stop(worker)


def values(worker, user):
    return json.loads(worker.page(path(user))[1])["channels"]
