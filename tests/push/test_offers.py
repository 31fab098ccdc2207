"""What a decision grants: every kind with its terms, its cost and its end; codes; draws; what must be counted."""

from datetime import date, datetime
from hashlib import sha256
from typing import get_args
from zoneinfo import ZoneInfo

import msgspec
import pytest

from streams import template
from streams.offer import EXACT, Kind, Offer, Prize, check, known
from streams.push import draw, voucher
from streams.push.account import EVER, Account
from streams.push.offers import accounts_of, grant
from streams.push.price import bargain_price, earned, group_price
from streams.push.terms import words
from streams.push.validity import obstacle, open_at

SHANGHAI, BERLIN, SECRET = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin"), "0123456789abcdef"
HOUR, DAY = 3_600_000, 86_400_000


def ms(text, zone=SHANGHAI, fold=0):
    return round(datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).timestamp() * 1000)


AT = ms("2026-03-11 15:00")
PRIZES = {"phone": Prize(0.001, 2000, 3, "a phone"), "mug": Prize(0.2, 5)}
SURE = {"gold": Prize(0.1, 50, 2), "silver": Prize(0.3, 10, 3), "bronze": Prize(0.6, 1)}


def given(offer, decision="d", at=AT, zone=SHANGHAI, **options):
    check("mine", offer)
    return grant("mine", offer, decision, "u1", at, zone, SECRET, **options)


KINDS = [
    (Offer("sign_up_gift", 10, items=("a tote bag",)), 10, None, "A gift worth 10 for signing up: a tote bag"),
    (
        Offer("first_order_pack", 12.5, min_spend=50, valid_days=3),
        12.5,
        "2026-03-15 00:00",
        "A pack worth 12.50 with your first order of 50 or more, until 14 March",
    ),
    (
        Offer("frequent_gift", 8, items=("tea", "cups"), valid_hours=5.5),
        8,
        "2026-03-11 20:30",
        "A gift worth 8 for buying so often: tea, cups, until 11 March, 20:30",
    ),
    (
        Offer("exclusive", percent=15, ceiling=50),
        50,
        None,
        "For our old customers only: 15% off your next order, at most 50",
    ),
    (
        Offer(value=20, min_spend=100, valid_until=date(2026, 3, 14)),
        20,
        "2026-03-15 00:00",
        "20 off an order of 100 or more, until 14 March",
    ),
    (
        Offer("limited_coupon", 5, valid_hours=9),
        5,
        "2026-03-12 00:00",
        "5 off your next order, until 11 March",
    ),
    (
        Offer("percentage", percent=12.5, ceiling=30, items=("shoes",), valid_until=date(2027, 1, 2)),
        30,
        "2027-01-03 00:00",
        "12.5% off your next order (shoes), at most 30, until 2 January 2027",
    ),
    (
        Offer("earned_coupon", 9, window_days=7, earn_orders=2, earn_spend=100),
        9,
        None,
        "9 off your next order, for 2 orders of 100 in all within 7 days",
    ),
    (
        Offer("flash_sale", 9, opens="20:00", lasts_hours=2, valid_from=date(2026, 3, 13)),
        9,
        "2026-03-13 22:00",
        "9 off your next order, from 20:00 for 2 hours on 13 March",
    ),
    (
        Offer("daily_special", percent=30, ceiling=9, opens="12:00", lasts_hours=1, valid_until=date(2026, 4, 1)),
        9,
        "2026-03-12 13:00",
        "30% off your next order, at most 9, every day from 12:00 for 1 hour, until 1 April",
    ),
    (
        Offer("group_buy", list_price=100, group={2: 90, 5: 80}, items=("a kettle",)),
        20,
        None,
        "100 alone (a kettle), 90 if 2 buy together, 80 if 5 buy together",
    ),
    (
        Offer("bargain", list_price=100, steps=(20, 10, 5), valid_days=1),
        35,
        "2026-03-13 00:00",
        "From 100 down to 65 with the help of 3 friends, until 12 March",
    ),
    (Offer("early_bird", 10, total=500), 10, None, "10 off your next order, for the first 500"),
    (Offer("free_sample", 2, items=("a sachet of tea",)), 2, None, "Free for you: a sachet of tea"),
    (
        Offer("membership", price={30: 15, 365: 120}, valid_from=date(2026, 4, 1)),
        62.5,
        None,
        "Membership at 15 for 30 days, 120 for 365 days, from 1 April",
    ),
    (Offer("points", 5, points=500, min_spend=50), 5, None, "500 points on top with an order of 50 or more"),
    (
        Offer("lucky_draw", prizes={"all": Prize(1, 5, title="a mug")}, everybody_wins=True, min_spend=50),
        5,
        None,
        "You have won in our draw: a mug, yours with an order of 50 or more",
    ),
]


