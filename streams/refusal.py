"""What is refused of thresholds that can each be written, but do not go together; and in which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from zoneinfo import available_timezones

import msgspec

from streams.core.dimension import FIRST_OWN
from streams.core.row import CLICK_KINDS, DAYS, MAX_DIMENSIONS, PERIODS, WEEKS
from streams.core.rules import FACTS, MAX_BANDS, NO_FACT
from streams.core.window import I4_MAX, U1_MAX, U2_MAX
from streams.festival import BIRTHDAY, CALENDAR
from streams.invitation import REFERRAL, REWARDED
from streams.threshold import ATTRIBUTES, CONTACTS, NAMES, TIME_ZONE, Bounds, Own, Thresholds

NAME = re.compile(r"[a-z0-9_]{1,40}")
EARNING = tuple(kind for kind in CLICK_KINDS if kind != "redeem")
WORDS = tuple(fact for fact in FACTS[NO_FACT + 1 :] if fact != "attribute")
"""The facts as a dimension of one's own may name them."""
DAY_FACTS = ("clicks", "active_days")
TIMELESS_FACTS = ("points",)
MONEY_FACTS = ("spend", "order_value")
EVERYBODY = "user"
TAKEN = (*NAMES, CALENDAR, REFERRAL)
BESIDE_TAGS = ("seq", "at", "rules")
"""What stands with a user's tags under names of its own."""
MOST_OWN = MAX_DIMENSIONS - FIRST_OWN
MOST_POINTS = 1_000_000
MOST = 1e15
"""A bound above this would not be exact in the 8 bytes that it has."""
REACH = {
    "level": PERIODS * U2_MAX,
    "points": I4_MAX,
    "streak": U2_MAX,
    "order_frequency": WEEKS * U1_MAX,
    "orders": WEEKS * U1_MAX,
    "coupons": WEEKS * U1_MAX,
    "clicks": DAYS * U1_MAX,
}
"""What can be counted: a bound above it would never be reached."""


def check(found: Thresholds) -> None:
    """Refuse thresholds that contradict one another.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    _check_dimensions(found.dimensions)
    _check_order(found)
    for name in msgspec.structs.asdict(found.bands):
        _check_bounds(
            f"bands.{name}", getattr(found.bands, name), whole=name != "order_value", most=REACH.get(name, MOST)
        )
    _check_growth(found)
    if len(found.own) > MOST_OWN:
        raise ValueError(f"own = {', '.join(found.own)}: there is room for {MOST_OWN} dimensions of your own")
    for name, own in found.own.items():
        _check_own(name, own)


def check_quiet(start: str, end: str, zone: str) -> None:
    """Refuse quiet hours that have no beginning, no end or no length, and a time zone that nobody knows.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    if bool(start) != bool(end):
        key, other = ("quiet_from", "quiet_to") if not start else ("quiet_to", "quiet_from")
        raise ValueError(f"push.{key} = '': beside push.{other} it must be set too, or both empty")
    if start and start == end:
        raise ValueError(f"push.quiet_to = {end!r}: must be another time than push.quiet_from")
    if zone not in available_timezones():
        raise ValueError(f"push.time_zone = {zone!r}: is no IANA time zone; write one such as Asia/Shanghai")


