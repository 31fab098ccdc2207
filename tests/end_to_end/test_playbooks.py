"""Playbooks of one's own: on whatever topic their transitions are, for whom they are meant, in the words they say."""

from streams.settings import Playbook
from tests.end_to_end.history import START, order, profile
from tests.end_to_end.law import assert_same, read_inboxes
from tests.oracle import DAY

PLAYBOOKS = {
    "thanks": Playbook(
        on="customer.new_customer",
        when={"attributes.region": ("Beijing", "Harbin")},
        title="Thank you, {attributes.name|dear friend}",
        body="More in {interest|our shop}.",
    ),
    "rich": Playbook(on="points.large", title="{points|Many} points", body="x"),
}
PEOPLE = {
    "li": {"region": "Beijing", "name": "Li"},
    "wu": {"region": "Harbin"},
    "xu": {"region": "Shenzhen", "name": "Xu"},
}


def test_each_is_asked_for_whom_it_is_meant_and_speaks_to_him(play, real_kafka):
    scene = play(real_kafka, dimensions=("activity", "customer", "points"), playbooks=PLAYBOOKS)
    users = [*PEOPLE, "nobody"]
    scene.write([profile(user, 0, START, **said) for user, said in PEOPLE.items()])
    bought = [order(user, START + DAY, amount=2500.5 if user == "xu" else 10) for user in users]
    scene.write([event._replace(body=event.body | {"category": "tea"}) for event in bought])
    worker = scene.start_ready()
    scene.await_folded()
    scene.wait("everybody to be decided about", lambda: len(scene.outcomes()) >= 6)
    scene.await_pushed()
    scene.stop(worker)
    made = [(d.user, d.playbook, d.reason) for d in scene.decisions()]
    assert_same("decisions", made, [("li", "thanks", "sent"), ("wu", "thanks", "sent"), ("xu", "rich", "sent")])
    inboxes = read_inboxes(scene, users)
    said = {user: [(m.title, m.body) for m in messages] for user, messages in inboxes.items() if messages}
    assert said == {
        "li": [("Thank you, Li", "More in tea.")],
        "wu": [("Thank you, dear friend", "More in tea.")],
        "xu": [("2500 points", "x")],
    }