@pytest.mark.parametrize(("offer", "cost", "end", "terms"), KINDS, ids=[row[0].kind for row in KINDS])
def test_each_kind_has_its_cost_its_end_and_a_sentence(offer, cost, end, terms):
    found = given(offer)
    assert (found.offer, found.kind) == ("mine", offer.kind)
    assert found.value == pytest.approx(cost)
    assert found.until == (ms(end) if end else None)
    assert found.terms == terms


def test_all_kinds_are_among_them():
    assert {row[0].kind for row in KINDS} == set(get_args(Kind))


@pytest.mark.parametrize("offer", [row[0] for row in KINDS], ids=[row[0].kind for row in KINDS])
def test_what_a_message_may_take_for_granted_is_there(offer):
    said = words(offer, given(offer), AT, SHANGHAI)
    assert all(said[name] for name in known(offer))
    assert set(said) == set(template.OFFER)


def test_a_decision_that_is_made_twice_grants_the_same_and_another_one_another_code():
    offer = Offer(value=20, min_spend=100)
    assert given(offer) == given(offer)
    assert given(offer).code != given(offer, "e").code
    assert given(offer).code != grant("other", offer, "d", "u1", AT, SHANGHAI, SECRET).code
    assert given(offer).code != grant("mine", offer, "d", "u1", AT, SHANGHAI, "another secret 1").code


def test_terms_may_be_worded_by_the_settings():
    offer = Offer(value=20, min_spend=100, valid_days=3, terms="{offer.until}前立减{offer.value}元 {offer.code}")
    found = given(offer)
    assert found.terms == f"14 March前立减20元 {found.code}"
    assert words(offer, found, AT, SHANGHAI)["offer.terms"] == found.terms


# Codes


def test_codes_are_unique_and_a_shop_verifies_them_with_the_offers_key():
    key = voucher.key_of("mine", SECRET)
    codes = {voucher.code(f"reactivation:u{k}-7-1", f"u{k}", "mine", SECRET) for k in range(100_000)}
    assert len(codes) == 100_000
    assert all(voucher.verify(code, key) == "genuine" for code in codes)


def test_a_code_is_read_as_it_may_be_typed():
    key, code = voucher.key_of("mine", SECRET), voucher.code("d", "u", "mine", SECRET, "SPRING")
    assert code.startswith("SPRING-")
    typed = code.removeprefix("SPRING").replace("-", " ").lower().replace("0", "o").replace("1", "l")
    assert voucher.verify(typed, key) == voucher.verify(code, key) == "genuine"


def test_a_code_of_another_offer_or_another_secret_is_unknown():
    code = voucher.code("d", "u", "mine", SECRET)
    assert voucher.verify(code, voucher.key_of("other", SECRET)) == "unknown"
    assert voucher.verify(code, voucher.key_of("mine", "another secret 1")) == "unknown"


def test_every_symbol_that_is_mistyped_and_every_two_that_are_exchanged_are_noticed():
    key, code = voucher.key_of("mine", SECRET), voucher.code("d", "u", "mine", SECRET).replace("-", "")
    for place, right in enumerate(code):
        for wrong in set(voucher.ALPHABET) - {right}:
            assert voucher.verify(code[:place] + wrong + code[place + 1 :], key) == "mistyped"
        for other in range(place):
            swapped = list(code)
            swapped[place], swapped[other] = swapped[other], swapped[place]
            assert swapped == list(code) or voucher.verify("".join(swapped), key) == "mistyped"


@pytest.mark.parametrize("code", ["", "SPRING", "ÄÄÄÄÄÄ-ÄÄÄÄÄÄ-ÄÄÄÄÄÄ", "U" * 18])
def test_what_is_no_code_at_all_is_mistyped(code):
    assert voucher.verify(code, voucher.key_of("mine", SECRET)) == "mistyped"


# The draw

SEED = draw.seed_of("mine", SECRET)


def spread(offer, count=40_000):
    found = [draw.draw(SEED, f"d{k}", offer) for k in range(count)]
    return {prize: found.count(prize) for prize in ("", *offer.prizes)}


