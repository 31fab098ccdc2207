"""How the budgets stand, told as metrics by the worker that holds partition 0."""

from __future__ import annotations

from functools import partial
from zoneinfo import ZoneInfo

from streams import metrics
from streams.push.account import Account, grains, period_of, purse_of, units
from streams.push.purse import Balance, Purse
from streams.worker.partition import Partition
from streams.worker.patience import patiently, regularly

LOOK_SECONDS = 10.0


async def tell_budgets(partition: Partition, purse: Purse) -> None:
    """Tell what is spent and held of each budget in its present period, for as long as the partition is held."""
    settings, zone = partition.settings, ZoneInfo(partition.settings.push.time_zone)
    if not settings.budgets or partition.number:
        return
    async for _ in regularly(partition, LOOK_SECONDS):
        now = partition.time_now()
        accounts = [
            Account(purse_of(name), period_of(budget.each, now, zone), grains(budget.amount, settings.minor_units))
            for name, budget in settings.budgets.items()
        ]
        balances = await patiently(partition, partial(purse.balances, accounts)) or []
        _tell(list(settings.budgets), balances, partition)


def _tell(names: list[str], balances: list[Balance], partition: Partition) -> None:
    minor = partition.settings.minor_units
    for name, balance in zip(names, balances, strict=False):  # there are none where the partition is given up
        metrics.BUDGET_SPENT.labels(name).set(units(balance.spent, minor))
        metrics.BUDGET_RESERVED.labels(name).set(units(balance.held, minor))
