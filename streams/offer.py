"""Offers as the settings declare them: what a message may bring its user, on which terms, and how many there are.

`SORTS` is the table of the kinds: what each one is, the fields without which it is none, and those that it may have. A
field of another kind's is refused, so that nothing that is written is quietly without effect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct, field

from streams import template
from streams.refusal import NAME

Kind = Literal[
    "sign_up_gift", "first_order_pack", "frequent_gift", "exclusive", "spend_and_save", "lucky_draw", "limited_coupon",
    "percentage", "earned_coupon", "flash_sale", "daily_special", "group_buy", "bargain", "early_bird", "free_sample",
    "membership", "points",
]  # fmt: skip
CLOCK = r"^(([01]\d|2[0-3]):[0-5]\d)?$"
DAY_HOURS = 24
EXACT = 1e-9
"""Odds are written in decimals, of which the sum is not exact."""
Money = Annotated[float, Meta(ge=0, le=1e9)]
Count = Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Prize(Struct, frozen=True, forbid_unknown_fields=True):
    """A prize of a draw: how probable it is, what it costs us, how many there are (0: no limit), what it is called."""

    odds: Annotated[float, Meta(gt=0, le=1)]
    value: Money
    stock: Count = 0
    title: Annotated[str, Meta(max_length=100)] = ""


class Offer(Struct, frozen=True):
    """Something that costs us, given to a user so that he comes or buys."""

    kind: Annotated[Kind, Meta(description="what sort of offer it is")] = "spend_and_save"
    value: Annotated[Money, Meta(description="what he saves, or what the gift costs, in units of the currency")] = 0
    percent: Annotated[float, Meta(ge=0, le=100, description="… or what he saves of an order, in percent")] = 0
    ceiling: Annotated[Money, Meta(description="… and at most so much of it, in units of the currency")] = 0
    min_spend: Annotated[Money, Meta(description="only with an order of at least so much; 0 for any")] = 0
    items: Annotated[
        tuple[str, ...],
        Meta(examples=['["a sachet of tea"]'], description="what is given or for what it holds, in words"),
    ] = ()
    points: Annotated[Count, Meta(description="so many points")] = 0
    prizes: Annotated[
        dict[str, Prize],
        Meta(
            examples=["{ phone = { odds = 0.001, value = 2000, stock = 3 }, mug = { odds = 0.2, value = 5 } }"],
            description="of a draw, by name; odds 0 to 1, stock 0 for no limit, title in words",
        ),
    ] = field(default_factory=dict)
    everybody_wins: Annotated[bool, Meta(description="the odds make 1, and each entry reserves a prize")] = False
    earn_orders: Annotated[Count, Meta(description="earned by so many orders …")] = 0
    earn_spend: Annotated[Money, Meta(description="… that make so much together …")] = 0
    window_days: Annotated[float, Meta(ge=0, le=365, description="… within so many days")] = 0
    opens: Annotated[str, Meta(pattern=CLOCK, examples=["20:00"], description="a sale's beginning, by his clock")] = ""
    lasts_hours: Annotated[float, Meta(ge=0, le=168, description="… and how long it is open")] = 0
    list_price: Annotated[Money, Meta(description="the price for who buys alone, or bargains without help")] = 0
    group: Annotated[
        dict[Annotated[int, Meta(ge=2, le=10_000)], Money],
        Meta(examples=["{ 2 = 90, 5 = 80 }"], description="the price for each, by how many buy together at least"),
    ] = field(default_factory=dict)
    steps: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=1e9)], ...],
        Meta(examples=["[20, 10, 5, 5]"], description="by how much each helper in turn brings the price down"),
    ] = ()
    price: Annotated[
        dict[Annotated[int, Meta(ge=1, le=36_500)], Money],
        Meta(examples=["{ 30 = 15, 365 = 120 }"], description="of a membership, by its days; longer is cheaper a day"),
    ] = field(default_factory=dict)
    valid_days: Annotated[
        int, Meta(ge=0, le=3650, description="until the end of his day so many days on; 0 for no such end")
    ] = 0
    valid_hours: Annotated[float, Meta(ge=0, le=8760, description="for so many hours; 0 for no such end")] = 0
    valid_from: Annotated[
        date | None, Meta(examples=["2026-03-01"], description="not before this day of his begins")
    ] = None
    valid_until: Annotated[
        date | None, Meta(examples=["2026-03-14"], description="until this day of his ends; the earliest end counts")
    ] = None
    per_user: Annotated[Count, Meta(description="at most so often for one user …; 0 for no such limit")] = 1
    per_user_days: Annotated[
        float, Meta(ge=0, le=3650, description="… in any rolling window of so many days; 0 for ever")
    ] = 0
    per_day: Annotated[Count, Meta(description="at most so many a day for all users together; 0 for no limit")] = 0
    total: Annotated[Count, Meta(description="at most so many for all users together; 0 for no limit")] = 0
    code_prefix: Annotated[
        str, Meta(pattern="^[A-Z0-9]{0,10}$", examples=["SPRING"], description="what his code begins with")
    ] = ""
    terms: Annotated[
        str,
        Meta(
            max_length=500,
            examples=["满{offer.until}前立减{offer.value}元"],
            description="{offer.terms} in your own words, a template; empty for a sentence of ours",
        ),
    ] = ""


class Sort(NamedTuple):
    """What a kind of offer is, the fields that it needs, the groups of which it needs one, and those it may have."""

    what: str
    needs: tuple[str, ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    may: tuple[str, ...] = ()


ORDER = ("min_spend", "items")
OFF = ("value", "percent")
ENDS = ("valid_days", "valid_hours", "valid_until")
VALIDITY = ("valid_from", *ENDS)
LIMITS = ("per_user", "per_user_days", "per_day", "total")
ALWAYS = ("kind", *LIMITS, "code_prefix", "terms")
SORTS: dict[Kind, Sort] = {
    "sign_up_gift": Sort("a gift for signing up", ("value",), may=("items", *VALIDITY)),
    "first_order_pack": Sort("a pack that comes with the first order", ("value",), may=(*ORDER, *VALIDITY)),
    "frequent_gift": Sort("a gift for those who buy often", ("value",), may=(*ORDER, *VALIDITY)),
    "exclusive": Sort("money off for old customers only", one_of=(OFF,), may=(*ORDER, *VALIDITY)),
    "spend_and_save": Sort("spend so much, save so much (满减)", ("value", "min_spend"), may=("items", *VALIDITY)),
    "lucky_draw": Sort("a draw, over a spend", ("prizes",), may=("everybody_wins", "min_spend", *VALIDITY)),
    "limited_coupon": Sort("a coupon for a short time", one_of=(OFF, ENDS), may=(*ORDER, "valid_from")),
    "percentage": Sort("percent off, up to a ceiling", ("percent",), may=(*ORDER, *VALIDITY)),
    "earned_coupon": Sort(
        "a coupon for buying within a window",
        ("window_days",),
        (OFF, ("earn_orders", "earn_spend")),
        (*ORDER, *VALIDITY),
    ),
    "flash_sale": Sort(
        "a sale at one hour of one day", ("valid_from", "opens", "lasts_hours"), (OFF,), ORDER
    ),
    "daily_special": Sort(
        "a sale at an hour of every day", ("opens", "lasts_hours"), (OFF,), (*ORDER, "valid_from", "valid_until")
    ),
    "group_buy": Sort("cheaper, the more buy together", ("list_price", "group"), may=("items", *VALIDITY)),
    "bargain": Sort("cheaper with every friend who helps", ("list_price", "steps"), may=("items", *VALIDITY)),
    "early_bird": Sort(
        "money off for who comes first", one_of=(OFF, ("total", "valid_until")), may=(*ORDER, *VALIDITY)
    ),
    "free_sample": Sort("something to try, for nothing", ("items", "value"), may=VALIDITY),
    "membership": Sort("a membership, priced by its duration", ("price",), may=("items", *VALIDITY)),
    "points": Sort("points on top", ("points", "value"), may=("min_spend", *VALIDITY)),
}  # fmt: skip
MONEY_OFF = tuple(kind for kind, sort in SORTS.items() if OFF in sort.one_of or kind == "spend_and_save")
SALES = ("flash_sale", "daily_special")
EXAMPLE = """\
[offers.come_back]
kind = "spend_and_save"
value = 20
min_spend = 100
valid_days = 7
total = 1000

