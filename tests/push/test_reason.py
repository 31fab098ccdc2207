from typing import get_args

from streams.push.policy import Reason
from streams.push.reason import REASONS, brief, whole


def test_every_reason_has_its_words():
    assert set(get_args(Reason)) <= set(REASONS)
    assert all(words.brief and words.whole for words in REASONS.values())


def test_reasons_in_words_also_unknown_ones():
    assert (brief("no_consent"), brief("quite_new")) == ("no consent", "quite new")
    assert whole("quiet_hours") == "it is night where he lives"
    assert whole("quite_new") == "quite new"
