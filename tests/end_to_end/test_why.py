"""`awaken why` and `awaken growth`: a worker and a replay of the topics say the same of everybody."""

import json
import os
import subprocess
import sys
from urllib.parse import quote

import pytest

from streams.settings import Settings, environment
from tests.end_to_end.history import ORDERS, Event, click, order, profile
from tests.oracle import DAY

T0 = 1_700_438_400_000  # 2023-11-20, a Monday, 00:00 UTC
HOUR = DAY // 24
ODD = "ü/../a b?c#d%2Fe{f}\n&g"
ADDRESS = "secret@example.org"


def awaken(settings, *words, code=0):
    ended = subprocess.run(
        [sys.executable, "-m", "streams.cli", *words],
        env={k: v for k, v in os.environ.items() if not k.startswith("AWAKEN_")}
        | environment(settings)
        | {"COLUMNS": "160"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    return ended.stdout if code == 0 else ended.stderr


def life(user, number):
    """Check-ins on four days, a view of an interest, two orders, of which one is taken back."""
    start = T0 + number * HOUR
    events = [click(user, start + day * DAY, kind="checkin", category="tea") for day in range(4)]
    bought = [order(user, start + day * DAY + HOUR, amount=75.5) for day in (1, 2)]
    undone = bought[1].body | {"at": start + 3 * DAY + HOUR, "status": "refunded"}
    said = profile(user, number, start)
    said = said._replace(body=said.body | {"contacts": {"email": ADDRESS}, "consent": {"email": True, "sms": True}})
    return [*events, *bought, Event(ORDERS, user, undone["at"], undone), said]


@pytest.fixture
def told(play, real_kafka):
    """A scene of all dimensions with a worker that has folded a few users, some of them away for long."""
    scene = play(real_kafka, dimensions=Settings().dimensions)
    users = ["ann", "bob", ODD]
    events = [event for number, user in enumerate(users) for event in life(user, number)]
    events += [click(f"early-{n}", T0 + 40 * DAY) for n in range(12)]  # time goes on in every partition
    scene.write(sorted(events, key=lambda event: event.at))
    worker = scene.start_ready()
    scene.await_folded()
    url = f"http://127.0.0.1:{worker.settings.web_port}"
    scene.wait("time to be decided", lambda: all(
        row["decided_through"] == row["now"] for row in (page(worker, user)[1] for user in users)
    ))  # fmt: skip
    scene.await_pushed()
    return scene, worker, url


def page(worker, user):
    status, text = worker.page(f"/users/{quote(user, safe='').replace('.', '%2E')}")
    assert ADDRESS not in text
    return status, json.loads(text)


@pytest.mark.parametrize("user", ["ann", ODD])
def test_a_worker_and_a_replay_say_the_same(told, user):
    scene, _, url = told
    asked = json.loads(awaken(scene.settings, "why", user, "--url", url, "--json"))
    again = json.loads(awaken(scene.settings, "why", user, "--topics", "--json"))
    assert asked["notes"] == again["notes"] == []
    assert {**asked, "history": []} == {**again, "history": []}
    assert len(again["history"]) == again["transitions"] > 10
    assert [t["seq"] for t in again["history"]] == list(range(1, again["transitions"] + 1))
    values = {name: held["value"] for name, held in asked["values"].items()}
    assert (values["activity"], values["customer"]) == ("churned", "old_customer")
    assert asked["user"] == user
    assert [made["reason"] for made in asked["decisions"]] == ["no_consent"]
    assert asked["orders"]["count"] == 1
    assert asked["orders"]["spend"] == 7550
    assert asked["why"]["activity"]["cause"] == "time"
    assert asked["why"]["activity"]["evidence"]["threshold_days"] == 30
    assert asked["interests"][0]["category"] == "tea"
    assert asked["contact"] == {"reachable": ["email"], "allowed": ["sms", "email"]}


def test_the_page_is_in_a_persons_words(told):
    scene, _, url = told
    for text in (awaken(scene.settings, "why", "bob", "--url", url), awaken(scene.settings, "why", "bob", "--topics")):
        for words in (
            "Who he is",
            "churned",
            "has stayed away so long",
            "days allowed 30",
            "1 order, 75.50 in all",
            "tea",
            "not sent: he allows none of the channels that it could go by",
            "consent ✗ on no channel of ours",
        ):
            assert words in text
        assert ADDRESS not in text


def test_what_cannot_be_told_is_told_in_a_line(told):
    scene, worker, url = told
    assert "nothing is known of 'nobody'" in awaken(scene.settings, "why", "nobody", "--url", url, code=2)
    assert "nothing is known of 'nobody'" in awaken(scene.settings, "why", "nobody", "--topics", code=2)
    status, said = page(worker, "nobody")
    assert (status, said["held"], said["partitions"], said["of"]) == (404, True, [0, 1, 2], 3)


def test_the_growth_accounting_is_that_of_all_partitions(told):
    scene, worker, url = told
    found = json.loads(awaken(scene.settings, "growth", "--url", url, "--grain", "week", "--count", "6", "--json"))
    assert (found["family"], found["missing"]) == ("period-based", [])
    accounts = [(p["start"], p["new"], p["retained"], p["resurrected"], p["churned"]) for p in found["periods"]]
    assert accounts[0] == ("2023-11-20", 3, 0, 0, 0)
    assert accounts[1] == ("2023-11-27", 0, 0, 0, 3)
    assert accounts[-1] == ("2023-12-25", 12, 0, 0, 0)
    assert found["population"] == {
        "family": "threshold-based",
        "users": {"activity": {"new": 12, "active": 0, "dormant": 0, "churned": 3, "returning": 0}},
    }
    text = awaken(scene.settings, "growth", "--url", url)
    assert "period-based" in text
    assert "2023-12-25" in text
    population = json.loads(worker.page("/population")[1])
    assert population["users"]["activity"] == found["population"]["users"]["activity"]
    assert population["family"] == "threshold-based"
    assert worker.by("awaken_users", "dimension", "value")["activity", "churned"] == 3
