"""What counts as beyond a limit, and what an emptied Redis excuses."""

from msgspec.structs import replace

from streams.push.account import Account, grains
from streams.push.purse import Balance
from streams.wire.message import Decision, Grant
from tests.end_to_end import limits
from tests.end_to_end.limits import BUDGETS, OFFERS, PUSH, Sent, Spending, era
from tests.oracle import DAY

AT = 1_262_304_000_000
COUPON = Decision(
    "reactivation:t0", "u", AT, "reactivation", "t0", "send", "sent", ("inbox",), (),
    offer=Grant("coupon", "spend_and_save", "CODE", 20, ""),
)  # fmt: skip
MONTH = Account("budgets.chaos", "2010-01", grains(BUDGETS["chaos"].amount, 2))


def sent(number, days, user="u", *, asked=None, channels=("inbox",), decision=COUPON):
    """A push so many days after the first, asked about at second `number` of the run, and decided and ended in it."""
    at = asked if asked is not None else 1000 * number
    made = replace(decision, id=f"reactivation:t{number}", user=user, at=AT + round(days * DAY))
    return Sent(made, channels, at, 1000 * number + 300, 1000 * number + 600)


def test_an_era_lies_between_two_emptyings_and_what_one_tears_is_in_none():
    emptied = [(100, 110), (200, 210)]
    assert [era(since, until, emptied) for since, until in ((0, 99), (111, 199), (211, 300))] == [0, 1, 2]
    assert [era(since, until, emptied) for since, until in ((0, 100), (110, 150), (50, 205), (201, 202))] == [None] * 4


def test_pushes_in_a_window_beyond_its_cap_are_counted_in_whatever_order_they_were_made():
    days = [0, 44, 20]
    assert limits.beyond_caps([sent(n, day) for n, day in enumerate(days[:2])], []) == 0
    assert limits.beyond_caps([sent(n, day) for n, day in enumerate(days)], []) == 2  # of all, and of the inbox
    assert limits.beyond_caps([sent(n, day, user=f"u{n}") for n, day in enumerate(days)], []) == 0
    assert limits.beyond_caps([sent(0, 0), sent(1, 15), sent(2, PUSH.cap_days)], []) == 1  # of the inbox alone


def test_what_was_counted_by_two_redis_is_not_counted_together():
    three = [sent(n, n) for n in range(3)]
    assert limits.beyond_caps(three, [(900, 950)]) == 0
    assert limits.beyond_caps([*three, sent(3, 3, asked=800)], [(900, 950)]) == 0
    assert limits.beyond_caps([*three, sent(3, 3)], [(900, 950)]) == 2


def test_a_budget_is_overspent_where_one_redis_has_let_more_go_than_there_was():
    most = int(BUDGETS["chaos"].amount / 20)
    full = [sent(n, n / 2, user=f"u{n}") for n in range(most)]
    spent = limits.spending(full, [])
    assert spent[MONTH, 0] == Spending(MONTH.limit, 0)
    assert limits.overspent(spent) == []
    one_more = [*full, sent(most, 1.2, user="x")]
    found = [account.period for account, _ in limits.overspent(limits.spending(one_more, []))]
    assert found == ["2010-01", "2010-01-02"]  # the month, and a day that allows two
    assert limits.overspent(limits.spending(one_more, [(2900, 2950)])) == []


def test_what_a_push_has_cost_goes_by_the_channels_on_which_it_has_arrived():
    [(_, inbox), *_] = limits.charges(sent(0, 0))
    [(_, both), *_] = limits.charges(sent(0, 0, channels=("inbox", "webhook")))
    assert (inbox, both) == (grains(20, 2), grains(20.125, 2))


def test_a_prize_is_an_account_of_its_own_beside_the_whole():
    won = replace(COUPON, offer=Grant("draw", "lucky_draw", "CODE", 60, "", prize="phone"))
    accounts = [(a.purse, a.period, a.of, a.limit) for a, _ in limits.charges(sent(0, 0, decision=won))]
    prizes = OFFERS["draw"].prizes
    assert accounts[1:] == [
        ("offers.draw", "ever", "", OFFERS["draw"].total),
        ("offers.draw", "ever", "phone", prizes["phone"].stock),
    ]


def test_a_purse_says_what_was_spent_neither_less_nor_more():
    spent = {(MONTH, 0): Spending(500, 0), (MONTH, 1): Spending(300, 100)}
    found = [len(limits.misbooked(spent, {MONTH: Balance(told)}, [(1, 2)])) for told in (299, 300, 400, 401)]
    assert found == [1, 0, 0, 1]
    assert limits.misbooked(spent, {MONTH: Balance(500)}, []) == []


def test_a_code_that_two_decisions_bear_is_found():
    assert limits.codes_twice([COUPON, COUPON]) == 0
    assert limits.codes_twice([COUPON, replace(COUPON, id="reactivation:t1")]) == 1
