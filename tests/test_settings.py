"""A setting that cannot be used is refused before anything starts, and the refusal says all that is needed."""

from pathlib import Path

import msgspec
import pytest

from streams import settings
from streams.settings import Settings, SettingsError

ROOT = Path(__file__).resolve().parents[1]


def test_without_file_and_environment_there_are_the_defaults(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert settings.load(None, {}) == Settings()


def test_the_shipped_file_is_the_print_of_the_declarations():
    assert (ROOT / "config" / "awaken.toml").read_text("utf-8") == settings.document()


def test_the_shipped_file_says_the_defaults():
    assert settings.load(ROOT / "config" / "awaken.toml", {}) == Settings()


def test_the_environment_stands_above_the_file(tmp_path):
    file = tmp_path / "awaken.toml"
    file.write_text('kafka = "a:1"\ngroup = "g"\n[activity]\ndormant_days = 3\n[push]\nchannels = ["inbox"]\n')
    found = settings.load(file, {"AWAKEN_KAFKA": "b:2,c:3", "AWAKEN_ACTIVITY_CHURNED_DAYS": "9", "HOME": "/"})
    assert (found.kafka, found.group) == ("b:2,c:3", "g")
    assert (found.activity.dormant_days, found.activity.churned_days) == (3, 9)
    assert found.push.channels == ("inbox",)


def test_every_setting_can_be_set_by_its_name_in_the_environment():
    assert settings.load(Path("/dev/null"), settings.environment(Settings())) == Settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('kafak = "a:1"', ["awaken.toml", "kafak", "'a:1'", "did you mean kafka?"]),
        ("partitions = 0", ["awaken.toml", "partitions", "0", "a whole number at least 1"]),
        ('partitions = "8"', ["awaken.toml", "partitions", "'8'", "a whole number"]),
        ('guarantee = "maybe"', ["guarantee", "'maybe'", "exactly-once or at-least-once"]),
        ("[activity]\ndormant_days = -1", ["activity.dormant_days", "-1", "above 0"]),
        (
            "[activity]\ndormant_days = 40",
            ["awaken.toml", "activity.churned_days", "must be above", "activity.dormant_days = 40"],
        ),
        ("[push]\nchannels = ['pigeon']", ["push.channels", "pigeon", "inbox, webhook, app_push"]),
        ("push = 3", ["push", "3", "[push]"]),
        ("channels = 3", ["channels", "3", "[channels]"]),
        ("[channels]\nsms = 3", ["channels.sms", "3", "[channels.sms]"]),
        ("[channels.smss]\nurl = 3", ["channels.smss", "did you mean channels.sms?"]),
        ("[channels.sms]\nurk = 'x'", ["channels.sms.urk", "did you mean channels.sms.url?"]),
        ("[channels.sms]\nurl = 'x'", ["channels.sms.url", "'x'", "text such as https://dysmsapi.aliyuncs.com"]),
        ("[channels.sms]\ncost = -1", ["channels.sms.cost", "-1", "at least 0"]),
        ("[channels.sms]\nvariables = { a = '{name}' }", ["channels.sms.variables", "{name}", "{title}, {body}"]),
        ("[channels.email]\nsender = 'shop'", ["channels.email.sender", "'shop'", "My Shop <hello@shop.example>"]),
        ("[pushes]\na = 1", ["pushes", "did you mean push?"]),
        ("kafka = ", ["awaken.toml", "is not TOML"]),
        ('dimensions = ["activity", "mod"]', ["awaken.toml", "dimensions", "'mod'", "mood"]),
        ('dimensions = ["mood"]', ["dimensions", "'activity' must be among them"]),
        ('dimensions = ["activity", "level_outlook"]', ["dimensions", "'level_outlook' rests on 'level'"]),
        ("[stage]\ngrowth_days = 20", ["stage.growth_window_days = 14", "at least stage.growth_days = 20"]),
        ("[value]\ncoupon_off = 0.7", ["value.coupon_on = 0.6", "above value.coupon_off = 0.7"]),
        ('[value]\nthresholds = "mode"', ["value.thresholds", "'mode'", "fixed or mean or median"]),
        ("[growth.points]\ndance = 3", ["growth.points.dance = 3", "no such act", "checkin"]),
        ('[growth]\nearly_access_level = "tin"', ["growth.early_access_level", "'tin'", "bronze, silver"]),
        ("[bands.level]\na = 3\nb = 2", ["bands.level.b = 2", "must ascend; a before it has 3"]),
        ("[bands.level]\na = 3\nb = 3", ["bands.level.b = 3", "must ascend"]),
        ("[bands.level]\na = -1", ["bands.level.a = -1", "at least 0"]),
        ("[bands.level]\na = 500000", ["bands.level.a = 500000", "at most 458745"]),
        (
            '[own.x]\nof = "active_days"\ndays = 7\nbands = { often = 8 }',
            ["own.x.bands.often = 8", "at most 7"],
        ),
        ("[bands.level]\na = 1.5", ["bands.level.a = 1.5", "a whole number"]),
        ('[bands]\nlevel = "high"', ["bands.level", "'high'", "a table such as"]),
        ('[bands.level]\na = "x"', ["bands.level", "a table such as"]),
        ('[bands.level]\n"Über" = 1', ["bands.level", "'Über'", "a-z, 0-9 and _"]),
        ("[bands.level]\nnone = 1", ["bands.level", "'none'", "choose another"]),
        ("[bands]\nlevel = {}", ["bands.level", "1 to 8 bands, not 0"]),
        ("[bands.level]\n" + "\n".join(f"l{k} = {k}" for k in range(9)), ["bands.level", "1 to 8 bands, not 9"]),
        ("own = 3", ["own", "3", "[own.NAME]"]),
        ("[own]\nx = 3", ["own.x", "3", "[own.x]"]),
        ('[own.x]\noff = "spend"', ["own.x.off", "did you mean own.x.of?"]),
        ("[own.x]\nweeks = 3", ["own.x.of = ''", "spend", "attributes.NAME"]),
        ('[own.x]\nof = "visits"', ["own.x.of = 'visits'", "clicks, active_days, orders"]),
        ('[own.mood]\nof = "spend"', ["own.mood", "there is a dimension 'mood' already"]),
        ('[own.X]\nof = "spend"', ["own.X", "a-z, 0-9 and _"]),
        ('[own.x]\nof = "clicks"\ndays = 31', ["own.x.days", "31", "at most 30"]),
        ('[own.x]\nof = "clicks"\nweeks = 3', ["own.x.weeks = 3", "clicks counts by days, 1 to 30"]),
        ('[own.x]\nof = "spend"\ndays = 3', ["own.x.days = 3", "spend counts by weeks, 1 to 26"]),
        ('[own.x]\nof = "spend"', ["own.x.weeks = 0", "a window of 1 to 26 weeks"]),
        ('[own.x]\nof = "points"\ndays = 3', ["own.x.days = 3", "points", "no window"]),
        ('[own.x]\nof = "spend"\nweeks = 3', ["own.x.bands", "1 to 8 bands"]),
        ('[own.x]\nof = "points"\nvalues = { a = ["b"] }', ["own.x.values", "are for attributes"]),
        ('[own.x]\nof = "attributes.a"', ["own.x", "either bands (numbers) or values (words)"]),
        ('[own.x]\nof = "attributes.a"\nweeks = 1\nbands = { b = 1 }', ["own.x.weeks = 1", "no window"]),
        (
            '[own.x]\nof = "attributes.a"\nvalues = { b = ["w"], c = ["v", "w"] }',
            ["own.x.values.c = 'w'", "stands in b already"],
        ),
        (
            "\n".join(f'[own.o{k}]\nof = "points"\nbands = {{ some = 1 }}' for k in range(7)),
            ["own = o0, o1", "room for 6"],
        ),
        ("[kinds.rider]\nactivty = 3", ["kinds.rider.activty", "did you mean kinds.rider.activity?"]),
        ("[kinds.rider.activity]\ndormant_days = -1", ["awaken.toml", "kinds.rider.activity.dormant_days", "above 0"]),
        ("[kinds.rider.activity]\ndormant_days = 30", ["kinds.rider.activity.churned_days = 30", "must be above"]),
        ("[kinds.rider.bands]\nlevel = { low = 0 }", ["kinds.rider.bands.level", "the names must be bronze"]),
        ('[kinds.rider.own.x]\nof = "points"\nbands = { a = 1 }', ["kinds.rider.own.x", "declare [own.x] first"]),
        ("[kinds.rider.push]\ncap_sends = 1", ["kinds.rider.push", "no such setting"]),
        ("[kinds.user.activity]\nnew_days = 1", ["kinds.user", "everybody"]),
        ("[kinds]\nrider = 3", ["kinds.rider", "[kinds.rider]"]),
    ],
)
def test_a_wrong_setting_is_named_with_file_key_value_and_what_is_allowed(tmp_path, text, said):
    file = tmp_path / "awaken.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as refused:
        settings.load(file, {})
    for part in said:
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("AWAKEN_PARTITIONS", "many", "a whole number"),
        ("AWAKEN_KAFKA", "localhost", "host:port"),
        ("AWAKEN_KAFAK", "a:1", "did you mean AWAKEN_KAFKA?"),
    ],
)
def test_a_wrong_variable_is_named_too(name, value, said):
    with pytest.raises(SettingsError) as refused:
        settings.load(Path("/dev/null"), {name: value})
    for part in ("environment", name, value, said):
        assert part in str(refused.value)


