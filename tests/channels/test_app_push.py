from __future__ import annotations

import pytest

from streams.channels.app_push import AppPush, Options
from streams.channels.attempt import TRIPS_AFTER
from tests.channels.vendor import AGAIN, BAD, CUT, DELIVERED, MESSAGE, PLAIN, REFUSED, SILENCE, ending, send

OK = {"name": "projects/my-shop/messages/0:1"}
FCM = "type.googleapis.com/google.firebase.fcm.v1.FcmError"


def make(url, token="t0ken", token_file="", **patience):
    return AppPush(Options(url, "my-shop", token, token_file, timeout_seconds=0.5), **patience)


def error(status, word, code="", field=""):
    details = [{"@type": FCM, "errorCode": code}] if code else []
    if field:
        wrong = {"field": field, "description": "Invalid registration token"}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [wrong]})
    return status, {"error": {"code": status, "message": "a1 t0ken", "status": word, "details": details}}


def test_one_notification_with_picture_and_link_and_the_decision_for_the_app():
    [receipt], [asked], _ = send(make, OK)
    assert ending(receipt) == DELIVERED
    assert asked.path == "/v1/projects/my-shop/messages:send"
    assert asked.headers["Authorization"] == "Bearer t0ken"
    message = asked.json["message"]
    key = message["apns"]["headers"]["apns-collapse-id"]
    assert message == {
        "token": "a1",
        "notification": {"title": "我们想念你", "body": "Come back & see", "image": MESSAGE.picture},
        "data": {
            "decision": MESSAGE.decision,
            "playbook": "reactivation",
            "kind": "offer",
            "link": MESSAGE.link,
            "unsubscribe": MESSAGE.unsubscribe,
        },
        "android": {"collapse_key": key, "notification": {"tag": key}},
        "apns": {"headers": {"apns-collapse-id": key}},
        "webpush": {"fcm_options": {"link": MESSAGE.link}},
    }
    assert len(key) <= 64
    _, [other], _ = send(make, OK, message=PLAIN)
    assert other.json["message"].keys() == {"token", "notification", "data", "android", "apns"}


@pytest.mark.parametrize(
    "trouble",
    [
        error(503, "UNAVAILABLE", "UNAVAILABLE"),
        error(500, "INTERNAL", "INTERNAL"),
        error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        (502, "no JSON of theirs"),
        SILENCE,
        CUT,
    ],
)
def test_what_is_temporary_is_tried_again_and_replaces_the_one_before(trouble):
    [receipt], asked, pauses = send(make, trouble, OK)
    assert (ending(receipt), len(asked), len(pauses)) == (AGAIN, 2, 1)
    assert asked[0].body == asked[1].body


def test_retry_after_is_honoured():
    _, _, pauses = send(make, (*error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"), {"Retry-After": "7"}), OK)
    assert pauses == [7.5]


@pytest.mark.parametrize(
    "answer",
    [
        error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        error(400, "INVALID_ARGUMENT", field="message.data[0].value"),
        error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        error(403, "PERMISSION_DENIED"),
        (404, "no such project"),
    ],
)
def test_what_is_our_own_fault_is_told_and_is_not_his_address(answer):
    [receipt], _, _ = send(make, answer)
    assert ending(receipt) == REFUSED
    assert receipt.detail.startswith(str(answer[0]))
    assert "t0ken" not in receipt.detail


@pytest.mark.parametrize(
    "answer",
    [
        error(404, "NOT_FOUND", "UNREGISTERED"),
        error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
        error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", "message.token"),
    ],
)
def test_an_app_that_is_gone_is_permanent_and_stops_no_other(answer):
    def handle(asked):
        return answer if asked.json["message"]["token"] == "gone" else OK

    receipts, _, _ = send(make, handle, to=["a1", *["gone"] * (TRIPS_AFTER + 1), "a1"])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]


def test_a_token_from_a_file_is_the_one_that_is_there_when_it_is_tried(tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")

    def handle(asked):
        if asked.headers["Authorization"] == "Bearer new":
            return OK
        file.write_text("new\n")
        return error(401, "UNAUTHENTICATED")

    receipts, asked, _ = send(make, handle, to=["a1", "a2"], token_file=str(file))
    assert [ending(receipt) for receipt in receipts] == [AGAIN, DELIVERED]
    assert [one.headers["Authorization"] for one in asked] == ["Bearer old", "Bearer new", "Bearer new"]


def test_a_file_that_is_not_there_is_told(tmp_path):
    [receipt], asked, _ = send(make, OK, token_file=str(tmp_path / "none"))
    assert (receipt.outcome, asked) == ("failed", [])
    assert "token_file cannot be read" in receipt.detail


def test_it_is_ready_with_a_project_and_a_token():
    assert Options(project="p", token="t").ready
    assert Options(project="p", token_file="f").ready
    assert not Options(project="p").ready
    assert not Options(token="t").ready