[offers.spring_draw]
kind = "lucky_draw"
min_spend = 50
prizes = { phone = { odds = 0.001, value = 2000, stock = 3 }, mug = { odds = 0.2, value = 5, stock = 500 } }
valid_until = 2026-04-30"""


def known(offer: Offer) -> tuple[str, ...]:
    """Return the variables that every message with this offer can fill, so that they need nothing behind a bar."""
    ends = offer.kind in SALES or any(_given(offer, ENDS))
    wins = offer.kind == "lucky_draw" and offer.everybody_wins
    return "offer.value", "offer.code", "offer.terms", *["offer.until"] * ends, *["offer.prize"] * wins


def check(name: str, offer: Offer) -> None:
    """Refuse an offer of which the fields do not go together, or of which nobody could say what it costs.

    Raises:
        ValueError: its text names the key, what was given and what is allowed.
    """
    place = f"offers.{name}"
    if not NAME.fullmatch(name):
        raise ValueError(f"{place}: an offer's name is 1 to 40 of a-z, 0-9 and _")
    _check_fields(place, offer)
    _check_cost(place, offer)
    _check_times(place, offer)
    _check_draw(place, offer)
    _check_prices(place, offer)
    if offer.terms:
        try:
            template.check(offer.terms, always=[word for word in known(offer) if word != "offer.terms"])
        except ValueError as error:
            raise ValueError(f"{place}.terms = {offer.terms!r}: {error}") from error


def _given(offer: Offer, names: Iterable[str]) -> list[str]:
    """Return those of the fields that say something."""
    return [name for name in names if getattr(offer, name) not in (0, "", None, (), {})]


def _check_fields(place: str, offer: Offer) -> None:
    sort = SORTS[offer.kind]
    for name in sort.needs:
        if not _given(offer, [name]):
            raise ValueError(f"{place}.{name} = {_shown(offer, name)}: an offer of kind {offer.kind} needs it")
    for group in sort.one_of:
        if not _given(offer, group):
            raise ValueError(f"{place}: an offer of kind {offer.kind} needs one of {', '.join(group)}")
    choices = [name for group in sort.one_of for name in group]
    fields = {*sort.needs, *choices, *sort.may, *ALWAYS} | ({"ceiling"} if offer.percent else set())
    for name in _given(offer, Offer.__struct_fields__):
        if name not in fields:
            allowed = ", ".join(f for f in Offer.__struct_fields__ if f in fields)
            raise ValueError(
                f"{place}.{name} = {_shown(offer, name)}: an offer of kind {offer.kind} has no such field; "
                f"it has {allowed}"
            )


def _check_cost(place: str, offer: Offer) -> None:
    if offer.percent and offer.value:
        raise ValueError(f"{place}.percent = {offer.percent:g}: an offer has either value or percent, and not both")
    if offer.percent and not offer.ceiling:
        raise ValueError(f"{place}.ceiling = 0: percent needs it, or nobody knows what the offer costs at most")
    if offer.kind in MONEY_OFF and 0 < offer.min_spend < offer.value:
        raise ValueError(f"{place}.value = {offer.value:g}: must be at most min_spend = {offer.min_spend:g}")
    if offer.per_user_days and not offer.per_user:
        raise ValueError(f"{place}.per_user = 0: per_user_days = {offer.per_user_days:g} needs it")
    if 0 < offer.total < offer.per_day:
        raise ValueError(f"{place}.per_day = {offer.per_day}: must be at most total = {offer.total}")


def _check_times(place: str, offer: Offer) -> None:
    if offer.valid_from and offer.valid_until and offer.valid_until < offer.valid_from:
        raise ValueError(
            f"{place}.valid_until = {offer.valid_until}: must not be before valid_from = {offer.valid_from}"
        )
    if offer.kind == "daily_special" and offer.lasts_hours > DAY_HOURS:
        raise ValueError(f"{place}.lasts_hours = {offer.lasts_hours:g}: of a daily_special at most {DAY_HOURS}")


def _check_draw(place: str, offer: Offer) -> None:
    for name in offer.prizes:
        if not NAME.fullmatch(name):
            raise ValueError(f"{place}.prizes = {name!r}: a prize's name is 1 to 40 of a-z, 0-9 and _")
    odds = sum(prize.odds for prize in offer.prizes.values())
    if odds > 1 + EXACT or (offer.everybody_wins and odds < 1 - EXACT):
        must = "exactly 1, since everybody_wins" if offer.everybody_wins else "at most 1"
        raise ValueError(f"{place}.prizes: the odds make {odds:g} together; they must make {must}")


def _check_prices(place: str, offer: Offer) -> None:
    if sum(offer.steps) > offer.list_price:
        raise ValueError(
            f"{place}.steps: bring the price down by {sum(offer.steps):g}; list_price = {offer.list_price:g} is all"
        )
    _check_falling(f"{place}.group", {1: offer.list_price} | offer.group if offer.group else {}, "the price")
    daily = {days: price / days for days, price in sorted(offer.price.items())}
    _check_falling(f"{place}.price", daily, "the price a day", equal=True)


def _check_falling(key: str, prices: Mapping[int, float], what: str, *, equal: bool = False) -> None:
    before = None
    for count, price in sorted(prices.items()):
        if before is not None and (price > before or (price == before and not equal)):
            must = "not rise" if equal else "fall"
            raise ValueError(f"{key}.{count}: {what} is {price:g} there; it must {must} from {before:g}")
        before = price


def _shown(offer: Offer, name: str) -> str:
    value: Any = getattr(offer, name)
    return str(msgspec.to_builtins(value)) if not isinstance(value, str) else repr(value)
