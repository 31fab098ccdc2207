"""The households' profiles, real in part.

The attributes are those of Complete Journey, which has them of 801 of its 2,469 households; contacts, consent
and time zone are simulated, the same for the same seed.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from streams.demo.journey import Journey, table

REACHABLE = {"inbox": 0.97, "webhook": 0.45}
"""Of the households that left a contact at all: the share that has one on the channel."""
ALLOWING = {"inbox": 0.97, "webhook": 0.8}
"""Of the households that allow messages at all: the share that allows them on the channel."""
ANY_CONTACT, ANY_CONSENT = 0.94, 0.88
ZONES = {"America/New_York": 0.7, "America/Chicago": 0.2, "America/Los_Angeles": 0.1}


def profiles(journey: Journey, seed: int) -> dict[int, dict[str, Any]]:
    """Return each household's profile by its number, as the profiles topic carries it, but for `at`."""
    households = np.unique(journey.household).tolist()
    rng = np.random.default_rng((seed, 0))
    reached = draw(rng, len(households), ANY_CONTACT, REACHABLE)
    allowed = draw(rng, len(households), ANY_CONSENT, ALLOWING)
    zones = rng.choice(list(ZONES), len(households), p=list(ZONES.values())).tolist()
    known = demographics()
    return {
        household: {
            "user": f"h{household}",
            "attributes": known.get(household, {}),
            "contacts": {channel: f"{channel}-{household}" for channel, yes in reached[n].items() if yes},
            "consent": allowed[n],
            "time_zone": zones[n],
        }
        for n, household in enumerate(households)
    }


def draw(rng: np.random.Generator, count: int, any_share: float, shares: dict[str, float]) -> list[dict[str, bool]]:
    """Return, `count` times, for each channel whether it is so; for 1 - any_share of them, on none."""
    any_channel = rng.random(count) < any_share
    columns = [(any_channel & (rng.random(count) < share)).tolist() for share in shares.values()]
    return [dict(zip(shares, row, strict=True)) for row in zip(*columns, strict=True)]


def demographics() -> dict[int, dict[str, str]]:
    """Return what is known of each household, by its number; unknown attributes are left out."""
    rows = table("demographics").to_pylist()
    return {row.pop("household_id"): {name: value for name, value in row.items() if value} for row in rows}
