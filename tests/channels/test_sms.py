from __future__ import annotations

import hashlib
import hmac
from urllib.parse import quote

import orjson
import pytest

from streams.channels.attempt import TRIPS_AFTER
from streams.channels.sms import Options, Sms, authorization, canonical
from tests.channels.vendor import (
    AGAIN,
    BAD,
    CUT,
    DELIVERED,
    MESSAGE,
    REFUSED,
    SILENCE,
    UNASKED,
    UNKNOWN,
    ending,
    send,
)

OK = {"Code": "OK", "Message": "OK", "BizId": "1^2", "RequestId": "r"}
NUMBER = "13900000000"


def make(url, **patience):
    options = Options(
        url=url, key_id="id", key_secret="s3cret", sign_name="小店", template_code="SMS_1", timeout_seconds=0.5,
        variables={"name": "{title}", "text": "{body} {link}", "shop": "our shop"},
    )  # fmt: skip
    return Sms(options, wall=lambda: 1_700_000_000.9, nonce=lambda: "n0nce", **patience)


def code(word):
    return {"Code": word, "Message": f"{NUMBER} s3cret", "RequestId": "r"}


def test_the_signature_is_that_of_the_vendors_own_example():
    """Their documentation's "fixed parameters" for signature version 3."""
    query = canonical(
        {"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"},
    )
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
    }
    signed = authorization("YourAccessKeyId", "YourAccessKeySecret", query, headers)
    assert signed.endswith("Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0")


def test_it_asks_for_one_message_from_the_template_and_signs_what_arrives():
    [receipt], [asked], _ = send(make, OK, to=[f"+86 {NUMBER}"])
    assert ending(receipt) == DELIVERED
    parameters = dict(asked.query)
    assert orjson.loads(parameters["TemplateParam"]) == {
        "name": "我们想念你",
        "text": "Come back & see https://shop.examp…",
        "shop": "our shop",
    }
    assert parameters == {
        "PhoneNumbers": f"+86{NUMBER}",
        "SignName": "小店",
        "TemplateCode": "SMS_1",
        "TemplateParam": parameters["TemplateParam"],
        "OutId": MESSAGE.decision,
    }
    headers = {name.lower(): value for name, value in asked.headers.items()}
    assert (headers["x-acs-action"], headers["x-acs-version"]) == ("SendSms", "2017-05-25")
    assert headers["x-acs-date"] == "2023-11-14T22:13:20Z"
    assert headers["authorization"] == as_a_vendor_signs(parameters, headers)


def as_a_vendor_signs(parameters, headers):
    """The signature of what arrived, computed from the description and not from our code."""
    query = "&".join(f"{name}={quote(parameters[name], safe='-_.~')}" for name in sorted(parameters))
    names = sorted(name for name in headers if name.startswith("x-acs-") or name == "host")
    request = ["POST", "/", query, *(f"{name}:{headers[name]}" for name in names), "", ";".join(names)]
    request = "\n".join([*request, hashlib.sha256(b"").hexdigest()])
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    signed = hmac.new(b"s3cret", text.encode(), hashlib.sha256).hexdigest()
    return f"ACS3-HMAC-SHA256 Credential=id,SignedHeaders={';'.join(names)},Signature={signed}"


@pytest.mark.parametrize(
    "trouble",
    [
        code("isp.SYSTEM_ERROR"),
        code("isv.BUSINESS_LIMIT_CONTROL"),
        (400, code("Throttling.User")),
        (503, code("ServiceUnavailable")),
        (503, "no JSON of theirs"),
    ],
)
def test_what_is_temporary_is_tried_again(trouble):
    [receipt], asked, pauses = send(make, trouble, OK, to=[NUMBER])
    assert (ending(receipt), len(asked), len(pauses)) == (AGAIN, 2, 1)


@pytest.mark.parametrize("word", ["isv.AMOUNT_NOT_ENOUGH", "isv.SMS_TEMPLATE_ILLEGAL", "SignatureDoesNotMatch"])
def test_what_is_our_own_fault_is_told_and_is_not_his_address(word):
    [receipt], _, _ = send(make, code(word), to=[NUMBER])
    assert (ending(receipt), receipt.detail) == (REFUSED, word)


def test_a_bad_number_is_permanent_and_stops_no_other():
    def handle(asked):
        return code("isv.MOBILE_NUMBER_ILLEGAL") if asked.query["PhoneNumbers"] == "12345" else OK

    to = [NUMBER, *["12345"] * (TRIPS_AFTER + 1), NUMBER]
    receipts, _, _ = send(make, handle, to=to)
    assert [ending(receipt) for receipt in receipts] == [DELIVERED, *[BAD] * (TRIPS_AFTER + 1), DELIVERED]
    assert all("12345" not in receipt.detail for receipt in receipts)


@pytest.mark.parametrize("address", ["", "13900000000,13900000001", "u1@example.com", "139&SignName=x"])
def test_what_is_no_single_number_is_never_asked_for(address):
    [receipt], asked, _ = send(make, OK, to=[address])
    assert (ending(receipt), asked) == (UNASKED, [])


@pytest.mark.parametrize("trouble", [SILENCE, CUT, (500, {}), (502, {}), (504, {})])
def test_a_message_that_may_have_been_sent_is_not_sent_again(trouble):
    [receipt], asked, _ = send(make, trouble, OK, to=[NUMBER])
    assert (ending(receipt), len(asked)) == (UNKNOWN, 1)
    assert "might arrive twice" in receipt.detail


def test_it_is_ready_with_credentials_signature_and_template():
    full = {"key_id": "a", "key_secret": "b", "sign_name": "c", "template_code": "d"}
    assert Options(**full).ready
    assert not any(Options(**full | {name: ""}).ready for name in full)
    assert Options().cost > 0
