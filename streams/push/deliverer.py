"""The deliverer: takes a decision to its channels, once per decision and channel, whenever the process dies.

    claim ──fresh──────────────────────────→ send → complete
      ├─────interrupted, idempotent channel─→ send again, same key → complete
      ├─────interrupted, any other──────────→ uncertain → complete
      ├─────fresh, and it must not go out───→ cancelled
      └─────done────────────────────────────→ the outcome that is kept
    and when all channels have one, and where one failed a fallback too: finish

Dying before the claim leaves nothing behind. Dying between claim and complete is what "interrupted" is for.
Dying after complete, before the outcome is committed to Kafka, brings the same outcome out again. Where only
Redis dies, after the send, the outcome waits here until Redis takes it.
"""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import TYPE_CHECKING, Literal
from weakref import WeakValueDictionary

from redis.exceptions import RedisError

from streams import preference
from streams.channels import Channel, Message, Receipt
from streams.channels.known import KNOWN
from streams.wire.message import Outcome, Text

from .bill import bill_of
from .charter import Charter, ready
from .purse import Answer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from redis.asyncio import Redis

    from streams.settings import Push, Settings
    from streams.wire.message import Decision

    from .gate import Gate
    from .purse import Purse

log = logging.getLogger(__name__)

INTERRUPTED = "interrupted before its end was known, and not repeated: "
TWICE = "it might arrive twice"
NO_ADDRESS = "no address: contact or consent was withdrawn, or the profile erased"
NO_CHANNEL = "no such channel: it is not in push.channels, or [channels.NAME] does not say enough of it"


class Deliverer:
    """Delivers decisions, at most `push.deliveries_at_once` at a time. One object serves one event loop."""

    def __init__(self, settings: Settings, gate: Gate, purse: Purse, channels: Mapping[str, Channel]) -> None:
        self.push = settings.push
        self.gate, self.purse = gate, purse
        self.charter = Charter(settings)
        self.channels = channels
        self._live = settings.clock == "wall"
        self._room = asyncio.Semaphore(settings.push.deliveries_at_once)
        self._under_way: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._unrecorded: dict[tuple[str, str], Outcome] = {}

    async def deliver(self, decision: Decision, contacts: Mapping[str, str], now: int, stop: str = "") -> list[Outcome]:
        """Return one outcome for each channel of the decision, sent now or known from before; then of its fallbacks.

        Where a channel fails that does not merely go along, the decision's fallbacks are tried in turn until one does
        not.

        `contacts` are the addresses that may be used now (`policy.addresses`); `now` (int ms UTC) dates new
        outcomes. `stop` is why nothing may go out any more: what has not is cancelled then, and a push of which nothing
        has gone out does not count against his cap.

        Raises:
            RedisError: Redis is gone or cannot write; hold the decision and call again.
        """
        if decision.action == "suppress":
            return []
        # The same decision handed in twice at once would look like an interruption to itself.
        lock = self._under_way.setdefault(decision.id, asyncio.Lock())
        async with lock, self._room:
            moment = now if self._live else decision.at  # the clock by which its cost was reserved
            stop = stop or await self._spend(decision, moment)
            outcomes = [await self._one(decision, name, contacts, now, stop) for name in decision.channels]
            for name in decision.fallbacks:
                if not self._failed(outcomes):
                    break
                outcomes.append(await self._one(decision, name, contacts, now, stop))
            await self._settle(decision, outcomes, moment)
            await self.gate.finish(decision.id, decision.user, [outcome.channel for outcome in outcomes])
        return outcomes

    async def _spend(self, decision: Decision, now: int) -> str:
        """Spend what a decision costs, before anything goes out; return why that cannot be, empty where it can."""
        bill = bill_of(self.charter, decision, now)
        [answer] = await self.purse.commit([bill], now) if bill else [Answer(granted=True)]
        if answer.granted:
            return ""
        return f"no room in {answer.short.purse}" if answer.short else "what it would cost was given back"

    async def _settle(self, decision: Decision, outcomes: Sequence[Outcome], now: int) -> None:
        """Count for nothing what has not gone out at all; else what it has cost in truth."""
        if all(outcome.outcome == "cancelled" for outcome in outcomes):
            await self.gate.release([(decision.id, decision.user)])
            bill = bill_of(self.charter, decision, now)
            await self.purse.release([bill] if bill else [], now)
            return
        costs = self.charter.costs
        spent = sum(costs.get(o.channel, 0) for o in outcomes if o.outcome in ("delivered", "uncertain"))
        bill = bill_of(self.charter, decision, now, min(spent, decision.cost))
        await self.purse.settle([bill] if bill else [], now)

    def _failed(self, outcomes: Sequence[Outcome]) -> bool:
        """Say whether nothing has reached him but what goes along, and may not have either."""
        tried = [outcome for outcome in outcomes if outcome.channel not in self.push.along]
        return bool(tried) and all(outcome.outcome == "failed" for outcome in tried)

    async def _one(self, decision: Decision, name: str, contacts: Mapping[str, str], now: int, stop: str) -> Outcome:
        pair = decision.id, name
        if pair not in self._unrecorded:
            obstacle = stop or self._obstacle(name, contacts)
            # Only who can send may claim: a look leaves nothing behind about a user who was erased.
            claim = await (self.gate.look if obstacle else self.gate.claim)(decision.id, decision.user, name)
            if claim.outcome is not None:
                return claim.outcome
            if obstacle:
                ended = _undone(decision, name, now, obstacle, claim.state, "cancelled" if stop else "failed")
            else:
                ended = await self._done(decision, name, contacts[name], now, claim.state)
            self._unrecorded[pair] = ended
        stands = await self.gate.complete(self._unrecorded[pair])
        del self._unrecorded[pair]
        return stands

    def _obstacle(self, name: str, contacts: Mapping[str, str]) -> str:
        """Return why nothing can be sent on a channel, empty where something can."""
        if name not in self.channels:
            return NO_CHANNEL
        return "" if contacts.get(name) else NO_ADDRESS

    async def _done(self, decision: Decision, name: str, address: str, now: int, state: str) -> Outcome:
        channel = self.channels[name]
        if state == "interrupted" and not channel.idempotent:
            return _undone(decision, name, now, TWICE, state, "failed")
        receipt = await _send(channel, message_of(decision, name, self.push), address)
        word = "uncertain" if receipt.uncertain else receipt.outcome
        return Outcome(decision.id, decision.user, now, name, word, receipt.attempts, receipt.detail)


