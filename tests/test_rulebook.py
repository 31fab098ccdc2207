"""What a marketer wrote is what the fold reads; it survives the log; a place once given stays."""

import json
import math

import msgspec
import numpy as np
import pytest

from streams import rulebook, settings
from streams.core import dimension
from streams.core.dimension import ACTIVITY, DIMENSIONS, FIRST_OWN, LEVEL, ORDER_VALUE, RFM
from streams.core.row import CLICK_KINDS, DAY, MAX_DIMENSIONS, NEVER
from streams.core.rules import FACTS, MAX_BANDS, RULE, carried
from streams.core.sketch import summarize
from streams.rulebook import build, document, of_document, with_cuts
from streams.settings import Settings, SettingsError
from tests.core.test_sketch import DAY_0, people

RICH = """
minor_units = 0
dimensions = ["activity", "rfm", "order_value", "level"]
[activity]
new_days = 0
dormant_days = 2.5
personal = true
personal_gap_days = 5
[value]
monetary = "average"
monetary_amount = 1500
thresholds = "median"
[bands]
order_value = { tiny = 0, huge = 99.5 }
[own.spender]
of = "spend"
weeks = 4
bands = { small = 1, big = 500 }
[own.busy]
of = "clicks"
days = 30
bands = { a_little = 1, a_lot = 100 }
[own.region]
of = "attributes.region"
values = { south = ["Guangzhou"], north = ["Beijing", "Harbin"] }
[own.age]
of = "attributes.age"
bands = { child = 0, adult = 18 }
[kinds.rider]
dimensions = ["activity"]
[kinds.rider.activity]
dormant_days = 1
[kinds.rider.bands]
order_value = { tiny = 10, huge = 20 }
[kinds.rider.own.spender]
bands = { small = 7, big = 8 }
[kinds.driver.value]
monetary = "total"
thresholds = "mean"
"""


def read(tmp_path, text, **environ):
    file = tmp_path / "awaken.toml"
    file.write_text(text)
    return settings.load(file, environ)


@pytest.fixture
def rich(tmp_path):
    return read(tmp_path, RICH)


def same(left, right):
    return left._replace(table=None) == right._replace(table=None) and left.table.tobytes() == right.table.tobytes()


def test_the_defaults_are_rules_for_everybody():
    book = build(Settings())
    rule = book.table[0]
    assert (book.kinds, book.number, book.table.dtype) == (("user",), 1, RULE)
    assert rule["on"].tolist() == [1] * len(DIMENSIONS) + [0] * (MAX_DIMENSIONS - len(DIMENSIONS))
    assert (rule["new_ms"], rule["dormant_ms"], rule["churned_ms"]) == (7 * DAY, 14 * DAY, 30 * DAY)
    assert (rule["look_back_weeks"], rule["valuable"], rule["average"]) == (26, 30_000, 0)
    assert (rule["coupon_on"], rule["coupon_off"], rule["coupon_prior"]) == (0.6, 0.4, 4)
    assert rule["points_per_unit"] * 100 == 1
    assert rule["click_points"][CLICK_KINDS.index("refer")] == 100
    assert rule["click_points"][CLICK_KINDS.index("view")] == 0
    assert rule["edges"][ORDER_VALUE, : rule["bands"][ORDER_VALUE]].tolist() == [0, 5000, 10_000, 20_000]
    assert book.values[ORDER_VALUE] == ("none", "under_50", "50_to_100", "100_to_200", "200_and_over")


def test_every_threshold_of_the_rules_comes_from_a_setting(tmp_path):
    """A field of RULE that no setting reaches would stay 0 for ever."""
    text = """
    [activity]
    personal = true
    dwell_days = 1
    [value]
    monetary = "average"
    [growth]
    early_access_level = "gold"
    [own.mine]
    of = "orders"
    weeks = 2
    bands = { some = 1 }
    """
    rule = build(read(tmp_path, text)).table[0]
    assert [name for name in RULE.names if not rule[name].any()] == []


