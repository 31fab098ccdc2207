import pytest

from streams.demo.wording import date, day, moment, tell

FEB_14 = 1_487_090_400_000  # 16:40 UTC


@pytest.mark.parametrize(
    ("move", "cause", "evidence", "words"),
    [
        ("none>new", "event", {}, "seen for the first time"),
        ("new>active", "event", {"last_at": FEB_14}, "came again on another day; last seen 14 Feb"),
        (
            "new>active",
            "time",
            {"last_at": FEB_14, "threshold_days": 7.0},
            "with us for 7 days; last seen 14 Feb",
        ),
        (
            "active>dormant",
            "time",
            {"last_at": FEB_14, "threshold_days": 14.0},
            "14 days without a sign; last seen 14 Feb",
        ),
        (
            "dormant>churned",
            "time",
            {"last_at": FEB_14, "threshold_days": 30.5},
            "30.5 days without a sign; last seen 14 Feb",
        ),
        (
            "churned>returning",
            "event",
            {"last_at": FEB_14, "absent_days": 41.6},
            "back after 42 days; last seen 14 Feb",
        ),
        ("dormant>active", "correction", {}, "a late event disproves dormant"),
        (
            "silver>gold",
            "threshold",
            {"points_needed": 100, "note": None},
            "activity: silver to gold; points needed 100",
        ),
    ],
)
def test_transitions_in_words(make, move, cause, evidence, words):
    assert tell(make.transition(move=move, cause=cause, **evidence).data) == words


def test_times_are_utc():
    assert (date(FEB_14), moment(FEB_14), day(FEB_14)) == ("14 Feb", "14 Feb 16:40", "Tue 14 Feb 2017 16:40")
