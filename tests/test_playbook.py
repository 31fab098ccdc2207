"""A playbook that names what there is not, or of which a message could not be written, is refused."""

import pytest

from streams import settings
from streams.settings import SettingsError

BEFORE = """
[push]
secret = "0123456789abcdef"
[offers.gift]
value = 5
min_spend = 10
[budgets.spring]
amount = 10
[own.spender]
of = "points"
bands = { some = 1 }
[playbooks.mine]
"""


def load(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(BEFORE + text)
    return settings.load(file, {}).playbooks["mine"]


def test_a_playbook_with_all_its_parts_is_read(tmp_path):
    found = load(
        tmp_path,
        """
        kind = "offer"
        title = "{offer.value} for you, {value.spender|friend}"
        body = "{offer.terms}: {offer.code}"
        texts = { inbox = { body = "{item|Something} for you: {offer.code}" } }
        link = "{url|https://shop.example}"
        picture = "{picture|}"
        offer = "gift"
        budget = "spring"
        channels = ["inbox"]
        [[playbooks.mine.steps]]
        after_days = 3
        title = "Still here"
        body = "{days|Some} days"
        [[playbooks.mine.steps]]
        after_days = 7
        title = "Once more"
        body = "{offer.terms}"
        kind = "offer"
        offer = "gift"
        """,
    )
    assert [found.message(k).offer for k in (1, 2, 3)] == ["gift", "", "gift"]


def step(days, text='title = "t"\nbody = "b"'):
    return f"[[playbooks.mine.steps]]\nafter_days = {days}\n{text}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('offer = "gft"\nkind = "offer"', r"playbooks\.mine\.offer = 'gft': there is none such; there are gift"),
        ('offer = "gift"', r"playbooks\.mine\.kind = 'content': with an offer it must be 'offer'"),
        ('budget = "x"', r"playbooks\.mine\.budget = 'x': there is none such; there are spring"),
        (
            'channels = ["pigeon"]',
            r"playbooks\.mine\.channels = 'pigeon': there is none such; there are inbox, webhook",
        ),
        ('texts = { pigeon = { body = "x" } }', r"playbooks\.mine\.texts = 'pigeon': there is none such"),
        ('body = "{offer.code}"', r"playbooks\.mine\.body = '{offer\.code}': .*write what stands there"),
        ('link = "{url}"', r"playbooks\.mine\.link = '{url}': .*write what"),
        ('picture = "{image|}"', r"playbooks\.mine\.picture = .*there is no such variable"),
        ('texts = { inbox = { body = "{x|}" } }', r"playbooks\.mine\.texts\.inbox\.body = '{x\|}': .*no such variable"),
        (
            'offer = "gift"\nkind = "offer"\nbody = "{offer.until}"',
            r"playbooks\.mine\.body = '{offer\.until}': .*write what",
        ),
        ('body = "{value.spendr|}"', r"playbooks\.mine\.body = .*no such dimension; there are activity.*spender"),
        (step(3) + step(3), r"playbooks\.mine\.steps\[1\]\.after_days = 3: must be above 3"),
        (step(1, 'title = "t"\nbody = "{x|}"'), r"playbooks\.mine\.steps\[0\]\.body = '{x\|}'"),
        (
            step(1) + step(2, 'title = "t"\nbody = "b"\noffer = "no"'),
            r"playbooks\.mine\.steps\[1\]\.offer = 'no': there is none such",
        ),
        (step(1, 'title = "t"'), r"playbooks\.mine\.steps = .*a list such as \[\[playbooks"),
    ],
)
def test_what_could_not_be_kept_is_named_with_its_place(tmp_path, text, said):
    with pytest.raises(SettingsError, match=rf"mine\.toml: (.|\n)*{said}"):
        load(tmp_path, text)
