"""The preference page as HTML: what a user gets, and a button for each thing that he may stop or take up again.

A page is whole in itself: no script, nothing loaded from elsewhere, readable on a phone, by day and by night, and to a
screen reader. Each button is a form of its own with the fields of the API (`channel`, `about`, `subscribed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import NamedTuple, get_args

from streams.consent import EVERYWHERE, Known, allowed, refuses
from streams.preference import Mandate
from streams.wire.event import Profile
from streams.wire.message import MessageKind

CHANNEL_NAMES = {
    "sms": "SMS",
    "email": "E-mail",
    "app_push": "App notifications",
    "wechat": "WeChat",
    "weibo": "Weibo",
    "inbox": "Inbox in the app",
    "webhook": "Messages by our partners",
}
KIND_NAMES = {"content": "News and tips", "service": "Useful notices", "offer": "Offers and coupons"}
KINDS: tuple[MessageKind, ...] = get_args(MessageKind)


class Switch(NamedTuple):
    """Something that he can stop or take up again; `on` is None where nobody knows here.

    `held` names what else is off, so that no button here can turn it on.
    """

    channel: str | None
    about: MessageKind | None
    name: str
    on: bool | None
    held: str = ""


class Section(NamedTuple):
    """Switches that belong together."""

    title: str
    switches: Sequence[Switch]


def sections(mandate: Mandate, channels: Iterable[str], known: Profile | None) -> list[Section]:
    """Return what can be switched: the message that the link stood in, channels, kinds, and all of it.

    Beside that message stand the others that he refused in the same way, so that each can be taken up again.
    """
    consent = allowed(known) if known else {}
    pairs = {(mandate.channel, mandate.kind): None} | dict.fromkeys(_refused(known))
    by_channel = [
        Switch(name, None, channel_name(name), consent.get(name, False) if known else None) for name in channels
    ]
    by_kind = [Switch(None, kind, KIND_NAMES[kind], not refuses(known, kind) if known else None) for kind in KINDS]
    everything = Switch(None, None, "All messages", any(consent.values()) if known else None)
    return [
        Section("This message, and others like it", [_pair(channel, kind, known) for channel, kind in pairs]),
        Section("How we may write to you", by_channel),
        Section("What we may write about", by_kind),
        Section("Everything", [everything]),
    ]


def channel_name(channel: str) -> str:
    """Return a channel as a user calls it."""
    return CHANNEL_NAMES.get(channel, channel.replace("_", " ").capitalize())


def name_of(channel: str | None, about: MessageKind | None) -> str:
    """Return what is switched, in words."""
    if about is None:
        return channel_name(channel) if channel else "All messages"
    return KIND_NAMES[about] + (f" by {_within(channel_name(channel))}" if channel else "")


def page(title: str, text: str, shown: Sequence[Section] = ()) -> str:
    """Return a page: what it says first, and the switches below it."""
    body = "".join(map(_section, shown))
    return PAGE.format(title=escape(title), style=STYLE, text=f'<p role="status">{escape(text)}</p>', body=body)


def _pair(channel: str, kind: MessageKind, known: Profile | None) -> Switch:
    name = name_of(channel, kind)
    if known is None:
        return Switch(channel, kind, name, None)
    held = "" if allowed(known).get(channel) else channel_name(channel)
    return Switch(channel, kind, name, allowed(known, kind).get(channel, False), held)


def _refused(known: Profile | None) -> list[tuple[str, MessageKind]]:
    """Return each kind of message that he refuses on one channel only."""
    if not isinstance(known, Known):
        return []
    pairs = [topic.partition("/") for topic, said in known.said.items() if "/" in topic and not said.yes]
    return [(channel, kind) for channel, _, kind in pairs if channel != EVERYWHERE and kind in KINDS]


def _within(name: str) -> str:
    """Return a name as it stands within a sentence: what is written in capitals stays so."""
    return name if name[1:2].isupper() or name in ("WeChat", "Weibo") else name[0].lower() + name[1:]


def _section(section: Section) -> str:
    rows = "".join(map(_row, section.switches))
    return f"<section><h2>{escape(section.title)}</h2><ul>{rows}</ul></section>"


def _row(switch: Switch) -> str:
    state = {None: "", True: '<span class="on">On</span>', False: '<span class="off">Off</span>'}[switch.on]
    if switch.on is False and switch.held:
        state = f'<span class="off">Off, as {escape(_within(switch.held))} is off below</span>'
        return f"<li><div>{escape(switch.name)}{state}</div></li>"
    buttons = [_button(switch, wanted=wanted) for wanted in (False, True) if switch.on is not wanted]
    return f"<li><div>{escape(switch.name)}{state}</div><div>{''.join(buttons)}</div></li>"


def _button(switch: Switch, *, wanted: bool) -> str:
    word = "Turn on" if wanted else "Turn off"
    seen = word if switch.on is not None else word.removeprefix("Turn ").capitalize()
    return (
        '<form method="post">'
        f'<input type="hidden" name="channel" value="{escape(switch.channel or "")}">'
        f'<input type="hidden" name="about" value="{switch.about or ""}">'
        f'<button name="subscribed" value="{str(wanted).lower()}" aria-label="{word}: {escape(switch.name)}">'
        f"{seen}</button></form>"
    )


STYLE = """
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#59636e;--paper:#f5f6f8;--card:#fff;--line:#e1e4e8;--mark:#0a5fd1;
--good:#1a7f37}
@media(prefers-color-scheme:dark){:root{--ink:#e8eaed;--soft:#a0a8b2;--paper:#111418;--card:#1b2027;--line:#2d343d;
--mark:#7db4ff;--good:#5fd37f}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:34rem;margin:0 auto;padding:2rem 1rem 3rem}
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .5rem}
h2{font-size:.875rem;font-weight:600;color:var(--soft);margin:1.75rem .25rem .5rem}
p{margin:0}
ul{list-style:none;margin:0;padding:0;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
li{display:flex;justify-content:space-between;align-items:center;gap:.75rem;padding:.75rem 1rem}
li+li{border-top:1px solid var(--line)}
li>div:last-child:not(:first-child){display:flex;gap:.5rem;flex:none}
span{display:block;font-size:.875rem}
.on{color:var(--good)}
.off{color:var(--soft)}
form{margin:0}
button{font:inherit;font-size:.875rem;font-weight:600;color:var(--mark);background:none;border:1px solid currentColor;
border-radius:2rem;min-height:2.5rem;padding:0 .875rem;cursor:pointer;white-space:nowrap}
button:hover{background:var(--paper)}
button:focus-visible{outline:3px solid var(--mark);outline-offset:2px}
"""
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    '<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">'
    "<style>{style}</style></head><body><main><h1>{title}</h1>{text}{body}</main></body></html>"
)
