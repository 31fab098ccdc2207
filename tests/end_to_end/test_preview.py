"""`awaken preview` on a worker: what it shows is what the worker then sends."""

import json

import msgspec

from streams.settings import Playbook, Step
from tests.end_to_end.history import START, click, profile
from tests.end_to_end.test_why import awaken
from tests.oracle import DAY

MINE = Playbook(body="Hello, {attributes.name|friend}", steps=(Step(2, "Once more", "x"),))


def test_a_playbook_that_no_worker_knows_is_shown_for_a_user_who_is_there(plain_scene):
    scene = plain_scene
    scene.write([profile("ann", 0, START, name="Ann"), *(click("ann", START + day * DAY) for day in range(3))])
    worker = scene.start_ready()
    scene.await_folded()
    url = f"http://127.0.0.1:{worker.settings.web_port}"
    settings = msgspec.structs.replace(scene.settings, playbooks={"mine": MINE})
    told = json.loads(awaken(settings, "preview", "mine", "ann", "--url", url, "--json"))
    assert (told["user"], told["trigger"]["value"], told["trigger"]["there"]) == ("ann", "active", False)
    first, second = (step["decision"] for step in told["steps"])
    assert (first["action"], first["body"], second["title"]) == ("send", "Hello, Ann", "Once more")
    assert {"inbox", "webhook"} == set(first["channels"])
    page = awaken(settings, "preview", "mine", "ann", "--url", url, "--trace")
    for words in ("would be sent", "Hello, Ann", "Message 2 of 2", "not asked"):
        assert words in page
    assert "nothing is known of 'bob'" in awaken(settings, "preview", "mine", "bob", "--url", url, code=2)
    assert scene.decisions() == []