def test_a_contradiction_names_the_environment_that_makes_it():
    with pytest.raises(SettingsError, match=r"environment: activity\.churned_days = 30: must be above"):
        settings.load(Path("/dev/null"), {"AWAKEN_ACTIVITY_DORMANT_DAYS": "31"})


def test_sections_within_sections_have_names_in_the_environment_too():
    environ = {
        "AWAKEN_CHANNELS_SMS_COST": "0.04",
        "AWAKEN_CHANNELS_SMS_VARIABLES": '{"text": "{title}"}',
        "AWAKEN_CHANNELS_WECHAT_MINI_APPID": "app",
        "AWAKEN_CHANNELS_WEBHOOK_URL": "http://r.example/",
    }
    found = settings.load(Path("/dev/null"), environ)
    assert (found.channels.sms.cost, found.channels.sms.variables) == (0.04, {"text": "{title}"})
    assert (found.channels.wechat_mini.appid, found.channels.wechat.appid) == ("app", "")
    assert found.channels.webhook.url == "http://r.example/"
    assert settings.load(Path("/dev/null"), settings.environment(found)) == found
    with pytest.raises(SettingsError, match=r"AWAKEN_CHANNELS_SMS_URI = 'x'.*did you mean AWAKEN_CHANNELS_SMS_URL\?"):
        settings.load(Path("/dev/null"), {"AWAKEN_CHANNELS_SMS_URI": "x"})