def message_of(decision: Decision, channel: str, push: Push) -> Message:
    """Return what a decision says on a channel: in the words that it has for this one, else in its own."""
    text = decision.texts.get(channel, Text())
    return Message(
        decision=decision.id,
        user=decision.user,
        playbook=decision.playbook,
        at=decision.at,
        title=text.title or decision.title,
        body=text.body or decision.body,
        kind=decision.kind,
        link=decision.link,
        picture=decision.picture,
        unsubscribe=preference.link(push, decision, channel),
    )


def open_channels(settings: Settings, redis: Redis) -> dict[str, Channel]:
    """Return the channels that the settings configure, by name; their connections open at the first send."""
    return {name: KNOWN[name].open(getattr(settings.channels, name), redis, settings.group) for name in ready(settings)}


async def close_channels(channels: Mapping[str, Channel]) -> None:
    """Close the channels' connections. Redis stays open: it is the caller's."""
    for channel in channels.values():
        await channel.close()


def _undone(
    decision: Decision, channel: str, now: int, why: str, state: str, word: Literal["failed", "cancelled"]
) -> Outcome:
    """Return the outcome of what was not sent; of what was interrupted nobody knows whether it was."""
    if state == "interrupted":
        return Outcome(decision.id, decision.user, now, channel, "uncertain", 1, INTERRUPTED + why)
    return Outcome(decision.id, decision.user, now, channel, word, 0, why)


async def _send(channel: Channel, message: Message, address: str) -> Receipt:
    try:
        return await channel.send(message, address)
    except RedisError:
        raise
    except Exception as error:  # noqa: BLE001  one decision that breaks a channel must not stop all others
        kind, place = type(error).__name__, traceback.extract_tb(error.__traceback__)[-1]
        # Without the exception's own text, which may hold an address.
        where = f"{kind} at {place.filename}:{place.lineno}"
        log.error("channel %s broke on decision %s: %s", channel.name, message.decision, where)  # noqa: TRY400
        return Receipt("failed", 1, f"the channel broke: {kind}")