@pytest.mark.parametrize("offer", [Offer("lucky_draw", prizes=PRIZES), Offer(prizes=SURE, everybody_wins=True)])
def test_prizes_come_as_often_as_the_odds_say(offer):
    counts, total = spread(offer), 40_000
    odds = {name: prize.odds for name, prize in offer.prizes.items()}
    nothing = 1 - sum(odds.values())
    if nothing < EXACT:
        assert counts.pop("") == 0
    else:
        odds[""] = nothing
    squares = sum((counts[name] - odds[name] * total) ** 2 / (odds[name] * total) for name in odds)
    assert squares < 9.21  # chi square with 2 degrees of freedom: 1 in 100


def test_when_the_seed_is_published_anybody_draws_the_same():
    offer = Offer("lucky_draw", prizes=SURE, everybody_wins=True)
    for number in range(50):
        found = given(offer, f"d{number}")
        assert found.commitment == sha256(bytes.fromhex(SEED)).hexdigest()
        assert draw.draw(SEED, f"d{number}", offer) == found.prize


def test_where_everybody_wins_each_has_all_prizes_in_a_turn_of_his_own():
    offer = Offer(prizes=SURE, everybody_wins=True)
    turns = {draw.turn(SEED, f"d{k}", offer) for k in range(500)}
    assert len(turns) == 6
    assert all(sorted(turn) == sorted(SURE) for turn in turns)


def test_who_drew_what_is_out_of_stock_has_the_next_where_everybody_wins_and_the_odds_of_the_rest_stand():
    offer = Offer(prizes=SURE, everybody_wins=True)
    without = [draw.draw(SEED, f"d{k}", offer, {"bronze"}) for k in range(10_000)]
    assert set(without) == {"gold", "silver"}
    assert without.count("gold") == pytest.approx(2500, abs=130)  # 0.1 of 0.4; three standard deviations
    for number, prize in enumerate(without):
        assert draw.draw(SEED, f"d{number}", offer) in (prize, "bronze")  # nobody else's has changed


def test_who_drew_what_is_out_of_stock_has_nothing_where_not_everybody_wins():
    offer = Offer("lucky_draw", prizes=PRIZES)
    mugs = [f"d{k}" for k in range(200) if draw.draw(SEED, f"d{k}", offer) == "mug"]
    assert mugs
    lost = given(offer, mugs[0], out={"mug"})
    assert (lost.prize, lost.value, lost.terms) == ("", 0, "No prize in our draw this time")
    assert words(offer, lost, AT, SHANGHAI)["offer.prize"] == ""


def test_where_everybody_wins_and_nothing_is_left_there_is_no_entry():
    assert given(Offer("lucky_draw", prizes=SURE, everybody_wins=True), out=set(SURE)) is None


def test_seeds_of_two_draws_differ():
    assert draw.seed_of("a", SECRET) != draw.seed_of("b", SECRET)


# Validity


@pytest.mark.parametrize(
    ("at", "zone", "end"),
    [
        ("2026-03-11 23:59", SHANGHAI, "2026-03-13 00:00"),
        ("2026-03-12 00:00", SHANGHAI, "2026-03-14 00:00"),
        ("2026-03-28 12:00", BERLIN, "2026-03-30 00:00"),  # clocks forward on the 29th
        ("2026-10-24 12:00", BERLIN, "2026-10-26 00:00"),  # back on the 25th
        ("2026-04-22 12:00", ZoneInfo("Africa/Cairo"), "2026-04-24 01:00"),  # at midnight: the day begins at 1
    ],
)
def test_a_day_ends_by_his_own_clock_whatever_that_does(at, zone, end):
    assert given(Offer("exclusive", 5, valid_days=1), at=ms(at, zone), zone=zone).until == ms(end, zone)


def test_the_same_offer_ends_at_another_time_in_another_zone():
    offer = Offer("exclusive", 5, valid_until=date(2026, 3, 14))
    assert given(offer, zone=BERLIN).until - given(offer).until == 7 * HOUR


def test_the_earliest_end_counts_and_days_count_from_the_first_one():
    offer = Offer("exclusive", 5, valid_days=2, valid_from=date(2026, 4, 1), valid_until=date(2026, 4, 10))
    assert given(offer).until == ms("2026-04-04 00:00")
    assert given(offer).terms == "For our old customers only: 5 off your next order, from 1 April, until 3 April"
    assert given(offer, at=ms("2026-04-09 12:00")).until == ms("2026-04-11 00:00")
    assert given(msgspec.structs.replace(offer, valid_hours=3)).until == ms("2026-04-01 03:00")


