"""How the budgets stand, told as metrics by the worker that holds partition 0."""

from __future__ import annotations

import asyncio
import time
from functools import partial

from streams import metrics
from streams.push.account import Account, grains, period_of, purse_of, units
from streams.push.charter import Charter
from streams.push.purse import Balance, Purse
from streams.worker.partition import Partition
from streams.worker.patience import CLOSING_SECONDS, patiently

LOOK_SECONDS = 10.0


async def tell_budgets(partition: Partition, purse: Purse) -> None:
    """Tell what is spent and held of each budget in its present period, for as long as the partition is held."""
    settings, looked_at = partition.settings, -LOOK_SECONDS
    zone = Charter(settings).zone
    while settings.budgets and partition.number == 0 and not partition.closing:
        if time.monotonic() - looked_at >= LOOK_SECONDS:
            now, found = partition.time_now(), settings.budgets.items()
            accounts = [
                Account(purse_of(name), period_of(b.each, now, zone), grains(b.amount, settings.minor_units))
                for name, b in found
            ]
            _tell(
                list(settings.budgets), await patiently(partition, partial(purse.balances, accounts)) or [], partition
            )
            looked_at = time.monotonic()
        await asyncio.sleep(CLOSING_SECONDS)


def _tell(names: list[str], balances: list[Balance], partition: Partition) -> None:
    minor = partition.settings.minor_units
    for name, balance in zip(names, balances, strict=False):  # there are none where the partition is given up
        metrics.BUDGET_SPENT.labels(name).set(units(balance.spent, minor))
        metrics.BUDGET_RESERVED.labels(name).set(units(balance.held, minor))
