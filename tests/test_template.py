"""Templates: filled where something is known, and never with a hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import template

WORDS = {
    "interest": "shoes",
    "attributes.name": "Li",
    "item": "Trail runner",
    "value.rfm": "keep",
    "streak": "5",
    "url": "https://shop.example/a?b=c",
    "level": "",
}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Nothing to fill", "Nothing to fill"),
        ("New in {interest|our shop}!", "New in shoes!"),
        ("You have {points|enough} points", "You have enough points"),
        ("{attributes.name|Dear friend}, hello", "Li, hello"),
        ("{attributes.title|}hello", "hello"),
        ("{{interest|x}} as such", "{interest|x} as such"),
        ("{interest|a}{interest|b}", "shoesshoes"),
        ("{item|Something} for you, {value.rfm|friend}", "Trail runner for you, keep"),
        ("{streak|some} days, {level|a} level, {days|long} away", "5 days, a level, long away"),
        ("{offer.code|none}", "none"),
    ],
)
def test_a_variable_stands_for_what_is_known_or_for_what_is_behind_its_bar(text, written):
    template.check(text)
    assert template.render(text, WORDS) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{interest}", "write what stands there where it is not known, as {interest|…}"),
        ("{price|1}", "there is no such variable; there are interest, item, picture, url, points"),
        ("{value.mod|x}", "no such dimension; there are activity, customer"),
        ("{offer.code}", "write what stands there where it is not known"),
        ("{offer.price|x}", "no such variable"),
        ("{attributes.|x}", "no such variable"),
        ("{interest|x", "stands alone"),
        ("x}", "stands alone"),
        ("{}", "no such variable"),
    ],
)
def test_what_could_not_be_filled_for_everybody_is_refused(text, said):
    with pytest.raises(ValueError, match=said.replace("|", r"\|").replace("{", r"\{")):
        template.check(text)


def test_what_is_always_known_needs_no_bar_and_a_dimension_of_ones_own_has_a_value():
    template.check("{offer.code} {value.spender|}", ("spender",), ("offer.code",))
    with pytest.raises(ValueError, match="write what stands there"):
        template.check("{offer.prize}", always=("offer.code",))


def test_in_an_address_words_are_encoded_and_addresses_are_not():
    words = {"interest": "home & garden", "url": "https://shop.example/a?b=c"}
    assert (
        template.render_address("https://s.example/?q={interest|}", words) == "https://s.example/?q=home%20%26%20garden"
    )
    assert template.render_address("{url|https://s.example}", words) == "https://shop.example/a?b=c"
    assert template.render_address("{url|https://s.example}", {}) == "https://s.example"


@given(
    st.text(alphabet="{}|ab.interest points", max_size=40),
    st.dictionaries(st.sampled_from(["interest", "points"]), st.text()),
)
def test_what_is_accepted_can_be_written_for_everybody(text, words):
    try:
        template.check(text)
    except ValueError:
        return
    template.render(text, words)