def test_early_access_may_rest_on_a_level(tmp_path):
    assert build(Settings()).table["early_level"][0] == 0
    book = build(read(tmp_path, '[growth]\nearly_access_level = "gold"'))
    assert book.values[LEVEL][book.table["early_level"][0]] == "gold"


def test_only_activity_can_be_kept(tmp_path):
    book = build(read(tmp_path, 'dimensions = ["activity"]'))
    assert np.flatnonzero(book.table["on"][0]).tolist() == [ACTIVITY]


def test_what_is_written_for_a_kind_holds_for_it_and_the_rest_is_everybodys(rich):
    book = build(rich)
    user, driver, rider = (book.table[book.kinds.index(kind)] for kind in ("user", "driver", "rider"))
    assert book.kinds == ("user", "driver", "rider")
    assert (user["dormant_ms"], rider["dormant_ms"], driver["dormant_ms"]) == (2.5 * DAY, DAY, 2.5 * DAY)
    assert user["new_ms"] == rider["new_ms"] == NEVER
    assert rider["personal_log_gap"] == math.log(5)
    assert (user["average"], driver["average"], user["valuable"]) == (1, 0, 1500)
    assert [rule["edges"][ORDER_VALUE, :2].tolist() for rule in (user, rider)] == [[0, 100], [10, 20]]
    assert [rule["on"][ORDER_VALUE] for rule in (user, rider)] == [1, 0]


def test_dimensions_of_ones_own_have_facts_windows_bands_and_words(rich):
    book = build(rich)
    user, rider = book.table[0], book.table[book.kinds.index("rider")]
    assert book.dimensions[FIRST_OWN:] == ("age", "busy", "region", "spender")
    age, busy, region, spender = range(FIRST_OWN, FIRST_OWN + 4)
    assert [FACTS[f] for f in user["fact"][[age, busy, region, spender]]] == [
        "attribute", "clicks", "attribute", "spend",
    ]  # fmt: skip
    assert (user["window"][busy], user["window"][spender], user["owns"]) == (30, 4, 2)
    assert user["on"][[age, busy, region, spender]].all()
    assert (user["edges"][spender, :2].tolist(), rider["edges"][spender, :2].tolist()) == ([1, 500], [7, 8])
    assert book.values[region] == ("none", "north", "south")
    assert book.values[age] == ("none", "child", "adult")
    assert (book.figures[age], book.figures[region], book.figures[spender]) == (("value",), (), ("spend",))
    assert {book.topics[k] for k in (age, busy, region, spender)} == {dimension.VALUE}
    assert {a.name: (a.dimension, dict(a.words)) for a in book.attributes} == {
        "age": (age, {}),
        "region": (region, {"Beijing": 1, "Harbin": 1, "Guangzhou": 2}),
    }


def test_money_is_in_minor_units(tmp_path):
    text = '[own.s]\nof = "order_value"\nweeks = 2\nbands = { a = 0.29, b = 1 }\n[bands]\norder_value = { a = 19.99 }'
    rule = build(read(tmp_path, text)).table[0]
    assert rule["edges"][FIRST_OWN, :2].tolist() == [29, 100]
    assert rule["edges"][ORDER_VALUE, 0] == 1999


def test_the_log_gives_back_the_same_rulebook(rich):
    written = json.loads(json.dumps(document(rich)))
    assert same(of_document(written, 7), build(rich, number=7))
    shuffled = json.loads(json.dumps(document(rich), sort_keys=True))
    assert same(of_document(shuffled, 7), build(rich, number=7))


def test_a_document_that_is_none_is_refused():
    written = document(Settings())
    written["activity"]["dormant_days"] = -1
    with pytest.raises(SettingsError, match=r"rules: activity\.dormant_days = -1"):
        of_document(written, 1)


def test_equal_rules_have_equal_versions_whatever_the_order(tmp_path, rich):
    head, *tables = RICH.split("\n[")
    turned = head + "".join("\n[" + table for table in reversed(tables))
    assert turned != RICH
    assert same(build(read(tmp_path, turned)), build(rich))
    assert build(read(tmp_path, "[activity]\ndormant_days = 14.0")).version == build(Settings()).version


