"""People: what a shard knows of several users, as columns."""

import pytest

from streams.people import People
from tests.test_shard import T0, Town

DAY = 86_400_000


@pytest.fixture
def town():
    return Town()


def test_of_who_is_known_it_tells_what_his_row_says_and_of_others_that_they_are_not(town):
    town.click("a")
    town.click("b", T0 + DAY, category=town.shard.categories["shoes"])
    people = People(town.shard, [b"b", b"stranger", b"a"])
    assert people.known == [True, False, True]
    assert [people.column("last_at")[place] for place in (0, 2)] == [T0 + DAY, T0]
    assert [people.interests()[place] for place in (0, 2)] == ["shoes", ""]
    assert people.values("activity")[2] == "new"
    assert people.values("nothing") == ["none"] * 3
    assert People(town.shard, []).known == []


def test_it_tells_what_was_when_they_were_looked_up(town):
    town.click("a")
    people = People(town.shard, [b"a"])
    town.shard.advance(T0 + 14 * DAY + 1)
    assert people.values("activity") == ["new"]
    assert People(town.shard, [b"a"]).values("activity") == ["dormant"]


def test_who_is_erased_is_not_known(town):
    town.click("a")
    town.shard.erase(town.shard.number(b"a"))
    assert People(town.shard, [b"a"]).known == [False]
