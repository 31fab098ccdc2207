"""A month of the played year: what must hold of every push, and that the page tells of the settings that are here."""

from collections import Counter, defaultdict
from datetime import datetime, time
from itertools import pairwise

import msgspec
import pytest

from streams.push.reason import REASONS
from tests.real import year as played
from tests.real import yearbook
from tests.real.orders import ms

SHORT = 150
"""So little a month that it is spent before the month is over."""


@pytest.fixture(scope="module")
def year():
    found = played.year_settings()
    budgets = {name: msgspec.structs.replace(budget, amount=SHORT) for name, budget in found.budgets.items()}
    return played.Year(msgspec.structs.replace(found, budgets=budgets)).play(ms("2017-02-01"))


@pytest.fixture(scope="module")
def out(year):
    return yearbook.sent(year)


def test_each_candidate_has_one_decision_with_a_reason(year):
    assert set(year.decider.handed) == set(year.decisions)
    assert len(year.decisions) > 10_000
    assert {one.reason for one in year.decisions.values()} <= set(REASONS)


def test_everybody_is_decided_upon_when_his_time_has_come(year):
    late = played.HOUR + year.settings.lateness_seconds * 1000
    assert all(one.at <= one.now < one.at + late for one in year.decisions.values())


def test_nobody_gets_more_than_the_cap_allows(year, out):
    push, by_user = year.settings.push, defaultdict(list)
    for one in out:
        by_user[one.decided.user].append(one.decided.at)
    most = 0
    for times in by_user.values():
        times.sort()
        most = max(most, *(sum(at - push.cap_days * yearbook.DAY < other <= at for other in times) for at in times))
    assert most == push.cap_sends


def test_the_budget_is_spent_and_never_exceeded(year, out):
    limit, spent, held = yearbook.balances(year)["2017-01"]
    assert limit == SHORT
    assert limit - 5 < spent + held <= limit, "what was left was too little for a gift"
    assert Counter(one.reason for one in year.decisions.values())["budget"] > 0
    assert sum(one.decided.value for one in out) <= limit


def test_nothing_leaves_in_the_quiet_hours_and_what_was_held_leaves_after_them(year, out):
    zone = year.decider.charter.zone
    clocks = [datetime.fromtimestamp(one.at / 1000, zone).time() for one in out]
    assert min(clocks) >= time(8)
    assert max(clocks) < time(22)
    quiet = [one for one in out if one.decided.reason == "quiet_hours"]
    assert len(quiet) > 100
    assert {datetime.fromtimestamp(one.at / 1000, zone).hour for one in quiet} == {8}


def test_households_of_the_holdout_get_nothing(year, out):
    withheld = {one.user for one in year.decisions.values() if one.reason == "holdout"}
    assert len(withheld) > 100
    assert not withheld & {one.decided.user for one in out}


def test_no_push_goes_out_twice_on_a_channel(year):
    assert max(Counter((o.decision, o.channel) for o in year.deliveries).values()) == 1


def test_the_orders_come_in_order_of_time(year, out):
    assert all(one.at <= other.at for one, other in pairwise(out))
    assert len(year.known) > 1_000


def test_the_page_says_by_which_settings_and_contacts_it_was_played():
    assert played.PAGE.read_text("utf-8").startswith(played.head())


def test_the_page_can_be_written_of_a_month(year):
    text = yearbook.page(year, played.head())
    assert f"{len(year.decisions):,} decisions" in text
    for playbook in {one.playbook for one in year.decisions.values()}:
        assert f"\n| {playbook} |" in text
