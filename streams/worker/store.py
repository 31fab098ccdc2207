"""The store behind the Faust table: reads go to the shards, writes are the fold's alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import faust
from faust.stores import base
from faust.types import TP

from streams.portrait import portrait

if TYPE_CHECKING:
    from streams.worker.app import Awaken

Values = dict[str, Any]


class ShardStore(base.Store):
    """A Faust store that is a view of the shards held by this worker."""

    app: Awaken

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.data = Users(self.app)

    def persisted_offset(self, tp: TP) -> int | None:
        """Return the changelog offset up to which the shard is read, so that Faust finds nothing to recover."""
        reached = self.app.recovered.get(tp.partition)
        return None if reached is None else reached - 1

    def set_persisted_offset(self, tp: TP, offset: int) -> None:
        """Do nothing: the ledger knows."""

    def apply_changelog_batch(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing: recovery is the shard's own."""

    def reset_state(self) -> None:
        """Do nothing: there are no files."""

    async def backup_partition(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing: the changelog is the backup."""

    def restore_backup(self, *_args: Any, **_kwargs: Any) -> None:
        """Do nothing: the changelog is the backup."""


class Users(Mapping[str, Values]):
    """User id → what is known of him, over the partitions held by this worker."""

    def __init__(self, app: Awaken) -> None:
        self._app = app

    def __getitem__(self, user: str) -> Values:
        for partition in self._app.partitions.values():
            known = portrait(partition.shard, user.encode())
            if known is not None:
                return known
        raise KeyError(user)

    def __iter__(self) -> Iterator[str]:
        for partition in self._app.partitions.values():
            for key, _ in partition.shard.users():
                yield key.decode()

    def __len__(self) -> int:
        return sum(1 for _ in self)


class UserTable(faust.Table):
    """The per-user state as a Faust table, to be read by user id; its changelog is the ledger's."""

    def _new_store(self) -> ShardStore:
        return ShardStore("shard://", self.app, self, table_name=self.name, loop=self.loop)

    def on_key_set(self, key: str, value: Any) -> None:  # noqa: ARG002 (Faust's signature)
        """Refuse: a row is what follows from the events, and nobody writes it by hand."""
        raise TypeError(f"the table of users cannot be written ({key!r}): its rows follow from the events")

    on_key_del = on_key_set
