"""What a playbook would send a user, before it is deployed."""

import asyncio
import json
from types import SimpleNamespace

import msgspec
import orjson
import pytest

from streams.channels.known import Channels
from streams.channels.sms import Options as Sms
from streams.channels.webhook import Options as Webhook
from streams.playbook import SHIPPED
from streams.push.voucher import key_of, verify
from streams.settings import Playbook, Push, Settings, SettingsError, Step
from streams.shard import Shard
from streams.wire.block import Block
from streams.wire.message import Decision
from streams.worker.chunk import Chunk
from streams.worker.partition import Partition, rules_of
from streams.worker.preview import preview, wished
from tests.oracle import DAY

T0 = 1_700_438_400_000  # 2023-11-20, a Monday, 00:00 UTC
HOUR = DAY // 24
SECRET = "nobody knows this one"
USER = "ann"
SETTINGS = Settings(
    partitions=1,
    push=Push(secret=SECRET, quiet_from="22:00", quiet_to="08:00", spread_minutes=0),
    channels=Channels(
        webhook=Webhook(url="http://127.0.0.1:1/"),
        sms=Sms(key_id="k", key_secret="s", sign_name="shop", template_code="t", variable_length=12),
    ),
)
PROFILE = {
    "user": USER, "at": T0, "attributes": {"region": "Beijing", "name": "Ann"},
    "contacts": {"inbox": USER, "sms": "+8613900000000"}, "consent": {"inbox": True, "sms": True},
}  # fmt: skip


def partition(*, days=20, hours=12, profile=PROFILE, settings=SETTINGS, clicks=({},)):
    """Ann, who was here on two days, so many days later at that hour (UTC)."""
    now = T0 + days * DAY + hours * HOUR
    held = Partition(
        0, settings, Shard(rules_of(settings)), SimpleNamespace(record=lambda *_: None, pending_bytes=0),
        SimpleNamespace(read_to_end=lambda _topic, _partition: now), now=lambda: now,
    )  # fmt: skip
    acts = [{"user": USER, "at": T0 + day * DAY, "kind": "view", "category": "tea"} for day in (0, 1)]
    acts += [{"user": USER, "at": T0 + 2 * DAY} | more for more in clicks if more]
    for topic, events in ((settings.topics.clicks, acts), (settings.topics.profiles, [profile] if profile else [])):
        records = [
            SimpleNamespace(offset=n, timestamp=T0, key=b"ann", value=orjson.dumps(event), headers=[])
            for n, event in enumerate(events)
        ]
        held.receive(Chunk(topic, 0, Block.of(records), len(records)))
    held.pump()
    return held


def look(held=None, name="mine", offers=None, **fields):
    """What the page says of a playbook that is brought along; its steps' decisions as such."""
    brought = {"playbooks": {name: fields}} | ({"offers": offers} if offers else {})
    body = msgspec.json.encode({"playbook": name, "settings": brought})
    held = held or partition()
    told = asyncio.run(preview(held, USER, *wished(body, held.settings)))
    json.loads(orjson.dumps(told))
    return told, [msgspec.convert(step["decision"], Decision) for step in told["steps"]]


def test_the_message_is_told_in_his_words_with_its_channels_and_what_it_costs():
    told, [one] = look(body="New in {interest|our shop}, {attributes.name|friend}", link="https://shop.example/new")
    assert (one.action, one.reason, one.body) == ("send", "sent", "New in tea, Ann")
    assert (one.channels, one.cost) == (("inbox", "sms"), 0.05)
    assert told["trigger"] == {"on": "activity.dormant", "value": "dormant", "there": True}
    assert told["steps"][0]["shown"]["inbox"] == {
        "title": "We miss you", "body": "New in tea, Ann", "link": "https://shop.example/new?awaken=mine:preview",
    }  # fmt: skip


def test_a_channel_shows_its_own_words_cut_to_what_it_has_room_for():
    told, _ = look(title="All", texts={"sms": {"body": "A text that is far too long"}})
    assert told["steps"][0]["shown"]["sms"] == {"text": "A text that…"}
    assert told["steps"][0]["shown"]["inbox"]["title"] == "All"


def test_who_is_not_at_the_trigger_is_shown_what_he_would_get_there():
    told, [one] = look(on="activity.churned")
    assert told["trigger"] == {"on": "activity.churned", "value": "dormant", "there": False}
    assert one.action == "send"


def test_a_day_is_no_value_that_he_could_have():
    told, [one] = look(on="calendar.birthday")
    assert told["trigger"] == {"on": "calendar.birthday", "value": None, "there": None}
    assert one.action == "send"


