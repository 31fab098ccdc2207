"""What the page says besides figures."""

import io

from rich.console import Console

from streams.replay.report import cuts_in_words, page

TOLD = {
    "events": {"clicks": 0, "orders": 2, "profiles": 0, "push_feedback": 0, "all": 2},
    "users": 1, "first_at": 1_700_006_400_000, "last_at": 1_700_092_800_000, "until": 1_700_092_800_000,
    "rules": "rules-1", "cuts": {"every_hours": 168.0, "times": 2, "newest": {"user": {"frequency": 1.5}}},
    "transitions": {"all": 1, "to": {"activity": {"new": 1}}}, "population": {"activity": {"new": 1, "active": 0}},
    "bad": {"not-json": 1200}, "bad_first": [{"file": "f", "line": 3, "reason": "not-json", "detail": "why"}],
    "out_of_order": {"events": 5, "most_days": 2.5}, "seconds": 1.0, "events_per_second": 2, "cpu_us_per_event": 1.0,
}  # fmt: skip


def printed(told):
    console = Console(width=200, file=io.StringIO())
    console.print(page(told))
    return console.file.getvalue()


def test_what_went_wrong_is_said():
    said = printed(TOLD)
    assert "1,200 bad records: not-json 1,200; the first:\n  f:3  not-json: why" in said
    assert "5 events came too late in their files, by up to 2.5 days" in said
    assert "activity  new 1\n" in said


def test_nothing_is_said_of_what_did_not_go_wrong():
    said = printed(TOLD | {"bad": {}, "bad_first": [], "out_of_order": {"events": 0, "most_days": 0.0}})
    assert "bad" not in said
    assert "late" not in said


def test_it_is_said_which_cuts_held():
    assert "taken 2 times, every 168 hours" in cuts_in_words(TOLD["cuts"])
    assert "there were no buyers" in cuts_in_words(TOLD["cuts"] | {"times": 0})
    assert "value.thresholds = fixed" in cuts_in_words({"every_hours": 0.0, "times": 0, "newest": {}})
