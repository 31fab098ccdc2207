from collections import Counter, defaultdict
from datetime import UTC, datetime
from itertools import islice, pairwise, takewhile

import msgspec
import numpy as np
import pytest

from streams.demo import journey
from streams.demo.history import History
from streams.demo.journey import DataMissing, table
from streams.demo.session import CARTS_PER_ORDER, DAY, LEAD, VIEWS_PER_CART
from streams.wire.event import Click, Order, Profile

SHAPES = {"clicks": Click, "orders": Order, "profiles": Profile}


def moment(month, day, hour=0):
    return int(datetime(2017, month, day, hour, tzinfo=UTC).timestamp() * 1000)


def until(history, end, start=None):
    return takewhile(lambda event: event.at < end, history.events(start))


@pytest.fixture(scope="module")
def week(history):
    """The first week of March, decoded: [(topic, key, message)]."""
    events = until(history, moment(3, 8), moment(3, 1))
    return [(e.topic, e.key, msgspec.json.decode(e.value, type=SHAPES[e.topic]), e.at) for e in events]


@pytest.fixture(scope="module")
def year(history):
    """The whole year, counted: kinds of events, orders' ids and times out of order."""
    kinds, orders, backwards, last = Counter(), [], 0, 0
    for event in history.events():
        backwards += event.at < last
        last = event.at
        if event.topic == "clicks":
            kinds[event.value.split(b'"kind":"')[1].split(b'"')[0].decode()] += 1
        else:
            kinds[event.topic] += 1
        if event.topic == "orders":
            orders.append(event.value.split(b'"order":"')[1].split(b'"')[0])
    return kinds, orders, backwards


def test_the_year_is_in_order_of_time(year):
    assert year[2] == 0


def test_every_basket_is_an_order_once(year):
    baskets = np.unique(table("transactions", "basket_id")["basket_id"].to_numpy())
    assert len(year[1]) == len(baskets) == 155_848
    assert {int(order) for order in year[1]} == set(baskets.tolist())


def test_every_household_has_one_profile(year):
    assert year[0]["profiles"] == 2469


def test_clicks_have_the_ratios_they_are_said_to_have(year):
    kinds = year[0]
    assert kinds["cart"] / kinds["orders"] == pytest.approx(CARTS_PER_ORDER, rel=0.02)
    assert kinds["view"] / kinds["cart"] == pytest.approx(VIEWS_PER_CART, rel=0.02)
    assert 2_500_000 < sum(kinds.values()) < 3_500_000


def test_amounts_add_up_to_what_the_retailer_received(history):
    lines = table("transactions", "household_id", "sales_value", "coupon_disc")
    everything = slice(0, len(history.journey))
    amounts = Counter()
    with_coupon = 0
    for order in history.journey.orders(everything):
        amounts[order["user"]] += order["amount"]
        with_coupon += order["coupon"] is not None
    expected = Counter()
    households = lines["household_id"].to_pylist()
    for household, sales in zip(households, lines["sales_value"].to_pylist(), strict=True):
        expected[f"h{household}"] += sales
    assert amounts.keys() == expected.keys()
    assert all(amounts[user] == pytest.approx(expected[user], abs=0.01) for user in expected)
    assert sum(amounts.values()) == pytest.approx(4_596_039.58, abs=0.01)
    assert with_coupon == 9827


def test_an_order_is_its_basket(history):
    """The first basket with more lines than an order carries, recomputed line by line."""
    columns = [name for name in journey.COLUMNS if name != "transaction_timestamp"]
    rows = table("transactions", *columns).slice(0, 2000).to_pylist()
    baskets = defaultdict(list)
    for row in rows:
        baskets[row["basket_id"]].append(row)
    ident, basket = next((i, rows) for i, rows in baskets.items() if len(rows) > journey.MAX_LINES)
    orders = history.journey.orders(slice(0, 500))
    order = next(order for order in orders if order["order"] == str(ident))
    assert order["amount"] == pytest.approx(sum(row["sales_value"] for row in basket))
    discounts = ("retail_disc", "coupon_disc", "coupon_match_disc")
    assert order["discount"] == pytest.approx(sum(row[name] for row in basket for name in discounts), abs=0.005)
    assert order["user"] == f"h{basket[0]['household_id']}"
    assert len(order["lines"]) == journey.MAX_LINES
    dearest = sorted((row["sales_value"] for row in basket), reverse=True)[: journey.MAX_LINES]
    assert [line["amount"] for line in order["lines"]] == dearest
    spent = Counter()
    products = table("products", "product_id", "product_category").to_pylist()
    names = {row["product_id"]: row["product_category"] for row in products}
    for row in basket:
        spent[names[row["product_id"]]] += row["sales_value"]
    assert order["category"] == spent.most_common(1)[0][0].lower()


