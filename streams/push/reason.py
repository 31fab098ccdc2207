"""A decision's reason in a person's words: in brief, as the name of a figure, and as what follows "not sent: "."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """A reason in brief, and whole."""

    brief: str
    whole: str


REASONS = {
    "sent": Words("sent", "nothing stood against it"),
    "historic": Words("too old", "it happened too long ago, or was loaded late"),
    "new_rules": Words("the rules moved him", "the rules moved him; he himself has done nothing"),
    "no_longer": Words("came back first", "he has come back by then, or was never away"),
    "no_consent": Words("no consent", "he allows none of the channels that it could go by"),
    "not_contactable": Words("no contact", "there is no address of his on the channels that he allows"),
    "open_complaint": Words("open complaint", "he has complained, and nobody has answered yet"),
    "exhausted": Words("exhausted", "he has had too many of our pushes"),
    "tired": Words("tired", "he is getting tired of our pushes"),
    "coupon_dependent": Words("coupon dependent", "he buys with coupons only, and this would be one more"),
    "restraint": Words("no coupon needed", "he comes anyway, and the product no longer pays for that with coupons"),
    "already_sent": Words("already sent", "this very message was sent before"),
    "already_served": Words("already served", "he had a message of this playbook not long ago"),
    "exclusive": Words("another playbook", "he is in another playbook that wants him for itself"),
    "capped": Words("over the cap", "he had as many pushes as he may have in so many days"),
    "channel_capped": Words("over a channel's cap", "he had as many as he may have on each channel left"),
    "min_gap": Words("too soon", "his last push was too short a while ago"),
    "usage_capped": Words("over his usage", "he had as many pushes as his visits are worth"),
    "budget": Words("budget spent", "its budget is spent"),
    "offer_gone": Words("offer gone", "its offer has ended, or nothing is left of it"),
    "offer_used": Words("offer used", "he had its offer as often as one user may"),
    "holdout": Words("holdout", "he belongs to those who get none, to compare with"),
    "quiet_hours": Words("quiet hours", "it is night where he lives"),
    "best_hour": Words("best hour", "he is usually here at another hour"),
    "breaker": Words("breaker", "so many at once are to be approved first"),
}


def brief(code: str) -> str:
    """Return a reason code in brief; one that is not known as it stands."""
    return REASONS[code].brief if code in REASONS else code.replace("_", " ")


def whole(code: str) -> str:
    """Return a reason code as what follows "not sent: " or "held: "; one that is not known as it stands."""
    return REASONS[code].whole if code in REASONS else code.replace("_", " ")