@pytest.mark.parametrize("name", ["AWAKEN_CHANNELS_SMS_KEY_SECRET", "AWAKEN_CHANNELS_SMS_SECRET", "AWAKEN_PUSH_SECRET"])
def test_no_refusal_tells_a_secret(name):
    value = "hunter2" * 1000
    with pytest.raises(SettingsError) as refused:
        settings.load(Path("/dev/null"), {name: value})
    assert name in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_table_in_the_environment_is_json():
    found = settings.load(Path("/dev/null"), {"AWAKEN_BANDS_POINTS": '{"few": 0, "many": 9}'})
    assert found.bands.points == {"few": 0, "many": 9}
    with pytest.raises(SettingsError, match=r"AWAKEN_BANDS_POINTS = 'few = 0': .*settings file"):
        settings.load(Path("/dev/null"), {"AWAKEN_BANDS_POINTS": "few = 0"})
    with pytest.raises(SettingsError, match=r"environment: AWAKEN_OWN: own\.x\.wex = 1: there is no such setting"):
        settings.load(Path("/dev/null"), {"AWAKEN_OWN": '{"x": {"wex": 1}}'})


def test_the_examples_of_the_shipped_file_can_be_used(tmp_path):
    many = [f for f in msgspec.structs.fields(Settings) if settings._is_many(f)]
    examples = "\n".join(example for field in many for example in settings._meta(field).examples)
    printed = [line.removeprefix("#").strip() for line in settings.document().splitlines()]
    assert [line for line in examples.splitlines() if line not in printed] == []
    file = tmp_path / "awaken.toml"
    file.write_text(f'push.secret = "{"s" * 16}"\n{examples}')
    found = settings.load(file, {})
    assert set(found.offers) == {"come_back", "spring_draw"}
    assert set(found.playbooks) == {*settings.Settings().playbooks, "beijing"}
    assert set(found.own) == {"spender", "region"}
    assert settings.thresholds(found, "rider").activity.dormant_days == 3
    assert settings.thresholds(found, "rider").activity.churned_days == 30
    assert settings.load(Path("/dev/null"), settings.environment(found)) == found


