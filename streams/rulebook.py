"""Settings → rules: the thresholds that a marketer wrote, as the compiled fold reads them, and as the log keeps them.

A rulebook is built from a plain document, and that document stands on `control`, so that any worker, of any year,
judges by the very rules that held. Rows and events carry *places*: of a kind of user, of a dimension of one's own. A
place once given stays: who builds the rules that follow others hands the former rulebook over as `before`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np

from streams.core import sketch
from streams.core.dimension import DIMENSIONS, FIRST_OWN, VALUE
from streams.core.row import MAX_DIMENSIONS
from streams.core.rules import RULE, Attribute, Rulebook
from streams.core.sketch import Summary
from streams.refusal import EVERYBODY
from streams.rule import fill
from streams.settings import JUDGING, Settings, SettingsError, check, judged, thresholds
from streams.threshold import ATTRIBUTES, Bounds, Own

NONE = "none"
BANDED = tuple(d.name for d in DIMENSIONS if d.bands)
DIGITS = 8
ASIDE = ("places", "cuts", "cuts_at")
"""What stands in a document besides the settings: places that were given, cuts of a population and their time."""
HOUR = 3_600_000
Cuts = Mapping[str, Mapping[str, float]]
"""By kind of user: `recency_days`, `frequency` (orders), `monetary` (minor units)."""


def build(settings: Settings, before: Rulebook | None = None, number: int = 1) -> Rulebook:
    """Return the rules that the settings say, keeping the places of those that held `before`.

    Raises:
        SettingsError: thresholds that contradict one another, or no place left.
    """
    return of_document(document(settings, before), number)


def document(settings: Settings, before: Rulebook | None = None) -> dict[str, Any]:
    """Return everything by which users are judged, as a plain dict (JSON's types) for the log.

    Raises:
        SettingsError: thresholds that contradict one another, or no place left.
    """
    check(settings)
    kinds = _placed(settings.kinds, before.kinds[1:] if before else (), 254, "kinds of user")
    own = _placed(settings.own, before.dimensions[FIRST_OWN:] if before else (), MAX_DIMENSIONS - FIRST_OWN, "own")
    rules = {name: getattr(settings, name) for name in (*JUDGING, "kinds")}
    rules |= {"minor_units": settings.minor_units, "places": {"kinds": kinds, "own": own}}
    plain: dict[str, Any] = json.loads(msgspec.json.encode(rules))
    return plain


def of_document(document: Mapping[str, Any], number: int) -> Rulebook:
    """Return the rulebook that a document says, under a number (1 … 65,535) by which rows name it.

    Raises:
        SettingsError: it was not written by `document`.
    """
    places = document["places"]
    settings = judged(_ascending({k: v for k, v in document.items() if k not in ASIDE}), "rules")
    kinds = {kind: thresholds(settings, kind) for kind in (EVERYBODY, *places["kinds"])}
    general = kinds[EVERYBODY]
    table = np.zeros(len(kinds), RULE)
    for place, found in enumerate(kinds.values()):
        fill(table, place, found, places["own"], 10**settings.minor_units)
    own = [general.own.get(name) for name in places["own"]]
    book = Rulebook(
        f"rules-{_digest(settings)}",
        number,
        table,
        tuple(kinds),
        (*(d.name for d in DIMENSIONS), *places["own"]),
        tuple(_values(d.name, d.values, general.bands) for d in DIMENSIONS) + tuple(map(_own_values, own)),
        (*(d.topic for d in DIMENSIONS), *(VALUE for _ in own)),
        (*(d.figures for d in DIMENSIONS), *map(_own_figures, own)),
        tuple(_attributes(own)),
    )
    return with_cuts(book, document["cuts"]) if "cuts" in document else book


def with_cuts(rulebook: Rulebook, cuts: Cuts, number: int = 0) -> Rulebook:
    """Return the rulebook with a population's cuts in place of the fixed ones, under a new number (0: the same).

    Raises:
        ValueError: cuts of a kind of user, or a figure, that the rulebook does not know.
    """
    fields = {"recency_days": "recent_days", "frequency": "frequent", "monetary": "valuable"}
    table = rulebook.table.copy()
    for kind, figures in cuts.items():
        if kind not in rulebook.kinds:
            raise ValueError(f"cuts of {kind!r}: there is no such kind of user, only {', '.join(rulebook.kinds)}")
        for figure, cut in figures.items():
            if figure not in fields:
                raise ValueError(f"cut {figure!r} of {kind!r}: there is no such figure, only {', '.join(fields)}")
            table[fields[figure]][rulebook.kinds.index(kind)] = cut
    version = f"{rulebook.version}-cuts-{_hashed({k: dict(v) for k, v in cuts.items()})}"
    return rulebook._replace(version=version, number=number or rulebook.number, table=table)


def population_cuts(settings: Settings, summary: Summary) -> dict[str, dict[str, float]]:
    """Return the cuts to freeze: of each kind whose `value.thresholds` are the population's and who has buyers."""
    cuts: dict[str, dict[str, float]] = {}
    for kind in (EVERYBODY, *settings.kinds):
        value = thresholds(settings, kind).value
        take = {"mean": sketch.mean, "median": sketch.median}.get(value.thresholds)
        if take and (found := take(summary, kind, average=value.monetary == "average")):
            cuts[kind] = found
    return cuts


def refreeze_ms(settings: Settings) -> int:
    """Return how often cuts are taken anew, in ms; 0 where every kind of user has fixed ones."""
    values = [thresholds(settings, kind).value for kind in ("", *settings.kinds)]
    hours = [value.refreeze_hours for value in values if value.thresholds != "fixed"]
    return round(min(hours) * HOUR) if hours else 0


def _ascending(section: Mapping[str, Any], name: str = "") -> dict[str, Any]:
    """Return the document with its bands by their bounds: a log need not keep the order of a table."""
    if name == "bands" and all(isinstance(value, int | float) for value in section.values()):
        return dict(sorted(section.items(), key=lambda band: band[1]))
    inner = "bands" if name == "bands" else None
    return {k: _ascending(v, inner or k) if isinstance(v, Mapping) else v for k, v in section.items()}


def _placed(names: Iterable[str], before: tuple[str, ...], most: int, what: str) -> list[str]:
    """Return names by place: each that has one keeps it; a place that fell vacant is given away last."""
    names = sorted(names)
    placed = list(before)
    for name in (n for n in names if n not in before):
        if len(placed) < most:
            placed.append(name)
            continue
        vacant = next((place for place, old in enumerate(placed) if old not in names), None)
        if vacant is None:
            raise SettingsError(f"settings: {what} = {', '.join(names)}: there is room for {most}")
        placed[vacant] = name
    return placed


def _values(name: str, values: tuple[str, ...], bands: Any) -> tuple[str, ...]:
    return _banded(getattr(bands, name)) if name in BANDED else values


def _banded(bounds: Bounds) -> tuple[str, ...]:
    return (NONE, *sorted(bounds, key=bounds.__getitem__))


def _own_values(own: Own | None) -> tuple[str, ...]:
    if own is None:
        return (NONE,)
    return (NONE, *sorted(own.values)) if own.values else _banded(own.bands)


def _own_figures(own: Own | None) -> tuple[str, ...]:
    """Return the evidence's name: the fact's, `value` of an attribute in numbers; words need none."""
    if own is None or own.values:
        return ()
    return ("value",) if own.of.startswith(ATTRIBUTES) else (own.of,)


def _attributes(own: list[Own | None]) -> Iterable[Attribute]:
    for place, found in enumerate(own, FIRST_OWN):
        if found is not None and found.of.startswith(ATTRIBUTES):
            names = _own_values(found)
            words = {word: names.index(value) for value, words in found.values.items() for word in words}
            yield Attribute(place, found.of.removeprefix(ATTRIBUTES), words)


def _digest(settings: Settings) -> str:
    """Return a digest of what the rules say, whatever the order in which it is written."""
    kinds = {kind: thresholds(settings, kind) for kind in ("", *settings.kinds)}
    rules = {kind: msgspec.to_builtins(found) for kind, found in kinds.items()}
    for found in rules.values():
        found["dimensions"] = sorted(set(found["dimensions"]))
        if "level_outlook" not in found["dimensions"]:
            del found["growth"]["level_warn_days"]  # so rules from before there was an outlook keep their name
        for own in found["own"].values():
            own["values"] = {value: sorted(words) for value, words in own["values"].items()}
    return _hashed({"kinds": rules, "minor_units": settings.minor_units})


def _hashed(value: Any) -> str:
    text = json.dumps(_plain(value), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def _plain(value: Any) -> Any:
    """Return the value with 14.0 written as 14."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