def check_playbook(
    name: str,
    on: str,
    when: Mapping[str, str | Sequence[str]],
    values: Mapping[str, Sequence[str]],
    days: Iterable[str] = (),
) -> None:
    """Refuse a playbook that nobody could ever come to.

    `values`: those of every dimension; `days`: the names of the festivals.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    place = f"playbooks.{name}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{place}: a playbook's name is 1 to 40 of a-z, 0-9 and _")
    dimension, _, value = on.partition(".")
    _check_word(
        f"{place}.on = {on!r}", dimension, value, {**values, CALENDAR: (BIRTHDAY, *days), REFERRAL: (REWARDED,)}
    )
    for key, words in when.items():
        for word in (words,) if isinstance(words, str) else words:
            if key.startswith(CONTACTS):
                _check_word(f"{place}.when.{key} = {word!r}", CONTACTS, word, {CONTACTS: ("known", "unknown")})
            elif not key.startswith(ATTRIBUTES) and key != TIME_ZONE:
                _check_word(f"{place}.when.{key} = {word!r}", key, word, values)


def _check_word(place: str, dimension: str, value: str, values: Mapping[str, Sequence[str]]) -> None:
    if dimension not in values:
        raise ValueError(f"{place}: there is no dimension {dimension}; there are {', '.join(values)}")
    if value not in values[dimension]:
        raise ValueError(f"{place}: {dimension} has no such value; it has {', '.join(values[dimension])}")


def check_kind(kind: str, found: Thresholds, general: Thresholds) -> None:
    """Refuse thresholds of a kind of user that cannot stand beside the general ones: the words are everybody's.

    Raises:
        ValueError: its text names the key, the value and what is allowed.
    """
    if not NAME.fullmatch(kind) or kind == EVERYBODY:
        raise ValueError(f"*: a kind's name is 1 to 40 of a-z, 0-9 and _, but not {EVERYBODY}, which is everybody else")
    for name in msgspec.structs.asdict(found.bands):
        _check_same_words(f"bands.{name}", getattr(found.bands, name), getattr(general.bands, name))
    for name, own in found.own.items():
        if name not in general.own:
            raise ValueError(f"own.{name}: every kind has the same dimensions; declare [own.{name}] first")
        known = general.own[name]
        if own.of != known.of:
            raise ValueError(f"own.{name}.of = {own.of!r}: must be {known.of!r}, as in [own.{name}]")
        if own.values != known.values:
            raise ValueError(f"own.{name}.values: are the same for every kind; leave them to [own.{name}]")
        _check_same_words(f"own.{name}.bands", own.bands, known.bands)
    check(found)


def _check_dimensions(names: tuple[str, ...]) -> None:
    for name in names:
        if name not in NAMES:
            raise ValueError(f"dimensions = {name!r}: there is no such dimension; allowed: {', '.join(NAMES)}")
    if NAMES[0] not in names:
        raise ValueError(f"dimensions = {list(names)!r}: {NAMES[0]!r} must be among them, the others rest on it")
    if "level_outlook" in names and "level" not in names:
        raise ValueError(f"dimensions = {list(names)!r}: 'level_outlook' rests on 'level'; add that, or leave both out")


def _check_order(found: Thresholds) -> None:
    """Refuse pairs of which one must not be above the other."""
    for section, low, high, strictly in (
        ("activity", "personal_floor_days", "personal_ceiling_days", False),
        ("activity", "dormant_days", "churned_days", True),
        ("stage", "growth_days", "growth_window_days", False),
        ("stage", "maturity_days", "maturity_window_days", False),
        ("rung", "habit_days", "habit_window_days", False),
        ("value", "coupon_off", "coupon_on", True),
        ("social", "tired_score", "exhausted_score", True),
    ):
        less, more = (getattr(getattr(found, section), name) for name in (low, high))
        if high == "churned_days" and not more:
            continue
        if less > more or (strictly and less == more):
            must = "above" if strictly else "at least"
            none = ", or 0 for none" if high == "churned_days" else ""
            raise ValueError(f"{section}.{high} = {more:g}: must be {must} {section}.{low} = {less:g}{none}")


def _check_bounds(key: str, bounds: Bounds, *, whole: bool, most: float = MOST) -> None:
    """Refuse bands whose names are no words, or whose bounds do not ascend."""
    if not 1 <= len(bounds) <= MAX_BANDS:
        raise ValueError(f"{key} = {shown(bounds)}: must have 1 to {MAX_BANDS} bands, not {len(bounds)}")
    _check_words(key, tuple(bounds))
    before = None
    for name, bound in bounds.items():
        if not 0 <= bound <= most or (whole and bound != round(bound)):
            sort = "a whole number" if whole else "a number"
            raise ValueError(f"{key}.{name} = {_plain(bound)}: must be {sort} at least 0, at most {_plain(most)}")
        if before is not None and bound <= bounds[before]:
            raise ValueError(
                f"{key}.{name} = {_plain(bound)}: bounds must ascend; {before} before it has {_plain(bounds[before])}"
            )
        before = name


def _check_words(key: str, names: tuple[str, ...]) -> None:
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(f"{key} = {name!r}: a name is 1 to 40 of a-z, 0-9 and _; transitions carry it")
        if name == "none":
            raise ValueError(f"{key} = 'none': is the word for whoever is in no band; choose another")


def _check_same_words(key: str, bounds: Bounds, general: Bounds) -> None:
    if tuple(bounds) != tuple(general):
        raise ValueError(
            f"{key} = {shown(bounds)}: only the bounds may differ by kind; the names must be {', '.join(general)}"
        )


def _check_growth(found: Thresholds) -> None:
    for kind, points in found.growth.points.items():
        if kind not in EARNING:
            raise ValueError(f"growth.points.{kind} = {points}: there is no such act; allowed: {', '.join(EARNING)}")
        if not 0 <= points <= MOST_POINTS:
            raise ValueError(f"growth.points.{kind} = {points}: must be at least 0, at most {MOST_POINTS}")
    level = found.growth.early_access_level
    if level and level not in found.bands.level:
        raise ValueError(
            f"growth.early_access_level = {level!r}: there is no such level; "
            f"allowed: {', '.join(found.bands.level)}, or empty for none"
        )


def _check_own(name: str, own: Own) -> None:
    key = f"own.{name}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{key}: a dimension's name is 1 to 40 of a-z, 0-9 and _; transitions carry it")
    if name in TAKEN:
        raise ValueError(f"{key}: there is a dimension {name!r} already; choose a name other than {', '.join(TAKEN)}")
    if name in BESIDE_TAGS:
        raise ValueError(f"{key}: {', '.join(BESIDE_TAGS)} stand beside a user's tags in Redis; choose another name")
    if own.of.startswith(ATTRIBUTES) and own.of != ATTRIBUTES:
        _check_attribute(key, own)
        return
    if own.of not in WORDS:
        raise ValueError(f"{key}.of = {own.of!r}: there is no such fact; allowed: {', '.join(WORDS)}, attributes.NAME")
    if own.values:
        raise ValueError(f"{key}.values = {shown(own.values)}: are for attributes; {own.of} needs bands, as numbers")
    _check_window(key, own)
    most = own.days if own.of == "active_days" else REACH.get(own.of, MOST)
    _check_bounds(f"{key}.bands", own.bands, whole=own.of not in MONEY_FACTS, most=most)


def _check_attribute(key: str, own: Own) -> None:
    for unit in ("days", "weeks"):
        if getattr(own, unit):
            raise ValueError(f"{key}.{unit} = {getattr(own, unit)}: an attribute has no window; leave it out")
    if bool(own.bands) == bool(own.values):
        raise ValueError(f"{key}: an attribute needs either bands (numbers) or values (words), and not both")
    if own.bands:
        _check_bounds(f"{key}.bands", own.bands, whole=True)
        return
    if len(own.values) > MAX_BANDS:
        raise ValueError(f"{key}.values = {shown(own.values)}: at most {MAX_BANDS} are allowed")
    _check_words(f"{key}.values", tuple(own.values))
    homes: dict[str, str] = {}
    for value, words in own.values.items():
        for word in words:
            if homes.setdefault(word, value) != value:
                raise ValueError(f"{key}.values.{value} = {word!r}: stands in {homes[word]} already")


def _check_window(key: str, own: Own) -> None:
    """Refuse a window that the fact has not: none, too long, or in the other unit."""
    if own.of in TIMELESS_FACTS:
        unit, other, most = "", "days" if own.days else "weeks", 0
    elif own.of in DAY_FACTS:
        unit, other, most = "days", "weeks", DAYS
    else:
        unit, other, most = "weeks", "days", WEEKS
    if getattr(own, other):
        instead = f"counts by {unit}, 1 to {most}" if unit else "is what it is now, and has no window"
        raise ValueError(f"{key}.{other} = {getattr(own, other)}: {own.of} {instead}")
    if unit and not getattr(own, unit):
        raise ValueError(f"{key}.{unit} = 0: {own.of} needs a window of 1 to {most} {unit}")


def shown(table: dict[str, float] | dict[str, tuple[str, ...]] | dict[str, str]) -> str:
    """Return a table as TOML writes it in a line."""
    if not table:
        return "{}"
    return "{ " + ", ".join(f"{name} = {_plain(value)}" for name, value in table.items()) + " }"


def _plain(value: float | str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{word}"' for word in value) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value:.15g}"