def test_each_condition_is_told_with_what_he_has():
    told, [one] = look(when={"attributes.region": ["Beijing", "Harbin"], "attributes.income": "high", "rfm": "keep"})
    assert told["when"] == [
        {"name": "attributes.region", "wanted": ["Beijing", "Harbin"], "value": "Beijing", "holds": True},
        {"name": "attributes.income", "wanted": ["high"], "value": None, "holds": False},
        {"name": "rfm", "wanted": ["keep"], "value": "none", "holds": False},
    ]
    assert one.action == "send"  # what he would get if it held


def test_each_step_is_decided_as_of_its_own_time():
    steps = [{"after_days": 2.5, "title": "Still there?", "body": "x"}]
    told, [first, second] = look(steps=steps)
    assert (first.action, second.action, second.reason) == ("send", "hold", "quiet_hours")
    assert [step["after_days"] for step in told["steps"]] == [0, 2.5]
    assert (second.at, second.until) == (told["now"] + 5 * DAY // 2, told["now"] + 5 * DAY // 2 + 8 * HOUR)


def test_a_first_message_that_waits_is_decided_as_of_then():
    told, [one] = look(after_days=3)
    assert (told["steps"][0]["after_days"], one.at) == (3, told["now"] + 3 * DAY)


def test_an_offer_that_will_have_ended_by_then_is_not_sent():
    offers = {"gift": {"kind": "spend_and_save", "value": 20, "min_spend": 100, "valid_until": "2023-12-11"}}
    steps = [{"after_days": 7, "title": "x", "body": "{offer.code}", "kind": "offer", "offer": "gift"}]
    _, [first, second] = look(offers=offers, kind="offer", offer="gift", title="{offer.terms}", steps=steps)
    assert (first.action, first.title) == ("send", "20 off an order of 100 or more, until 11 December")
    assert (second.action, second.reason) == ("suppress", "offer_gone")


def test_no_code_of_a_preview_is_genuine():
    offers = {"gift": {"kind": "spend_and_save", "value": 20, "min_spend": 100}}
    _, [one] = look(offers=offers, kind="offer", offer="gift", body="{offer.code}")
    assert one.body == one.offer.code
    assert verify(one.offer.code, key_of("gift", SECRET)) == "unknown"


def test_he_is_refused_as_in_earnest_and_the_message_is_told_all_the_same():
    told, [one] = look(partition(profile=PROFILE | {"consent": {}}))
    assert (one.action, one.reason, one.channels) == ("suppress", "no_consent", ())
    assert set(told["steps"][0]["shown"]) == {"inbox", "webhook", "sms"}
    _, [one] = look(partition(clicks=[{"kind": "complaint"}]))
    assert (one.action, one.reason) == ("suppress", "open_complaint")


def test_channels_that_are_not_set_up_are_named():
    told, [one] = look(channels=["wechat", "sms"])
    assert (told["steps"][0]["not_ready"], one.channels) == (["wechat"], ("sms",))


def test_his_hours_count_for_a_playbook_that_is_not_deployed():
    _, [one] = look(partition(hours=12), timing="best_hour")
    assert (one.action, one.reason) == ("hold", "quiet_hours")  # he is here at midnight only


def test_one_that_is_switched_off_can_be_looked_at():
    _, [one] = look(enabled=False)
    assert one.action == "send"


def test_what_is_brought_along_lies_above_the_workers_own():
    theirs = Playbook(title="Theirs", body="As it is", steps=(Step(1, "a", "b"),))
    own = msgspec.structs.replace(SETTINGS, playbooks={"mine": theirs})
    told, decisions = look(partition(settings=own), title="Ours")
    assert [d.title for d in decisions] == ["Ours", "a"]
    assert decisions[0].body == "As it is"
    assert told["unasked"] == ("caps", "budgets", "breaker")


def test_those_that_are_there_from_the_start_can_be_looked_at():
    held = partition()
    for name, playbook in SHIPPED.items():
        told = asyncio.run(preview(held, USER, *wished(msgspec.json.encode({"playbook": name}), SETTINGS)))
        assert len(told["steps"]) == len(playbook.steps) + 1, name


def test_looking_changes_nothing():
    held = partition()
    before = held.shard.rows.tobytes(), held.settings
    look(held)
    assert (held.shard.rows.tobytes(), held.settings) == before


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "preview: "),
        (b"\xff", "preview: "),
        (b'{"playbook": "mine"}', "preview: 'mine': there is no such playbook; there are "),
        (b'{"settings": {}}', "playbook"),
        (b'{"playbook": "x", "settings": {"kafka": "x:1"}}', "kafka: only playbooks, offers, budgets can be brought"),
        (b'{"playbook": "x", "settings": {"playbooks": {"x": {"body": "{interest}"}}}}', "playbooks.x.body"),
        (b'{"playbook": "x", "settings": {"playbooks": {"x": {"boby": "x"}}}}', "did you mean playbooks.x.body"),
    ],
)
def test_what_cannot_be_asked_is_told(body, said):
    with pytest.raises(SettingsError) as refused:
        wished(body, SETTINGS)
    assert said in str(refused.value)