def test_events_are_what_the_topics_declare(week):
    assert {topic for topic, *_ in week} == {"clicks", "orders", "profiles"}
    for _, key, message, at in week:
        assert key == message.user.encode()
        assert message.at == at


def test_a_visit_ends_in_each_order(week):
    """Every order follows its visit's clicks within two hours, and what was carted was bought."""
    visits = defaultdict(list)
    for _, _, message, _ in week:
        if isinstance(message, Click):
            visits[message.session].append(message)
    orders = [m for _, _, m, _ in week if isinstance(m, Order) and m.at > moment(3, 1) + LEAD]
    assert len(orders) > 2000
    for order in orders:
        clicks = visits[f"s{order.order}0"]
        assert all(click.user == order.user and order.at - LEAD < click.at < order.at for click in clicks)
        assert clicks[0].kind == "visit"
        carted = {click.item for click in clicks if click.kind == "cart"}
        assert carted
        if len(order.lines) < journey.MAX_LINES:
            assert carted <= {line.item for line in order.lines}


def test_some_visits_end_without_an_order(week):
    sessions = {m.session for _, _, m, _ in week if isinstance(m, Click)}
    browsing = [session for session in sessions if not session.endswith("0")]
    assert 0.3 < len(browsing) / len(sessions) < 0.6


def test_same_seed_same_history_another_seed_other_clicks(history):
    first = list(islice(history.events(), 30_000))
    assert first == list(islice(History().events(), 30_000))
    other = list(islice(History(seed=1).events(), 30_000))
    assert [e for e in first if e.topic == "clicks"] != [e for e in other if e.topic == "clicks"]
    orders = [e for e in first if e.topic == "orders"]
    assert orders == [e for e in other if e.topic == "orders"][: len(orders)]


def test_a_later_start_is_the_same_history(history):
    start, end = moment(1, 20, 7), moment(1, 23)
    late = [e for e in until(history, end, start) if e.topic != "profiles"]
    whole = [e for e in until(history, end) if e.topic != "profiles" and e.at >= start]
    assert late == whole


def test_profiles_come_before_what_their_household_does(history):
    known = set()
    for event in until(history, moment(1, 10)):
        if event.topic == "profiles":
            known.add(event.key)
        else:
            assert event.key in known


def test_a_later_start_brings_all_earlier_profiles_first(history):
    start = moment(12, 1)
    events = list(until(history, start + DAY, start))
    profiles = [event for event in events if event.topic == "profiles"]
    assert all(event.at == start for event in profiles[:2400])
    assert {event.key for event in events} <= {event.key for event in profiles}


def test_consent_and_contacts_differ(history):
    profiles = [
        msgspec.json.decode(e.value, type=Profile)
        for e in until(history, history.last_at, history.last_at - 1)
        if e.topic == "profiles"
    ]
    assert len(profiles) == 2469
    share = {
        "inbox consent": sum(p.consent["inbox"] for p in profiles) / 2469,
        "no contact": sum(not p.contacts for p in profiles) / 2469,
        "webhook": sum("webhook" in p.contacts for p in profiles) / 2469,
        "attributes": sum(bool(p.attributes) for p in profiles),
    }
    assert share["inbox consent"] == pytest.approx(0.85, abs=0.03)
    assert 0.04 < share["no contact"] < 0.12
    assert 0.3 < share["webhook"] < 0.6
    assert share["attributes"] == 801


def test_times_go_up_also_within_a_day(history):
    assert all(a.at <= b.at for a, b in pairwise(islice(history.events(moment(6, 1)), 20_000)))


def test_missing_data_say_what_to_install(monkeypatch):
    monkeypatch.setattr(journey, "find_spec", lambda _: None)
    with pytest.raises(DataMissing, match=r"pip install 'awaken\[demo\]'"):
        table("transactions")
