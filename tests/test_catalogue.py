"""What stands for an interest is read whole or refused with its place."""

import pytest

from streams import catalogue, settings

SHOES = '{"shoes": {"item": "Trail runner", "picture": "https://s.example/t.jpg", "url": "https://s.example/t"}}'


def written(tmp_path, text):
    file = tmp_path / "catalogue.json"
    file.write_text(text, "utf-8")
    return str(file)


def test_a_category_has_its_words_and_one_that_is_not_there_has_none(tmp_path):
    found = catalogue.read(written(tmp_path, SHOES))
    assert catalogue.words(found, "shoes") == {
        "item": "Trail runner",
        "picture": "https://s.example/t.jpg",
        "url": "https://s.example/t",
    }
    assert catalogue.words(found, "hats") == {}


def test_addresses_may_be_missing_and_the_whole_file_too(tmp_path):
    found = catalogue.read(written(tmp_path, '{"茶": {"item": "绿茶"}}'))
    assert catalogue.words(found, "茶") == {"item": "绿茶", "picture": "", "url": ""}
    assert catalogue.read("") == {}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "catalogue.json': Input data was truncated; must be JSON as"),
        ("[]", "Expected `object`, got `array`"),
        ('{"shoes": {}}', "shoes = {}: .*`item`"),
        ('{"a": {"item": "x"}, "shoes": {"item": ""}}', "shoes = .*length >= 1"),
        ('{"shoes": {"item": "x", "url": "shop.example"}}', "shoes = .*https"),
        ('{"shoes": {"item": "x", "price": 3}}', "shoes = .*unknown field `price`"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_at_the_start(tmp_path, text, said):
    file = written(tmp_path, text)
    toml = tmp_path / "mine.toml"
    toml.write_text(f'[push]\ncatalogue = "{file}"\n')
    with pytest.raises(settings.SettingsError, match=rf"mine\.toml: push\.catalogue = (.|\n)*{said}"):
        settings.load(toml, {})


def test_a_file_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"push\.catalogue = 'nowhere\.json': cannot be read: No such file"):
        catalogue.read("nowhere.json")
