"""WeChat's two channels on one platform."""

from __future__ import annotations

import asyncio

import pytest

from streams.channels import wechat, wechat_mini
from streams.channels.attempt import TRIPS_AFTER
from tests.channels.vendor import (
    AGAIN,
    BAD,
    CUT,
    DELIVERED,
    MESSAGE,
    PLAIN,
    REFUSED,
    SILENCE,
    UNKNOWN,
    Vendor,
    ending,
    send,
)

OK = {"errcode": 0, "errmsg": "ok", "msgid": 1}
SENDS = ("/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/send")


def official(url, **patience):
    data = {"thing1": "{title}", "thing2": "{body}, dear friend of ours", "phrase3": "our lovely shop"}
    options = wechat.Options(url, "app", "s3cret", "T1", data, timeout_seconds=0.5)
    return wechat.Wechat(options, **patience)


def mini(url, **patience):
    page = "pages/index?to={link}"
    options = wechat_mini.Options(url, "app", "s3cret", "T2", page, state="trial", timeout_seconds=0.5)
    return wechat_mini.WechatMini(options, **patience)


def platform(*answers, token=lambda n: f"token{n}", expires=7200):
    """Return a function that gives tokens, and to each message the next answer, the last for ever."""
    script, tokens = list(answers), []

    def handle(asked):
        if asked.path == "/cgi-bin/stable_token":
            assert asked.json == {"grant_type": "client_credential", "appid": "app", "secret": "s3cret"}
            tokens.append(token(len(tokens) + 1))
            return {"access_token": tokens[-1], "expires_in": expires}
        answer = script.pop(0) if len(script) > 1 else script[0]
        return answer(asked) if callable(answer) else answer

    return handle


def error(code):
    return {"errcode": code, "errmsg": "openid-1 s3cret token1"}


def sent(asked):
    return [one for one in asked if one.path in SENDS]


def asked_for_tokens(asked):
    return sum(one.path == "/cgi-bin/stable_token" for one in asked)


both = pytest.mark.parametrize("make", [official, mini])


def test_an_official_account_sends_its_template_filled_and_cut_to_what_fits():
    [receipt], asked, _ = send(official, platform(OK), to=["openid-1"])
    assert ending(receipt) == DELIVERED
    [one] = sent(asked)
    assert (one.path, one.query) == (SENDS[0], {"access_token": "token1"})
    key = one.json["client_msg_id"]
    assert one.json == {
        "touser": "openid-1",
        "template_id": "T1",
        "url": MESSAGE.link,
        "client_msg_id": key,
        "data": {
            "thing1": {"value": "我们想念你"},
            "thing2": {"value": "Come back & see, de…"},
            "phrase3": {"value": "our …"},
        },
    }
    assert len(one.json["data"]["thing2"]["value"]) == 20
    assert len(key) == 32
    [other] = sent(send(official, platform(OK), message=PLAIN)[1])
    assert other.json["client_msg_id"] == key  # of the same decision
    assert "url" not in other.json


def test_a_mini_program_sends_its_template_and_the_page_that_a_tap_opens():
    [receipt], asked, _ = send(mini, platform(OK), to=["openid-1"])
    assert ending(receipt) == DELIVERED
    [one] = sent(asked)
    assert (one.path, one.query) == (SENDS[1], {"access_token": "token1"})
    assert one.json == {
        "touser": "openid-1",
        "template_id": "T2",
        "page": "pages/index?to=https%3A%2F%2Fshop.example%2Fnew%3Fawaken%3Dreactivation%3At1",
        "miniprogram_state": "trial",
        "lang": "zh_CN",
        "data": {"thing1": {"value": "我们想念你"}, "thing2": {"value": "Come back & see"}},
    }


@both
def test_one_token_serves_until_shortly_before_its_end(make):
    receipts, asked, _ = send(make, platform(OK), to=["a", "b", "c"])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED] * 3
    assert asked_for_tokens(asked) == 1
    _, asked, _ = send(make, platform(OK, expires=30), to=["a", "b", "c"])
    assert asked_for_tokens(asked) == 3