@pytest.mark.parametrize(
    "text",
    [
        "[activity]\ndormant_days = 15",
        "minor_units = 0",
        'dimensions = ["activity"]',
        "[kinds.rider.stage]\ngrowth_days = 3",
    ],
)
def test_other_rules_have_another_version(tmp_path, text):
    assert build(read(tmp_path, text)).version != build(Settings()).version


def test_what_is_no_rule_changes_no_version():
    other = msgspec.structs.replace(Settings(), group="other", partitions=3)
    assert build(other).version == build(Settings()).version


def own(*names):
    facts = {name: settings.Own(of="points", bands={"some": 1}) for name in names}
    return msgspec.structs.replace(Settings(), own=facts, kinds={name: {"activity": {"new_days": 1}} for name in names})


def test_a_place_once_given_stays():
    before = build(own("m", "p"))
    after = build(own("a", "p", "z"), before)
    assert after.dimensions[FIRST_OWN:] == ("m", "p", "a", "z")
    assert after.kinds == ("user", "m", "p", "a", "z")
    assert after.table["on"][0, FIRST_OWN : FIRST_OWN + 4].tolist() == [0, 1, 1, 1]
    again = build(own("a", "p", "z"), after)
    assert same(after, again)
    assert after.version == build(own("a", "p", "z")).version
    assert same(of_document(document(own("a", "p", "z"), before), 1), after)
    full = build(own(*"abcdef"), build(own("z")))
    assert set(full.dimensions[FIRST_OWN:]) == set("abcdef")  # a vacant place goes last, when no other is left


def test_values_are_carried_over_by_their_words(tmp_path):
    mine = '[own.mine]\nof = "points"\nbands = { few = 0, many = 9 }\n'
    before = build(read(tmp_path, mine + "[bands]\nlevel = { a = 1, b = 2 }"))
    after = build(read(tmp_path, "[bands]\nlevel = { z = 0, b = 2, c = 3 }"), before)
    places = carried(before, after)
    assert places[LEVEL, :3].tolist() == [0, 0, 2]
    assert places[RFM].tolist() == list(range(9))
    assert not places[FIRST_OWN, :3].any()
    assert carried(before, before)[FIRST_OWN, :3].tolist() == [0, 1, 2]


def test_a_populations_cuts_are_frozen_and_named(rich):
    rows, purchases, _ = people(400, seed=5)
    book = build(rich)
    summary = summarize(rows, purchases, DAY_0, 26, ("user", "driver", "rider"))
    cuts = rulebook.population_cuts(rich, summary)
    assert set(cuts) == {"user", "driver"}  # of the rider there were no buyers: people() knows two kinds
    frozen = with_cuts(book, cuts, number=9)
    assert frozen.table["frequent"][0] == cuts["user"]["frequency"]
    assert frozen.table["recent_days"][1] == cuts["driver"]["recency_days"]
    assert frozen.table["valuable"][1] == cuts["driver"]["monetary"]
    assert frozen.table["valuable"][2] == book.table["valuable"][2]
    assert book.table["valuable"][0] == 1500  # the former stands
    assert frozen.number == 9
    assert frozen.version.startswith(book.version + "-cuts-")
    assert with_cuts(book, json.loads(json.dumps(cuts))).version == frozen.version
    two = with_cuts(book, {"user": {"frequency": 2}}).version
    assert two == with_cuts(book, {"user": {"frequency": 2.0}}).version
    assert two != frozen.version


@pytest.mark.parametrize(("cuts", "said"), [({"pilot": {}}, "no such kind"), ({"user": {"m": 1}}, "no such figure")])
def test_cuts_of_what_is_not_there_are_refused(cuts, said):
    with pytest.raises(ValueError, match=said):
        with_cuts(build(Settings()), cuts)


def test_fixed_thresholds_ask_for_no_population():
    rows, purchases, _ = people(50, seed=6)
    assert rulebook.population_cuts(Settings(), summarize(rows, purchases, DAY_0, 26, ("user",))) == {}


def test_the_words_of_the_settings_fit_into_the_rules():
    assert max(map(len, msgspec.structs.asdict(Settings().bands).values())) <= MAX_BANDS
