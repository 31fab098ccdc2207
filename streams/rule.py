"""One kind of user's thresholds → his RULE: each setting in the unit and the field in which the fold reads it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from streams.core.dimension import DIMENSIONS, FIRST_OWN
from streams.core.row import CLICK_KINDS, DAY, MAX_DIMENSIONS, NEVER
from streams.core.rules import FACTS
from streams.refusal import MONEY_FACTS
from streams.threshold import ATTRIBUTES, Activity, Bounds, Growth, Own, Rung, Social, Stage, Thresholds, Value


def fill(table: np.ndarray, k: int, found: Thresholds, own: list[str], unit: int) -> None:
    """Write one kind's thresholds into its RULE; `unit` is the currency's minor units in one of it."""
    rule = table[k : k + 1]  # a view: what is written there stands in the table
    rule["on"] = [d.name in found.dimensions for d in DIMENSIONS] + [
        place < len(own) and own[place] in found.own for place in range(MAX_DIMENSIONS - FIRST_OWN)
    ]
    columns = _activity(found.activity) | _stage(found.stage) | _habit(found.rung) | _value(found.value, unit)
    facts = [name for name in own if name in found.own and not found.own[name].of.startswith(ATTRIBUTES)]
    columns |= {"owns": len(facts)} | _social(found.social) | _growth(found.growth, tuple(found.bands.level), unit)
    for name, value in columns.items():
        rule[name] = value
    for place, dimension in enumerate(DIMENSIONS):
        if dimension.bands:
            bounds = getattr(found.bands, dimension.name)
            _fill_bands(rule, place, bounds, unit if dimension.name in MONEY_FACTS else 1)
    for place, name in enumerate(own, FIRST_OWN):
        if name in found.own:
            _fill_own(rule, place, found.own[name], unit)


def _activity(found: Activity) -> dict[str, Any]:
    return {
        "new_ms": _ms(found.new_days),
        "dormant_ms": _ms(found.dormant_days),
        "churned_ms": _ms(found.churned_days),
        "personal": found.personal,
        "personal_prior": found.personal_prior,
        "personal_log_gap": math.log(found.personal_gap_days),
        "personal_margin": math.log(found.personal_margin),
        "personal_floor_ms": _ms(found.personal_floor_days),
        "personal_ceiling_ms": _ms(found.personal_ceiling_days),
        "dwell_days": found.dwell_days,
    }


def _stage(found: Stage) -> dict[str, Any]:
    return {
        "growth_orders": found.growth_orders,
        "growth_days": found.growth_days,
        "growth_window": found.growth_window_days,
        "maturity_orders": found.maturity_orders,
        "maturity_days": found.maturity_days,
        "maturity_window": found.maturity_window_days,
    }


def _habit(found: Rung) -> dict[str, Any]:
    return {
        "habit_days": found.habit_days,
        "habit_window": found.habit_window_days,
        "habit_weeks": found.habit_weeks,
    }


def _value(found: Value, unit: int) -> dict[str, Any]:
    return {
        "look_back_weeks": found.look_back_weeks,
        "old_days": found.old_days,
        "recent_days": found.recent_days,
        "frequent": found.frequency_orders,
        "valuable": found.monetary_amount * unit,
        "average": found.monetary == "average",
        "coupon_on": found.coupon_on,
        "coupon_off": found.coupon_off,
        "coupon_prior": found.coupon_prior,
        "coupon_share": found.coupon_share,
        "coupon_half_weeks": found.coupon_half_life_days / 7,
    }


def _social(found: Social) -> dict[str, Any]:
    return {
        "refer_weight": found.refer_weight,
        "influence_half_days": found.influence_half_life_days,
        "leader_score": found.leader_score,
        "quiet_days": found.quiet_days,
        "attention_share": found.attention_share,
        "tired_score": found.tired_score,
        "exhausted_score": found.exhausted_score,
    }


def _growth(found: Growth, levels: tuple[str, ...], unit: int) -> dict[str, Any]:
    return {
        "click_points": [found.points.get(kind, 0) for kind in CLICK_KINDS],
        "points_per_unit": found.points_per_unit / unit,
        "streak_bonus": found.streak_bonus,
        "renewal_days": found.renewal_days,
        "level_warn_days": found.level_warn_days,
        "early_days": found.early_access_days,
        "early_level": levels.index(found.early_access_level) + 1 if found.early_access_level else 0,
    }


def _fill_own(rule: np.ndarray, place: int, own: Own, unit: int) -> None:
    attribute = own.of.startswith(ATTRIBUTES)
    rule["fact"][:, place] = FACTS.index("attribute" if attribute else own.of)
    rule["window"][:, place] = own.days or own.weeks
    _fill_bands(rule, place, own.bands, unit if own.of in MONEY_FACTS else 1)


def _fill_bands(rule: np.ndarray, place: int, bounds: Bounds, unit: int) -> None:
    rule["bands"][:, place] = len(bounds)
    rule["edges"][:, place, : len(bounds)] = [round(bound * unit) for bound in sorted(bounds.values())]


def _ms(days: float) -> int:
    return round(days * DAY) if days else NEVER