@both
def test_who_comes_while_a_token_is_asked_for_waits_for_that_one(make):
    async def run():
        async with Vendor(platform(OK)).listening() as vendor:
            channel = make(vendor.url)
            receipts = await asyncio.gather(*(channel.send(MESSAGE, f"o{n}") for n in range(20)))
            await channel.close()
            return receipts, vendor.asked

    receipts, asked = asyncio.run(run())
    assert [ending(receipt) for receipt in receipts] == [DELIVERED] * 20
    assert (asked_for_tokens(asked), len(sent(asked))) == (1, 20)


@both
@pytest.mark.parametrize("code", [40001, 42001, 40014])
def test_a_token_that_is_no_longer_good_is_renewed_at_once(make, code):
    [receipt], asked, pauses = send(make, platform(error(code), OK), to=["a"])
    assert ending(receipt) == DELIVERED
    assert [one.query["access_token"] for one in sent(asked)] == ["token1", "token2"]
    assert pauses == []


@both
def test_a_token_that_they_never_take_is_our_fault_and_no_loop(make):
    [receipt], asked, _ = send(make, platform(error(40001)), to=["a"])
    assert (ending(receipt), receipt.detail) == (REFUSED, "errcode 40001")
    assert len(sent(asked)) == 2


@both
@pytest.mark.parametrize(
    ("answer", "expected"),
    [(error(40125), REFUSED), (error(40164), REFUSED), (SILENCE, None), (error(45009), None)],
)
def test_without_a_token_nothing_is_sent_and_it_is_told(make, answer, expected):
    [receipt], asked, _ = send(make, answer, to=["a"])
    assert sent(asked) == []
    assert receipt.detail.startswith("no access token: ")
    assert ending(receipt) == (expected or ("failed", 4, False, False))


@both
@pytest.mark.parametrize("trouble", [error(-1), error(45009), error(45011), (503, {}), (429, "no JSON of theirs")])
def test_what_is_temporary_is_tried_again(make, trouble):
    [receipt], asked, pauses = send(make, platform(trouble, OK), to=["a"])
    assert (ending(receipt), len(sent(asked)), len(pauses)) == (AGAIN, 2, 1)


@both
@pytest.mark.parametrize("code", [40037, 47003, 41030, 48001])
def test_what_is_our_own_fault_is_told_and_is_not_his_address(make, code):
    [receipt], _, _ = send(make, platform(error(code)), to=["a"])
    assert (ending(receipt), receipt.detail) == (REFUSED, f"errcode {code}")


@both
@pytest.mark.parametrize("code", [40003, 43004, 43101, 43019])
def test_who_refuses_or_is_unknown_is_permanent_and_stops_no_other(make, code):
    def handle(asked):
        return error(code) if asked.json["touser"] == "bad" else OK

    receipts, _, _ = send(make, platform(handle), to=["a", *["bad"] * (TRIPS_AFTER + 1), "b"])
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]


@pytest.mark.parametrize("trouble", [SILENCE, CUT, (502, {})])
def test_only_an_official_account_may_repeat_what_may_have_arrived(trouble):
    [receipt], asked, _ = send(official, platform(trouble, OK))
    assert ending(receipt) == AGAIN
    assert len({one.json["client_msg_id"] for one in sent(asked)}) == 1
    [receipt], asked, _ = send(mini, platform(trouble, OK))
    assert (ending(receipt), len(sent(asked))) == (UNKNOWN, 1)


@pytest.mark.parametrize("options", [wechat.Options, wechat_mini.Options])
def test_they_are_ready_with_credentials_and_a_template(options):
    full = {"appid": "a", "secret": "b", "template_id": "c"}
    assert options(**full).ready
    assert not any(options(**full | {name: ""}).ready for name in full)
