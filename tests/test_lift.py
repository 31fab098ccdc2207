"""Lift: right at every look where there is no difference, and soon enough where there is one."""

import math
from itertools import pairwise

import numpy as np
import pytest

from streams import lift
from streams.lift import LEVEL, compare, inflation, say

DAYS = 60


def alike(users, hits):
    """A series of a measure that is done or not."""
    users = np.broadcast_to(users, hits.shape)
    return np.stack([users, hits, hits, hits], axis=-1).astype(float)


def shares(rng, users, share, days=DAYS):
    return alike(users, rng.binomial(users, share, days))


def spends(rng, users, share, days=DAYS):
    """A series of what users paid: most of them nothing, some a lot."""
    paid = (rng.random((days, users)) < share) * np.exp(rng.normal(8, 1.5, (days, users)))
    return np.stack([np.full(days, users), (paid > 0).sum(1), paid.sum(1), (paid**2).sum(1)], axis=-1)


def differs(found):
    return found is not None and not found.low <= 0 <= found.high


def at_most(level, trials):
    """How often what happens at this rate does, with less than a chance of 1 in 10,000 of more."""
    return level * trials + 4 * math.sqrt(level * (1 - level) * trials)


@pytest.mark.parametrize(
    ("draw", "users", "share"),
    [(shares, (90, 10), 0.35), (shares, (50, 50), 0.35), (shares, (450, 50), 0.03), (spends, (90, 10), 0.2)],
)
def test_where_there_is_no_difference_none_is_found_by_looking_every_day(draw, users, share):
    rng, trials = np.random.default_rng(7), 2000
    found = [compare(*(draw(rng, n, share) for n in users)) for _ in range(trials)]
    assert sum(map(differs, found)) <= at_most(LEVEL, trials)
    assert sum(f is not None and f.p <= LEVEL for f in found) <= at_most(LEVEL, trials)
    assert sum(f is not None for f in found) > 0.9 * trials


def test_a_test_for_one_look_is_wrong_far_more_often_when_looked_at_every_day():
    rng, trials, wrong = np.random.default_rng(7), 500, 0
    for _ in range(trials):
        treated, holdout = (np.cumsum(shares(rng, 50, 0.35), axis=0) for _ in range(2))
        means = [arm[:, lift.TOTAL] / arm[:, lift.USERS] for arm in (treated, holdout)]
        error = np.sqrt(sum(m * (1 - m) / treated[:, lift.USERS] for m in means))
        wrong += bool((np.abs(means[0] - means[1]) > 1.96 * error)[5:].any())
    assert wrong > at_most(LEVEL, trials)


def test_users_who_count_several_times_find_no_difference_either():
    rng, trials = np.random.default_rng(3), 400
    found, careless = [], []
    for _ in range(trials):
        arms, groups = [], []
        for users in (600, 300):
            given = rng.random(users) < 0.4  # who always buys, and who never does
            came = rng.random((DAYS, users)) < 0.3
            bought = came & given
            arms.append(alike(came.sum(1), bought.sum(1)))
            group = np.arange(users) % 64
            groups.append(alike(*(np.bincount(group, seen.sum(0), 64) for seen in (came, bought))))
        found.append(compare(*arms, groups))
        careless.append(compare(*arms))
    assert sum(map(differs, found)) <= at_most(LEVEL, trials)
    assert sum(map(differs, careless)) > at_most(LEVEL, trials)


def test_independent_users_are_taken_for_such():
    rng = np.random.default_rng(5)
    found = [inflation(*(alike(n, rng.binomial(n, 0.3, 64)) for n in (900, 100))) for _ in range(200)]
    assert min(found) == 1
    assert np.mean(found) < 1.2


def test_a_difference_that_is_there_is_found():
    rng, trials = np.random.default_rng(11), 300
    found = [compare(shares(rng, 450, 0.36), shares(rng, 50, 0.30)) for _ in range(trials)]
    assert sum(f.low > 0 for f in found) > 0.9 * trials
    assert not any(f.high < 0 for f in found)
    assert all(f.p <= LEVEL for f in found if f.low > 0)


@pytest.mark.parametrize("step", [0.02, -0.1])
def test_the_interval_holds_the_true_difference_at_all_looks_at_once(step):
    rng, trials = np.random.default_rng(13), 1000
    found = [compare(shares(rng, 180, 0.35 + step), shares(rng, 20, 0.35)) for _ in range(trials)]
    missed = sum(f.moved or not f.low <= step <= f.high for f in found)
    assert missed <= at_most(LEVEL, trials)
    relative = step / 0.35
    assert sum(not f.relative_low <= relative <= f.relative_high for f in found) <= at_most(LEVEL, trials)


def test_the_interval_never_widens_and_holds_its_estimate():
    rng = np.random.default_rng(17)
    treated, holdout = shares(rng, 450, 0.33), shares(rng, 50, 0.3)
    found = [f for f in (compare(treated[:n], holdout[:n]) for n in range(1, DAYS + 1)) if f]
    for earlier, later in pairwise(found):
        assert earlier.low <= later.low <= later.difference <= later.high <= earlier.high
        assert later.p <= earlier.p


def test_an_effect_that_turns_is_told_to_have_done_so():
    good, bad = (alike(np.full(20, 5000), np.full(20, hits)) for hits in (2500, 500))
    usual = alike(np.full(40, 5000), np.full(40, 1500))
    found = compare(np.concatenate([good, bad]), usual)
    assert found.moved
    assert "not what it was" in say(found, 100, "points")


@pytest.mark.parametrize(
    ("users", "hits"),
    [((99, 5000), (40, 2000)), ((5000, 5000), (2000, 19)), ((5000, 5000), (4981, 2000)), ((0, 0), (0, 0))],
)
def test_nothing_is_said_of_few(users, hits):
    treated, holdout = (alike(np.array([n]), np.array([h])) for n, h in zip(users, hits, strict=True))
    assert compare(treated, holdout) is None
    assert say(None, 100, "points") == "too few to say"


def test_nothing_is_said_where_everything_was_free():
    free = np.array([[1000.0, 100.0, 0.0, 0.0]])
    assert compare(free, free) is None
    assert compare(np.empty((0, 4)), np.empty((0, 4))) is None


def test_it_is_said_in_words():
    def known(low, difference, high):
        return lift.Lift(0, 0, difference, low, high, 0, 0, 0, 0, moved=False)

    assert say(known(0.004, 0.012, 0.02), 100, "points") == "more by 1.2 points (0.4 to 2.0)"
    assert say(known(-0.02, -0.012, -0.004), 100, "points") == "less by 1.2 points (0.4 to 2.0)"
    assert say(known(-0.003, 0.001, 0.008), 100, "points") == "no difference seen yet (-0.3 to +0.8)"
    assert say(known(110, 320, 530), 0.01, "a user", 2) == "more by 3.20 a user (1.10 to 5.30)"
