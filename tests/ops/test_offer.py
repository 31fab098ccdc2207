"""`awaken offer`: previewed, verified, and what of it is told to others fits what was granted."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from streams.offer import Offer, Prize
from streams.ops import NotReady, offer
from streams.push import draw, voucher
from streams.push.offers import grant
from streams.settings import Push, Settings
from tests.ops.command import awaken

PRIZES = {"phone": Prize(0.5, 2000), "mug": Prize(0.5, 5)}
SETTINGS = Settings(
    push=Push(secret="0123456789abcdef"),
    offers={
        "gift": Offer("sign_up_gift", 5, valid_days=1),
        "gone": Offer("exclusive", 5, valid_until=date(2020, 1, 1)),
        "draw": Offer("lucky_draw", prizes=PRIZES, everybody_wins=True),
    },
)
NOW = 1_773_187_200_000  # 2026-03-11


def granted(name):
    return grant(name, SETTINGS.offers[name], "d", "u1", NOW, ZoneInfo("UTC"), SETTINGS.push.secret)


def test_what_a_user_would_be_promised_is_shown():
    said = offer.preview(SETTINGS, "gift", NOW)
    assert said[:3] == [
        "gift: A gift worth 5 for signing up, until 12 March",
        "ends 2026-03-13T00:00:00.000Z",
        "costs at most 5",
    ]
    shown = said[3].removeprefix("a code looks like ")
    assert offer.verify(SETTINGS, "gift", shown) == "unknown", "a preview is no mint"
    assert "costs at most 2000" in offer.preview(SETTINGS, "draw", NOW)


def test_what_is_given_to_a_shop_and_what_is_published_fit_what_was_granted():
    assert voucher.verify(granted("gift").code, offer.key(SETTINGS, "gift")) == "genuine"
    assert draw.commitment(offer.seed(SETTINGS, "draw")) == granted("draw").commitment
    assert draw.draw(offer.seed(SETTINGS, "draw"), "d", SETTINGS.offers["draw"]) == granted("draw").prize


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda: offer.preview(SETTINGS, "gft", NOW), "gft: there is no such offer\nthere are gift, gone, draw"),
        (lambda: offer.preview(SETTINGS, "gone", NOW), "gone: the offer has ended"),
        (lambda: offer.seed(SETTINGS, "gift"), "gift: has no seed"),
    ],
)
def test_what_cannot_be_shown_is_told(ask, said):
    with pytest.raises(NotReady, match=said):
        ask()


def test_the_command_verifies_a_code():
    good = awaken(SETTINGS, "offer", "gift", granted("gift").code)
    assert (good.returncode, good.stdout) == (0, "genuine\n")
    bad = awaken(SETTINGS, "offer", "gift", granted("draw").code)
    assert (bad.returncode, bad.stdout) == (1, "unknown\n")
    assert awaken(SETTINGS, "offer", "draw", "--seed").stdout.strip() == offer.seed(SETTINGS, "draw")
    assert "A gift worth 5" in awaken(SETTINGS, "offer", "gift").stdout
