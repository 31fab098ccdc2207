"""An offer that could not be kept, or of which nobody knows the cost, is refused before anything starts."""

from datetime import date
from typing import get_args

import pytest

from streams import settings
from streams.offer import SORTS, Kind, Offer, known
from streams.settings import SettingsError

SIGNED = '[push]\nsecret = "0123456789abcdef"\n'
DRAW = 'kind = "lucky_draw"\n'
SALE = 'kind = "flash_sale"\nvalue = 5\nvalid_from = 2026-03-01\nopens = "20:00"\n'
GROUP = 'kind = "group_buy"\nlist_price = 100\n'


def load(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return settings.load(file, {})


def test_every_kind_is_in_the_table_with_fields_that_there_are():
    assert set(SORTS) == set(get_args(Kind))
    for sort in SORTS.values():
        named = {*sort.needs, *sort.may, *(name for group in sort.one_of for name in group)}
        assert named <= set(Offer.__struct_fields__)


def test_an_offer_is_read_with_its_tables_and_days(tmp_path):
    text = """
    [offers.together]
    kind = "group_buy"
    list_price = 100
    group = { 2 = 90, 5 = 80 }
    valid_from = 2026-03-01
    valid_until = "2026-03-14"
    """
    found = load(tmp_path, SIGNED + text).offers["together"]
    assert found.group == {2: 90, 5: 80}
    assert (found.valid_from, found.valid_until) == (date(2026, 3, 1), date(2026, 3, 14))


def test_offers_need_a_secret_to_make_codes_of(tmp_path):
    with pytest.raises(SettingsError, match=r"push\.secret: codes of offers are made with it.*at least 16 characters"):
        load(tmp_path, '[push]\nsecret = "short"\n[offers.x]\nvalue = 5\nmin_spend = 10')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kind = "gift"', r"offers\.x\.kind = 'gift'.*sign_up_gift or first_order_pack"),
        ("valeu = 3", r"offers\.x\.valeu = 3: there is no such setting; did you mean offers\.x\.value"),
        ("value = -3", r"offers\.x\.value = -3"),
        ("value = 20", r"offers\.x\.min_spend = 0.*: an offer of kind spend_and_save needs it"),
        ("value = 20\nmin_spend = 10", r"offers\.x\.value = 20: must be at most min_spend = 10"),
        (
            'value = 20\nmin_spend = 100\nopens = "20:00"',
            r"offers\.x\.opens = '20:00': an offer of kind spend_and_save has no such field; it has kind, value",
        ),
        ('kind = "percentage"\npercent = 15', r"offers\.x\.ceiling = 0: percent needs it"),
        (
            'kind = "exclusive"\nvalue = 3\npercent = 15\nceiling = 5',
            r"offers\.x\.percent = 15: .*either value or percent",
        ),
        ('kind = "exclusive"\nvalue = 3\nceiling = 5', r"offers\.x\.ceiling = 5.*: .*no such field"),
        ('kind = "exclusive"', r"offers\.x: an offer of kind exclusive needs one of value, percent"),
        ('kind = "limited_coupon"\nvalue = 3', "needs one of valid_days, valid_hours, valid_until"),
        ('kind = "earned_coupon"\nvalue = 3\nwindow_days = 7', "needs one of earn_orders, earn_spend"),
        ('kind = "early_bird"\nvalue = 3', "needs one of total, valid_until"),
        ('kind = "free_sample"\nvalue = 3', r"offers\.x\.items = .*needs it"),
        (DRAW + "prizes = { a = { odds = 0.7, value = 1 }, b = { odds = 0.4, value = 1 } }", "make 1.1 .*at most 1"),
        (
            DRAW + "everybody_wins = true\nprizes = { a = { odds = 0.7, value = 1 } }",
            "the odds make 0.7 together; they must make exactly 1, since everybody_wins",
        ),
        (DRAW + "prizes = { a = { odds = 2, value = 1 } }", r"offers\.x\.prizes = .*such as.*Expected `float` <= 1"),
        (DRAW + "prizes = { a = { odds = 0.1 } }", r"offers\.x\.prizes.*missing required field `value`"),
        (DRAW + 'prizes = { "A b" = { odds = 0.1, value = 1 } }', r"offers\.x\.prizes = 'A b'.*a-z, 0-9 and _"),
        (
            "value = 1\nmin_spend = 2\nvalid_from = 2026-03-02\nvalid_until = 2026-03-01",
            r"offers\.x\.valid_until = 2026-03-01: must not be before valid_from = 2026-03-02",
        ),
        (
            "value = 1\nmin_spend = 2\nvalid_from = 'March'",
            r"offers\.x\.valid_from = 'March'.*such as 2026-03-01",
        ),
        (SALE, r"offers\.x\.lasts_hours = 0.*needs it"),
        (SALE + "lasts_hours = 2\nvalid_days = 3", r"offers\.x\.valid_days = 3: .*no such field"),
        (
            'kind = "daily_special"\nvalue = 5\nopens = "20:00"\nlasts_hours = 25',
            r"offers\.x\.lasts_hours = 25: .*at most 24",
        ),
        (GROUP + "group = { 2 = 100 }", r"offers\.x\.group\.2: the price is 100 there; it must fall from 100"),
        (GROUP + "group = { 2 = 90, 5 = 95 }", r"offers\.x\.group\.5: .*must fall from 90"),
        (GROUP + "group = { 1 = 90 }", r"offers\.x\.group = .*>= 2"),
        (GROUP + "group = { two = 90 }", r"offers\.x\.group = .*such as { 2 = 90, 5 = 80 }"),
        ('kind = "bargain"\nlist_price = 10\nsteps = [8, 3]', r"offers\.x\.steps: .*by 11; list_price = 10 is all"),
        ('kind = "bargain"\nlist_price = 10\nsteps = ["a"]', r"offers\.x\.steps = .*a list such as \[20, 10, 5, 5\]"),
        (
            'kind = "membership"\nprice = { 30 = 10, 60 = 30 }',
            r"offers\.x\.price\.60: the price a day is 0.5 there; it must not rise from 0.333",
        ),
        ("value = 1\nmin_spend = 2\nper_user = 0\nper_user_days = 3", r"offers\.x\.per_user = 0: per_user_days = 3"),
        ("value = 1\nmin_spend = 2\ntotal = 3\nper_day = 4", r"offers\.x\.per_day = 4: must be at most total = 3"),
        ("value = 1\nmin_spend = 2\ncode_prefix = 'spring'", r"offers\.x\.code_prefix = 'spring'"),
        ("value = 1\nmin_spend = 2\nterms = '{offer.until}'", r"offers\.x\.terms = '{offer.until}': .*write what"),
        ("value = 1\nmin_spend = 2\nterms = '{offer.terms}'", r"offers\.x\.terms = .*write what stands there"),
    ],
)
def test_what_does_not_go_together_is_named(tmp_path, text, said):
    with pytest.raises(SettingsError, match=rf"mine\.toml: (.|\n)*{said}"):
        load(tmp_path, f"{SIGNED}[offers.x]\n{text}")


def test_an_offers_name_is_a_word(tmp_path):
    with pytest.raises(SettingsError, match=r"offers\.Spring sale: an offer's name is 1 to 40 of a-z"):
        load(tmp_path, f'{SIGNED}[offers."Spring sale"]\nvalue = 1\nmin_spend = 2')


def test_a_message_may_take_for_granted_what_every_grant_has():
    assert known(Offer(value=1, min_spend=2)) == ("offer.value", "offer.code", "offer.terms")
    assert "offer.until" in known(Offer(valid_days=3))
    assert "offer.until" in known(Offer("daily_special"))
    assert "offer.prize" not in known(Offer("lucky_draw"))
    assert "offer.prize" in known(Offer("lucky_draw", everybody_wins=True))
