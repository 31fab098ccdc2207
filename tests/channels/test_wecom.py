from __future__ import annotations

import pytest

from streams.channels.attempt import TRIPS_AFTER
from streams.channels.wecom import Options, Wecom
from tests.channels.vendor import AGAIN, BAD, CUT, DELIVERED, MESSAGE, PLAIN, REFUSED, UNKNOWN, ending, send

OK = {"errcode": 0, "errmsg": "ok"}
KEY = "693a91f6-7000-4bc4-97a0-0ec2sifa5aaa"


def make(url, **patience):
    return Wecom(Options(url, timeout_seconds=0.5), **patience)


def error(code):
    return {"errcode": code, "errmsg": f"{KEY}, see the documentation"}


def test_with_a_link_it_is_an_article_with_the_picture():
    [receipt], [asked], _ = send(make, OK, to=[KEY])
    assert ending(receipt) == DELIVERED
    assert (asked.path, asked.query) == ("/cgi-bin/webhook/send", {"key": KEY})
    assert asked.json == {
        "msgtype": "news",
        "news": {
            "articles": [
                {
                    "title": "我们想念你",
                    "description": "Come back & see",
                    "url": MESSAGE.link,
                    "picurl": MESSAGE.picture,
                }
            ]
        },
    }


def test_without_a_link_it_is_a_text_of_so_many_bytes_at_most():
    _, [asked], _ = send(make, OK, message=PLAIN)
    assert asked.json == {"msgtype": "text", "text": {"content": "我们想念你\nCome back"}}
    long = type(PLAIN)("d", "u", "p", 1, "想", "念" * 2000)
    _, [asked], _ = send(make, OK, message=long)
    assert len(asked.json["text"]["content"].encode()) <= 2048


@pytest.mark.parametrize("trouble", [error(45009), error(-1), (503, {}), (429, {})])
def test_what_is_temporary_is_tried_again(trouble):
    [receipt], asked, pauses = send(make, trouble, OK)
    assert (ending(receipt), len(asked), len(pauses)) == (AGAIN, 2, 1)


def test_a_message_that_is_refused_is_told_by_its_code():
    [receipt], _, _ = send(make, error(40008))
    assert (ending(receipt), receipt.detail) == (REFUSED, "errcode 40008")


@pytest.mark.parametrize("said", [b"", b"\xff", b"[" * 100_000, b"[1]", b'{"errcode": "0"}'])
def test_an_answer_that_says_nothing_is_no_success(said):
    [receipt], _, _ = send(make, said)
    assert (ending(receipt), receipt.detail) == (REFUSED, "200 OK, without an errcode")


def test_a_group_without_that_robot_is_permanent_and_stops_no_other():
    def handle(asked):
        return OK if asked.query["key"] == KEY else error(93000)

    receipts, _, _ = send(make, handle, to=[KEY, *["gone"] * (TRIPS_AFTER + 1), KEY])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]
    assert all("gone" not in receipt.detail and KEY not in receipt.detail for receipt in receipts)


def test_a_message_that_may_have_been_sent_is_not_sent_again():
    [receipt], asked, _ = send(make, CUT, OK)
    assert (ending(receipt), len(asked)) == (UNKNOWN, 1)


def test_a_platform_that_is_not_there_is_tried_again_and_no_key_gets_out():
    [receipt], _, pauses = send(lambda _, **patience: make("http://127.0.0.1:1", **patience), OK, to=[KEY])
    assert (ending(receipt), len(pauses)) == (("failed", 4, False, False), 3)
    assert receipt.detail.startswith("not connected: ")
    assert KEY not in receipt.detail


def test_it_is_ready_with_an_endpoint():
    assert Options("https://qyapi.weixin.qq.com").ready
    assert not Options().ready
