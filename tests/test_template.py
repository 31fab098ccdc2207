"""Templates: filled where something is known, and never with a hole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import template

WORDS = {"interest": "shoes", "attributes.name": "Li"}


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
    ],
)
def test_a_variable_stands_for_what_is_known_or_for_what_is_behind_its_bar(text, written):
    template.check(text)
    assert template.render(text, WORDS) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{interest}", "write what stands there where it is not known, as {interest|…}"),
        ("{price|1}", "there is no such variable; there are interest, points, attributes.NAME"),
        ("{attributes.|x}", "no such variable"),
        ("{interest|x", "stands alone"),
        ("x}", "stands alone"),
        ("{}", "no such variable"),
    ],
)
def test_what_could_not_be_filled_for_everybody_is_refused(text, said):
    with pytest.raises(ValueError, match=said.replace("|", r"\|").replace("{", r"\{")):
        template.check(text)


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