def test_what_the_environment_says_of_everybody_holds_for_a_kind_too(tmp_path):
    file = tmp_path / "awaken.toml"
    file.write_text("[kinds.rider.activity]\ndormant_days = 3")
    found = settings.load(file, {"AWAKEN_ACTIVITY_CHURNED_DAYS": "20"})
    rider = settings.thresholds(found, "rider").activity
    assert (rider.dormant_days, rider.churned_days) == (3, 20)


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match=r"nowhere\.toml: cannot be read"):
        settings.load(Path("nowhere.toml"), {})


def test_every_setting_has_a_description():
    sections = [f.type for f in msgspec.structs.fields(Settings) if settings._is_section(f)]
    for section in (Settings, settings.Own, *sections):
        for field in msgspec.structs.fields(section):
            if not settings._is_section(field):
                assert settings._meta(field).description, field.name


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('quiet_from = "22:00"', "push.quiet_to = '': beside push.quiet_from it must be set too"),
        ('quiet_to = "08:00"', "push.quiet_from = '': beside push.quiet_to it must be set too"),
        ('quiet_from = "08:00"\nquiet_to = "08:00"', "push.quiet_to = '08:00': must be another time"),
        ('quiet_from = "24:00"', "push.quiet_from = '24:00'.*text such as 22:00"),
        ('time_zone = "Mars/Olympus"', "push.time_zone = 'Mars/Olympus': is no IANA time zone.*Asia/Shanghai"),
        ("holdout = 1.5", "push.holdout = 1.5.*at most 1"),
    ],
)
def test_quiet_hours_zones_and_holdouts_that_cannot_be_are_refused(tmp_path, text, said):
    file = tmp_path / "mine.toml"
    file.write_text(f"[push]\n{text}\n")
    with pytest.raises(SettingsError, match=rf"mine\.toml(.|\n)*{said}"):
        settings.load(file, {})


def written(tmp_path, text):
    file = tmp_path / "mine.toml"
    file.write_text(text)
    return settings.load(file, {})


def test_playbooks_stand_beside_those_that_are_there_and_change_only_what_they_say(tmp_path):
    found = written(
        tmp_path,
        """
        [playbooks.reactivation]
        title = "Hello"
        [playbooks.win_back]
        enabled = false
        [playbooks.mine]
        on = "rfm.keep"
        when = { "attributes.region" = ["Beijing"], activity = "active" }
        """,
    ).playbooks
    shipped = settings.Settings().playbooks
    assert found["reactivation"] == msgspec.structs.replace(shipped["reactivation"], title="Hello")
    assert not found["win_back"].enabled
    assert found["mine"].when == {"attributes.region": ("Beijing",), "activity": "active"}
    assert found.keys() == shipped.keys() | {"mine"}


def test_a_playbook_is_not_called_as_all_of_them_together(tmp_path):
    with pytest.raises(SettingsError, match=r"playbooks\.all: this name stands for all playbooks together"):
        written(tmp_path, "[playbooks.all]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('on = "activity.asleep"', "playbooks.mine.on = 'activity.asleep': activity has no such value; it has new"),
        ('on = "mod.content"', "playbooks.mine.on = 'mod.content': there is no dimension mod; there are activity"),
        ('on = "dormant"', "playbooks.mine.on = 'dormant'.*text such as activity.dormant"),
        ('when = { rfm = "vip" }', "playbooks.mine.when.rfm = 'vip': rfm has no such value; it has let_go"),
        ('title = "{name}"', "playbooks.mine.title = '{name}': {name}: there is no such variable"),
        ('tilte = "x"', "playbooks.mine.tilte = 'x': there is no such setting; did you mean playbooks.mine.title"),
    ],
)
def test_a_playbook_that_could_never_work_is_refused(tmp_path, text, said):
    with pytest.raises(SettingsError, match=rf"mine\.toml(.|\n)*{said}"):
        written(tmp_path, f"[playbooks.mine]\n{text}\n")


def test_where_bands_have_other_words_the_shipped_playbooks_do_not_mind(tmp_path):
    assert written(tmp_path, "[bands]\npoints = { few = 0, many = 9 }").playbooks["points_to_use"].enabled
