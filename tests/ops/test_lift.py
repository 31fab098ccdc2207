"""`awaken lift`: the workers' trials added up, compared, and told in words."""

import io
from contextlib import ExitStack

import pytest
from rich.console import Console

from streams.ops import NotReady, lift
from streams.settings import Settings
from streams.tally import GROUPS, Slot, Tally, plain, plus
from tests.ops.site import site

FIRST = 19_700  # 2023-12-09


def trial(name, treated, holdout, days=10):
    """Sums of a trial: of each arm the users a day, and how many of them bought for 10.00."""
    sums = {}
    for arm, (users, bought) in (("treated", treated), ("holdout", holdout)):
        for day in range(days):
            for user in range(users):
                paid = user * bought // users != (user + 1) * bought // users
                one = Tally(1, int(paid), 1000 * paid, 1e6 * paid, dormant=int(not paid))
                group = Slot(name, arm, "group", (day * users + user) * 7 % GROUPS)
                for slot in (Slot(name, arm, "day", FIRST + day), group):
                    sums[slot] = plus(sums.get(slot, Tally()), one)
    return plain(sums)


def body(partitions, *trials, waiting=(), of=2):
    return {
        "attribution_days": 7.0, "trials": [row for rows in trials for row in rows], "waiting": list(waiting),
        "partitions": partitions, "of": of,
    }  # fmt: skip


ONE = body([0], trial("all", (500, 200), (100, 30)), waiting=[{"trial": "all", "arm": "treated", "users": 3}])
TWO = body(
    [1], trial("all", (500, 200), (100, 30)), trial("renewal", (5, 2), (0, 0)),
    waiting=[{"trial": "all", "arm": "treated", "users": 4}],
)  # fmt: skip


def ask(*bodies, since=None):
    with ExitStack() as sites:
        urls = [sites.enter_context(site(lambda _, body=body: (200, body))) for body in bodies]
        return lift.ask(Settings(), urls, since)


def written(told):
    out = io.StringIO()
    lift.render(told, 2, Console(file=out, width=200))
    return out.getvalue()


def test_the_workers_sums_are_added_up_and_compared():
    told = ask(ONE, TWO)
    whole, renewal = told["trials"]
    assert [t["trial"] for t in told["trials"]] == ["all", "renewal"]
    assert (whole["treated"]["users"], whole["holdout"]["users"]) == (10_000, 2_000)
    assert whole["waiting"] == {"treated": 7, "holdout": 0}
    assert (told["partitions"], told["missing"], told["level"]) == ([0, 1], [], 0.05)
    bought = whole["measures"]["bought"]
    assert (bought["treated"], bought["holdout"]) == (0.4, 0.3)
    assert 0 < bought["low"] <= 0.1 <= bought["high"] < 0.2
    assert bought["p"] < 0.05
    assert whole["measures"]["gone"]["high"] < 0
    assert whole["measures"]["objected"] is None
    assert renewal["measures"]["bought"] is None


def test_it_is_told_in_words_with_what_it_cannot_tell():
    text = written(ask(ONE, TWO))
    lines = [line for line in text.splitlines() if line.strip()]
    bought, spend, gone = (next(line for line in lines if word in line) for word in ("bought", "spend", "dormant"))
    assert "40.0" in bought
    assert "30.0" in bought
    assert "more by 10.0 points (" in bought
    assert "+33.3%" in bought
    assert "more by 1.00 a user (" in spend
    assert "less by 10.0 points (" in gone
    assert "(+7 open)" in text
    assert "too few to say" in text
    assert "within 7 days" in text
    assert "where nobody is withheld" in text


def test_what_ended_before_a_day_may_be_left_out():
    told = ask(ONE, TWO, since="2023-12-18")
    assert told["trials"][0]["treated"]["users"] == 1_000
    with pytest.raises(NotReady, match="--since soon: is no date"):
        ask(ONE, since="soon")


def test_partitions_of_which_nobody_tells_are_named_and_one_told_twice_is_refused():
    told = ask(ONE)
    assert told["missing"] == [1]
    assert "without partitions 1" in written(told)
    with pytest.raises(NotReady, match="both tell of partition 0"):
        ask(ONE, ONE)


def test_before_the_first_push_there_is_nothing_to_tell():
    assert "nobody was pushed yet" in written(ask(body([0, 1])))


def test_who_refuses_or_is_no_worker_is_told():
    with site(lambda _: (503, {"error": "because"})) as one, pytest.raises(NotReady, match=f"{one}: because"):
        lift.ask(Settings(), [one], None)
    with site(lambda _: (200, {"status": "OK"})) as one, pytest.raises(NotReady, match="does not answer as a worker"):
        lift.ask(Settings(), [one], None)
