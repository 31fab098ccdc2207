"""`awaken growth`: the workers' counters added up, and what is missing or told twice."""

import io
from urllib.parse import parse_qs, urlsplit

import pytest
from rich.console import Console

from streams.ops import NotReady, growth
from streams.settings import Settings
from tests.ops.site import site


def account(start, new, retained, resurrected, churned):
    active = new + retained + resurrected
    ratio = (new + resurrected) / churned if churned else None
    return {
        "start": start, "active": active, "new": new, "retained": retained, "resurrected": resurrected,
        "churned": churned, "quick_ratio": ratio,
    }  # fmt: skip


def body(partitions, *periods, users=1, of=2):
    return {
        "family": "period-based", "grain": "week", "periods": list(periods), "partitions": partitions, "of": of,
        "population": {"family": "threshold-based", "users": {"activity": {"active": users, "dormant": 2}}},
    }  # fmt: skip


ONE = body([0], account("2023-11-13", 3, 0, 0, 0), account("2023-11-20", 1, 2, 0, 1))
TWO = body([1], account("2023-11-13", 5, 0, 0, 0), account("2023-11-20", 2, 1, 1, 4), users=7)


def ask(*urls, count=2):
    return growth.ask(Settings(), urls, "week", count)


def test_the_workers_counters_are_added_up():
    with site(lambda _: (200, ONE)) as one, site(lambda _: (200, TWO)) as two:
        told = ask(one, two)
    assert told["periods"] == [account("2023-11-13", 8, 0, 0, 0), account("2023-11-20", 3, 3, 1, 5)]
    assert told["periods"][-1]["quick_ratio"] == 0.8
    assert (told["partitions"], told["missing"], told["family"]) == ([0, 1], [], "period-based")
    assert told["population"] == {"family": "threshold-based", "users": {"activity": {"active": 8, "dormant": 4}}}


def test_a_worker_whose_time_is_behind_is_asked_for_the_same_periods():
    asked = []

    def behind(path):
        query = parse_qs(urlsplit(path).query)
        asked.append(query.get("until"))
        if "until" not in query:
            return 200, body([1], account("2023-11-06", 5, 0, 0, 0), account("2023-11-13", 1, 0, 0, 5))
        return 200, body([1], account("2023-11-13", 1, 0, 0, 5), account("2023-11-20", 0, 0, 0, 1))

    with site(lambda _: (200, ONE)) as one, site(behind) as two:
        told = ask(one, two)
    assert asked == [None, ["2023-11-20"]]
    assert [p["churned"] for p in told["periods"]] == [5, 2]


def test_partitions_of_which_nobody_tells_are_named():
    with site(lambda _: (200, ONE)) as one:
        told = ask(one)
    assert told["missing"] == [1]
    assert "without partitions 1" in written(told)


def test_a_partition_that_is_told_twice_is_refused():
    again = pytest.raises(NotReady, match="both tell of partition 0")
    with site(lambda _: (200, ONE)) as one, site(lambda _: (200, ONE)) as two, again:
        ask(one, two)


def test_workers_that_hold_nothing_count_nobody():
    with site(lambda _: (200, body([]))) as one:
        assert "nobody has acted yet" in written(ask(one))


@pytest.mark.parametrize("status", [400, 503])
def test_what_a_worker_refuses_is_told(status):
    with site(lambda _: (status, {"error": "because"})) as one, pytest.raises(NotReady, match=f"{one}: because"):
        ask(one)


def test_somebody_who_is_no_worker_is_told():
    with site(lambda _: (200, {"status": "OK"})) as one, pytest.raises(NotReady, match="does not answer as a worker"):
        ask(one)


def written(told):
    out = io.StringIO()
    growth.render(told, Console(file=out, width=160))
    return out.getvalue()


def test_the_table_says_which_family_it_is():
    with site(lambda _: (200, ONE)) as one, site(lambda _: (200, TWO)) as two:
        text = written(ask(one, two))
    row = next(line for line in text.splitlines() if "2023-11-20" in line)
    assert row.split() == ["2023-11-20", "7", "3", "3", "1", "5", "0.80"]
    assert "period-based family" in text
    assert "threshold-based, now: active 8, dormant 4" in text
