"""Prizes never exceed their stock, in whatever order the counters answer and however stale the caller's view is."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from streams.offer import Offer, Prize
from streams.push import draw
from streams.push.account import EVER, Account
from streams.push.offers import accounts_of, grant

SECRET, UTC = "0123456789abcdef", ZoneInfo("UTC")
NAMES = ("gold", "silver", "bronze")


@st.composite
def draws(some):
    shares = some(st.lists(st.integers(1, 9), min_size=1, max_size=3))
    wins = some(st.booleans())
    whole = sum(shares) + (0 if wins else some(st.integers(1, 9)))
    stock = st.integers(1, 4) | st.just(0)
    prizes = {name: Prize(share / whole, 1, some(stock)) for name, share in zip(NAMES, shares, strict=False)}
    return Offer("lucky_draw", prizes=prizes, everybody_wins=wins, total=some(st.integers(0, 20)))


class Counters:
    """A budget's ledger: it takes one of each, or of none and says which is used up."""

    def __init__(self):
        self.taken = {}

    def take(self, accounts):
        for account in accounts:
            if self.taken.get(account, 0) >= account.limit:
                return account
        for account in accounts:
            self.taken[account] = self.taken.get(account, 0) + 1
        return None


def asking(offer, decision, answers):
    """What a caller does, a step at a time: ask for a grant, ask the counters, and again without what is out."""
    out = set()
    while granted := grant("mine", offer, decision, decision, 0, UTC, SECRET, out):
        accounts = accounts_of("mine", offer, granted, 0, UTC)
        yield
        short = answers.take(accounts)
        if short is None:
            return granted
        if not short.of:
            return None
        out.add(granted.prize)
    return None


@given(draws(), st.lists(st.integers(0, 29), min_size=200, max_size=200))
def test_the_prizes_given_never_exceed_the_stock(offer, order):
    counters, given_to = Counters(), {}
    callers = {k: asking(offer, f"d{k}", counters) for k in range(30)}
    for k in [*order, *[*range(30)] * 5]:
        if k in callers:
            try:
                next(callers[k])
            except StopIteration as ended:
                given_to[k] = ended.value
                del callers[k]
    assert not callers
    grants = [g for g in given_to.values() if g is not None]
    for name, prize in offer.prizes.items():
        assert not prize.stock or sum(g.prize == name for g in grants) <= prize.stock
    assert not offer.total or len(grants) <= offer.total
    if offer.everybody_wins:
        assert all(g.prize for g in grants)
    left = {
        n
        for n, p in offer.prizes.items()
        if not p.stock or counters.taken.get(Account("offers.mine", EVER, p.stock, n), 0) < p.stock
    }
    seed = draw.seed_of("mine", SECRET)
    for k, found in given_to.items():
        first = draw.draw(seed, f"d{k}", offer)
        if found is not None and first in left:
            assert found.prize == first  # what was in stock to the end was given to all who drew it
        if found is None:
            assert len(grants) == offer.total or not left  # turned away only where nothing was left
