"""The preference page as a user sees it: each thing that he can switch, with the button that does it."""

from html.parser import HTMLParser

import orjson

from streams.consent import read, spoken
from streams.preference import Mandate
from streams.wire.event import Feedback
from streams.worker import form

AT = 1_700_000_000_000
MANDATE = Mandate(1, "u1", "email", "offer", "d")
CHANNELS = ("email", "sms", "inbox")
PROFILE = {"user": "u1", "at": AT, "consent": {"email": True, "sms": False}}


class Seen(HTMLParser):
    """What stands on a page: the buttons with the fields of their forms, and everything that it would load."""

    def __init__(self, text):
        super().__init__()
        self.buttons, self.loaded, self._fields = [], [], {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.loaded += [(tag, name) for name in found if name in ("src", "href", "action")]
        if tag == "form":
            self._fields = {}
        elif tag == "input":
            self._fields[found["name"]] = found["value"]
        elif tag == "button":
            self.buttons.append((found["aria-label"], self._fields | {found["name"]: found["value"]}))


def known(*words):
    kept = orjson.dumps(PROFILE)
    for kind, channel, about in words:
        kept = spoken(kept, Feedback("u1", AT + 1, "d", kind, channel, about))
    return read(kept)


def states(profile):
    return {s.name: s.on for section in form.sections(MANDATE, CHANNELS, profile) for s in section.switches}


def test_every_switch_shows_how_it_stands():
    assert states(known(("unsubscribed", None, "content"))) == {
        "Offers and coupons by e-mail": True,
        "E-mail": True,
        "SMS": False,
        "Inbox in the app": False,
        "News and tips": False,
        "Useful notices": True,
        "Offers and coupons": True,
        "All messages": True,
    }
    assert set(states(None).values()) == {None}


def test_a_message_refused_on_one_channel_can_be_taken_up_again():
    profile = known(("unsubscribed", "email", "service"))
    assert states(profile)["Useful notices by e-mail"] is False
    seen = Seen(form.page("t", "x", form.sections(MANDATE, CHANNELS, profile)))
    again = {"channel": "email", "about": "service", "subscribed": "true"}
    assert ("Turn on: Useful notices by e-mail", again) in seen.buttons


def test_what_is_off_for_a_wider_reason_says_so_and_has_no_button():
    text = form.page("t", "x", form.sections(MANDATE, CHANNELS, known(("unsubscribed", "email", None))))
    assert "Off, as e-mail is off below" in text
    assert not [label for label, _ in Seen(text).buttons if label.endswith("by e-mail")]


def test_each_button_turns_what_it_names_the_other_way_and_both_ways_where_nobody_knows():
    seen = dict(Seen(form.page("t", "x", form.sections(MANDATE, CHANNELS, known()))).buttons)
    assert seen["Turn off: E-mail"] == {"channel": "email", "about": "", "subscribed": "false"}
    assert seen["Turn on: SMS"] == {"channel": "sms", "about": "", "subscribed": "true"}
    assert seen["Turn off: Offers and coupons"] == {"channel": "", "about": "offer", "subscribed": "false"}
    assert seen["Turn off: All messages"] == {"channel": "", "about": "", "subscribed": "false"}
    blind = dict(Seen(form.page("t", "x", form.sections(MANDATE, CHANNELS, None))).buttons)
    assert len(blind) == 2 * len(states(None))


def test_a_page_loads_nothing_and_lets_nothing_through():
    text = form.page("<t>", "<script>alert(1)</script>", form.sections(MANDATE, (*CHANNELS, "my_own"), known()))
    assert Seen(text).loaded == []
    assert "<script" not in text
    assert "url(" not in text
    assert "My own" in text