def test_an_offer_that_has_ended_cannot_be_given():
    offer = Offer("exclusive", 5, valid_until=date(2026, 3, 14))
    assert obstacle(offer, ms("2026-03-14 23:59"), SHANGHAI) == ""
    assert obstacle(offer, ms("2026-03-15 00:00"), SHANGHAI) == "the offer has ended"
    assert obstacle(offer, ms("2026-03-15 00:00"), BERLIN) == ""
    sale = Offer("flash_sale", 5, opens="20:00", lasts_hours=2, valid_from=date(2026, 3, 14))
    assert obstacle(sale, ms("2026-03-14 21:59"), SHANGHAI) == ""
    assert obstacle(sale, ms("2026-03-14 22:00"), SHANGHAI) == "the offer has ended"


FLASH = Offer("flash_sale", 5, opens="20:00", lasts_hours=50, valid_from=date(2026, 3, 13))
SPECIAL = Offer(
    "daily_special", 5, opens="23:00", lasts_hours=2, valid_from=date(2026, 3, 13), valid_until=date(2026, 3, 14)
)


@pytest.mark.parametrize(
    ("offer", "now", "opened"),
    [
        (FLASH, "2026-03-13 19:59", False),
        (FLASH, "2026-03-13 20:00", True),
        (FLASH, "2026-03-15 21:59", True),
        (FLASH, "2026-03-15 22:00", False),
        (SPECIAL, "2026-03-12 23:30", False),
        (SPECIAL, "2026-03-13 00:30", False),
        (SPECIAL, "2026-03-13 23:00", True),
        (SPECIAL, "2026-03-14 00:59", True),
        (SPECIAL, "2026-03-14 01:00", False),
        (SPECIAL, "2026-03-15 00:30", True),
        (SPECIAL, "2026-03-15 23:30", False),
    ],
)
def test_a_sale_is_open_at_its_hours_and_over_midnight(offer, now, opened):
    assert open_at(offer, ms(now), SHANGHAI) is opened


def test_a_sale_lasts_its_hours_on_the_night_of_summer_time_too():
    sale = Offer("daily_special", 5, opens="00:00", lasts_hours=3)
    opened = given(sale, at=ms("2026-03-28 12:00", BERLIN), zone=BERLIN)
    assert opened.until == ms("2026-03-29 04:00", BERLIN)


# What follows


def test_a_groups_price_falls_with_its_members_each_counted_once():
    offer = Offer("group_buy", list_price=100, group={2: 90, 5: 80})
    assert [group_price(offer, [f"u{k}" for k in range(size)]) for size in (1, 2, 4, 5, 9)] == [100, 90, 90, 80, 80]
    assert group_price(offer, ["u1", "u1"]) == 100


def test_a_bargain_falls_with_each_friend_who_helps_and_no_further_than_its_steps():
    offer = Offer("bargain", list_price=100, steps=(20, 10, 5))
    assert [bargain_price(offer, [f"u{k}" for k in range(size)]) for size in range(5)] == [100, 80, 70, 65, 65]
    assert bargain_price(offer, ["a", "a", "me"], "me") == 80


def test_a_coupon_is_earned_by_enough_orders_within_the_window():
    offer = Offer("earned_coupon", 9, window_days=7, earn_orders=2, earn_spend=100)
    assert earned(offer, [(AT - 6 * DAY, 60), (AT, 40)], AT)
    assert not earned(offer, [(AT, 100)], AT)
    assert not earned(offer, [(AT - DAY, 60), (AT, 39.99)], AT)
    assert not earned(offer, [(AT - 7 * DAY, 60), (AT, 40)], AT)
    assert not earned(offer, [(AT, 60), (AT + 1, 40)], AT)
    assert not earned(Offer("earned_coupon", 9, window_days=7, earn_spend=1), [], AT)


def test_what_must_be_counted_is_what_is_limited():
    free = Offer(value=2, min_spend=9)
    assert accounts_of("mine", free, given(free), AT, SHANGHAI) == ()
    offer = Offer("lucky_draw", prizes={"a": Prize(1, 5, 7)}, everybody_wins=True, total=100, per_day=10)
    assert accounts_of("mine", offer, given(offer), AT, SHANGHAI) == (
        Account("offers.mine", EVER, 100),
        Account("offers.mine", "2026-03-11", 10),
        Account("offers.mine", EVER, 7, "a"),
    )
