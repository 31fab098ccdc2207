from __future__ import annotations

from urllib.parse import parse_qsl

import orjson
import pytest

from streams.channels.attempt import TRIPS_AFTER
from streams.channels.weibo import Options, Weibo
from tests.channels.vendor import (
    AGAIN,
    BAD,
    CUT,
    DELIVERED,
    MESSAGE,
    PLAIN,
    REFUSED,
    UNASKED,
    UNKNOWN,
    ending,
    send,
)

OK = {"result": True, "sender_id": 1, "receiver_id": 2, "type": "text", "data": "{}"}
UID = "1902538057"


def make(url, **patience):
    return Weibo(Options(url, "s3cret", timeout_seconds=0.5), **patience)


def error(code):
    return 400, {"request": "/2/messages/reply.json", "error_code": code, "error": f"{UID} s3cret"}


def form(asked):
    return dict(parse_qsl(asked.body.decode(), strict_parsing=True))


def test_with_link_and_picture_it_is_an_article():
    [receipt], [asked], _ = send(make, OK, to=[UID])
    assert ending(receipt) == DELIVERED
    assert (asked.path, asked.query) == ("/2/messages/reply.json", {})
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    data = form(asked).pop("data")
    assert form(asked) == {
        "access_token": "s3cret",
        "receiver_id": UID,
        "save_sender_box": "1",
        "type": "articles",
        "data": data,
    }
    article = {
        "display_name": "我们想念你",
        "summary": "Come back & see",
        "image": MESSAGE.picture,
        "url": MESSAGE.link,
    }
    assert orjson.loads(data) == {"articles": [article]}


def test_else_it_is_a_text_which_keeps_its_link_whole():
    _, [asked], _ = send(make, OK, to=[UID], message=PLAIN)
    assert orjson.loads(form(asked)["data"]) == {"text": "我们想念你\nCome back"}
    long = type(PLAIN)("d", "u", "p", 1, "想", "念" * 2000, link=MESSAGE.link)
    _, [asked], _ = send(make, OK, to=[UID], message=long)
    text = orjson.loads(form(asked)["data"])["text"]
    assert (form(asked)["type"], len(text)) == ("text", 300)
    assert text.endswith(MESSAGE.link)


@pytest.mark.parametrize("code", [10001, "10002", 10009, 10023, "10024"])
def test_what_is_temporary_is_tried_again(code):
    [receipt], asked, pauses = send(make, error(code), OK, to=[UID])
    assert (ending(receipt), len(asked), len(pauses)) == (AGAIN, 2, 1)


@pytest.mark.parametrize("code", [21327, "21332", 10014])
def test_what_is_our_own_fault_is_told_and_is_not_his_address(code):
    [receipt], _, _ = send(make, error(code), to=[UID])
    assert (ending(receipt), receipt.detail) == (REFUSED, f"error_code {code}")


def test_a_fan_who_is_not_there_is_permanent_and_stops_no_other():
    def handle(asked):
        return error(20003) if form(asked)["receiver_id"] == "7" else OK

    receipts, _, _ = send(make, handle, to=[UID, *["7"] * (TRIPS_AFTER + 1), UID])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]


@pytest.mark.parametrize("address", ["", "somebody", "7&type=text", "٣"])
def test_what_is_no_uid_is_never_asked_for(address):
    [receipt], asked, _ = send(make, OK, to=[address])
    assert (ending(receipt), asked) == (UNASKED, [])


def test_a_message_that_may_have_been_sent_is_not_sent_again():
    [receipt], asked, _ = send(make, CUT, OK, to=[UID])
    assert (ending(receipt), len(asked)) == (UNKNOWN, 1)


def test_it_is_ready_with_a_token():
    assert Options(access_token="t").ready
    assert not Options().ready
