import pytest

from streams.demo.speed import SpeedError, describe_speed, parse_speed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1d", 86_400),
        ("6h", 21_600),
        ("3600s", 3600),
        ("3600", 3600),
        ("90m", 5400),
        ("1.5d", 129_600),
        ("2w", 1_209_600),
        ("2 days", 172_800),
        ("1 hour per second", 3600),
        ("6H/s", 21_600),
        (" 5 min ", 300),
        ("0.5s", 0.5),
    ],
)
def test_speeds_as_people_write_them(text, seconds):
    assert parse_speed(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "fast", "d", "1y", "-1d", "1d2h", "nan", "1e3", "0", "0d", "100w"])
def test_what_is_no_speed_is_refused_with_what_was_wrong(text):
    with pytest.raises(SpeedError, match=f"speed '{text}'"):
        parse_speed(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1d", "1 day per second"),
        ("36h", "1.5 days per second"),
        ("7d", "1 week per second"),
        ("90m", "1.5 hours per second"),
        ("0.5s", "0.5 seconds per second"),
    ],
)
def test_speeds_in_words(text, words):
    assert describe_speed(parse_speed(text)) == words
