"""Settings from file, credentials, environment and --set, and where each came from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hub.config import ConfigError, Loaded, Problem, Settings, load
from hub.config.example import example_toml
from hub.config.fields import all_settings, nearest_key

STORE = '[store]\nid = "367"\ntimezone = "Europe/Berlin"\ncurrency = "EUR"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def load_text(file: Path, text: str, **more: Any) -> Loaded:
    file.write_text(text)
    more.setdefault("env", {})
    return load(file, **more)


def problems(file: Path, text: str, **more: Any) -> list[Problem]:
    with pytest.raises(ConfigError) as caught:
        load_text(file, text, **more)
    return list(caught.value.problems)


def only(file: Path, text: str, **more: Any) -> Problem:
    (problem,) = problems(file, text, **more)
    return problem


def test_a_file_with_the_shop_alone_is_enough(file: Path) -> None:
    loaded = load_text(file, STORE)
    assert loaded.settings.store.id == "367"
    assert loaded.settings.storage.queue_limit == 1000
    assert str(loaded.origins["store.id"]) == f"{file}:2"
    assert "storage.queue_limit" not in loaded.origins


def test_settings_cannot_be_changed(file: Path) -> None:
    settings = load_text(file, STORE).settings
    with pytest.raises(ValidationError, match="frozen"):
        settings.store.id = "9"  # type: ignore[misc]


def test_stronger_sources_win_one_by_one(file: Path, tmp_path: Path) -> None:
    text = STORE + '[cloud]\ntoken = "from-file"\npoll_wait_s = 1\n'
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "cloud.token").write_text("from-credential\n")
    (credentials / "other-service.key").write_text("not ours")
    with_credential = {"CREDENTIALS_DIRECTORY": str(credentials)}
    with_env = {
        **with_credential,
        "STORE_HUB__CLOUD__TOKEN": "from-env",
        "STORE_HUB__CLOUD__POLL_WAIT_S": "2",
    }

    def token(loaded: Loaded) -> tuple[str, str]:
        secret = loaded.settings.cloud.token
        assert secret is not None
        return secret.get_secret_value(), str(loaded.origins["cloud.token"])

    assert token(load_text(file, text)) == ("from-file", f"{file}:6")
    assert token(load_text(file, text, env=with_credential)) == (
        "from-credential",
        "credential cloud.token",
    )
    assert token(load_text(file, text, env=with_env)) == ("from-env", "env STORE_HUB__CLOUD__TOKEN")
    by_set = load_text(file, text, env=with_env, overrides=["cloud.token=from-set"])
    assert token(by_set) == ("from-set", "--set cloud.token")
    assert by_set.settings.cloud.poll_wait_s == 2


@given(st.sets(st.sampled_from(["file", "env", "set"])))
def test_the_strongest_source_given_decides(given_sources: set[str]) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        text = STORE + ("[storage]\nqueue_limit = 101\n" if "file" in given_sources else "")
        env = {"STORE_HUB__STORAGE__QUEUE_LIMIT": "102"} if "env" in given_sources else {}
        overrides = ["storage.queue_limit=103"] if "set" in given_sources else []
        loaded = load_text(Path(folder, "c.toml"), text, env=env, overrides=overrides)
    values = {"file": 101, "env": 102, "set": 103}
    expected = max((values[source] for source in given_sources), default=1000)
    assert loaded.settings.storage.queue_limit == expected


def test_a_fraction_is_taken_as_one_and_nothing_else_is(file: Path) -> None:
    key = "STORE_HUB__PAYMENTS__SURCHARGE_MAX_PERCENT"
    for text, percent in (("1.5", 1.5), ("3", 3.0), (" 0.25 ", 0.25)):
        payments = load_text(file, STORE, env={key: text}).settings.payments
        assert payments.surcharge_max_percent == percent
        by_file = f"{STORE}[payments]\nsurcharge_max_percent = {text}\n"
        assert load_text(file, by_file).settings.payments.surcharge_max_percent == percent
    for text, why in (("1,5", "not a number"), ("-1", "too small"), ("101", "too large")):
        assert why in only(file, STORE, env={key: text}).message
    for text in ("nan", "inf"):
        assert only(file, f"{STORE}[payments]\nsurcharge_max_percent = {text}\n")
    assert all_settings()["payments.surcharge_max_percent"].expected() == "a number from 0 to 100"


def test_texts_from_the_environment_become_the_settings_types(file: Path) -> None:
    env = {
        "STORE_HUB__STORE__TRAINING": "yes",
        "STORE_HUB__DISCOVERY__INTERFACES": "eth0, eth1",
        "STORE_HUB__WEB__PUBLIC_NAMES": '["shop.example"]',
        "STORE_HUB__PATHS__STATE": "/srv/hub",
        "STORE_HUB__STORE__NAME": "7",
    }
    settings = load_text(file, STORE, env=env).settings
    assert settings.store.training is True
    assert settings.discovery.interfaces == ("eth0", "eth1")
    assert settings.web.public_names == ("shop.example",)
    assert settings.paths.state == Path("/srv/hub")
    assert settings.store.name == "7"


def test_a_secret_is_read_from_the_file_that_is_named(file: Path, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("s3cret-token\n")
    loaded = load_text(file, f'{STORE}[cloud]\ntoken_file = "{secret}"\n')
    assert loaded.settings.cloud.token is not None
    assert loaded.settings.cloud.token.get_secret_value() == "s3cret-token"
    assert str(loaded.origins["cloud.token"]) == str(secret)
    assert loaded.secrets() == ("s3cret-token",)


def test_a_stronger_secret_wins_over_a_named_file(file: Path) -> None:
    text = STORE + '[cloud]\ntoken_file = "/nowhere/token"\n'
    loaded = load_text(file, text, env={"STORE_HUB__CLOUD__TOKEN": "from-env"})
    assert loaded.secrets() == ("from-env",)


def test_a_secret_and_its_file_together_are_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("x")
    text = f'{STORE}[cloud]\ntoken = "abcdef"\ntoken_file = "{tmp_path}/t"\n'
    problem = only(file, text)
    assert "both set" in problem.message
    assert "abcdef" not in str(problem)


def test_an_unreadable_secret_file_is_named(file: Path) -> None:
    problem = only(file, STORE + '[cloud]\ntoken_file = "/nowhere/token"\n')
    assert problem.where == f"{file}:6"
    assert "/nowhere/token" in problem.message


def test_no_secret_is_ever_shown(file: Path) -> None:
    text = STORE + '[cloud]\ntoken = "hunter2-hunter2"\n'
    loaded = load_text(file, text)
    shown = [repr(loaded), str(loaded.settings), loaded.settings.model_dump_json()]
    shown += [value for _, value, _ in loaded.rows()]
    assert not any("hunter2" in one for one in shown)
    assert "********" in shown


@pytest.mark.parametrize(
    "line",
    [
        "token = 12345678",
        'tokn = "12345678"',
        'token = "12345678',
        'token = {a = "12345678"}',
        'url = 1 ; token = "12345678"',
    ],
)
def test_a_problem_never_quotes_a_secret(file: Path, line: str) -> None:
    for problem in problems(file, f"{STORE}[cloud]\n{line}\n"):
        assert "12345678" not in str(problem)
        assert "12345678" not in str(problem.to_json())
        assert problem.where == f"{file}:6" or "end of document" in problem.message


def test_an_unknown_key_is_refused_with_its_line_and_the_nearest_name(file: Path) -> None:
    problem = only(file, STORE + "\n[storage]\nqueue_limt = 5\n")
    assert problem.where == f"{file}:7"
    assert problem.line_text == "queue_limt = 5"
    assert problem.next_step == "did you mean storage.queue_limit?"


def test_a_key_in_the_wrong_section_is_sent_to_its_own(file: Path) -> None:
    assert only(file, STORE + "[web]\nhold_ttl_s = 5\n").next_step == (
        "did you mean stock.hold_ttl_s?"
    )
    assert "below [stock]" in only(file, "hold_ttl_s = 5\n" + STORE).next_step


def test_unknown_sections_variables_credentials_and_overrides_are_refused(
    file: Path, tmp_path: Path
) -> None:
    (tmp_path / "cloud.tokn").write_text("x")
    (tmp_path / "web.port").write_text("1")
    found = problems(
        file,
        STORE + "[storag]\nx = 1\n",
        env={"STORE_HUB__CLUOD__URL": "x", "CREDENTIALS_DIRECTORY": str(tmp_path)},
        overrides=["log.levl=info", "nonsense"],
    )
    assert {problem.where: problem.next_step for problem in found} == {
        f"{file}:5": "did you mean storage?",
        "credential cloud.tokn": "did you mean cloud.token?",
        "credential web.port": "set it in the settings file",
        "env STORE_HUB__CLUOD__URL": "did you mean cloud.url?",
        "--set log.levl": "did you mean log.level?",
        "--set": "write it like the example",
    }


@given(st.data())
def test_one_slip_of_the_finger_is_always_understood(data: st.DataObject) -> None:
    keys = [key for key, one in all_settings().items() if len(one.name) >= 6]
    key = data.draw(st.sampled_from(keys))
    section, _, name = key.partition(".")
    at = data.draw(st.integers(1, len(name) - 2))
    slip = data.draw(
        st.sampled_from(
            [
                name[:at] + name[at + 1 :],
                name[:at] + name[at] + name[at:],
                name[:at] + name[at + 1] + name[at] + name[at + 2 :],
                name.upper(),
                name.replace("_", "-"),
            ]
        )
    )
    guess = nearest_key(section, slip)
    assert guess == key or (guess is not None and guess.partition(".")[2] == slip)


def test_swapped_letters_find_their_key_among_alike_ones() -> None:
    assert nearest_key("cloud", "client_ecrt_file") == "cloud.client_cert_file"


@pytest.mark.parametrize(
    ("section", "line", "expected"),
    [
        ("web", "port = 70000", "a whole number from 0 to 65535"),
        ("web", 'port = "8443"', "a whole number from 0 to 65535"),
        ("web", "port = true", "a whole number from 0 to 65535"),
        ("store", "training = 1", "true or false"),
        ("broker", 'mode = "extern"', '"managed" or "external"'),
        ("paths", 'state = "relative"', "an absolute path in quotes"),
        ("web", 'public_names = "one"', "a list of texts"),
        ("web", "public_names = [1]", "a list of texts"),
        ("store", 'hub_name = "a b"', "matches"),
        ("log", 'level = "loud"', '"debug" or "info"'),
    ],
)
def test_a_wrong_value_is_explained_at_its_line(
    file: Path, section: str, line: str, expected: str
) -> None:
    text = STORE + line + "\n" if section == "store" else f"{STORE}[{section}]\n{line}\n"
    problem = only(file, text)
    assert problem.where == f"{file}:{text.split(chr(10)).index(line) + 1}"
    assert problem.line_text == line
    assert expected in problem.expected
    assert problem.got
    assert problem.example.startswith(line.partition(" ")[0])
    assert problem.next_step


def test_an_unknown_time_zone_gets_the_nearest_one(file: Path) -> None:
    problem = only(file, STORE.replace("Europe/Berlin", "Europe/Berln"))
    assert problem.next_step == 'did you mean "Europe/Berlin"?'


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('[broker]\nmode = "external"', "broker.url"),
        ('[broker]\nurl = "mqtts://b:8883"', "broker.url"),
        ("[broker]\nmtls_port = 8883", "broker.mtls_port"),
        ('[broker]\nmode = "external"\nurl = "mqtts://b"\npassword = "x"', "broker.username"),
        ('[cloud]\nsigning = "standard-webhooks"', "cloud.signing_secret"),
        ('[cloud]\nclient_id = "x"', "cloud.client_secret"),
        ("[cloud]\nretry_base_s = 9\nretry_max_s = 8", "cloud.retry_max_s"),
        ('[cloud]\nurl = "http://oms.example"', "cloud.url"),
        ('[paths]\nrun = "/' + "x" * 100 + '"', "paths.run"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(file: Path, text: str, key: str) -> None:
    problem = only(file, STORE + text + "\n")
    assert problem.key == key
    assert problem.where.startswith(f"{file}:")


def test_clear_text_to_this_machine_is_allowed(file: Path) -> None:
    text = STORE + '[cloud]\nurl = "http://127.0.0.1:9000"\n'
    assert load_text(file, text).settings.cloud.url == "http://127.0.0.1:9000"


def test_missing_settings_say_where_to_add_them(file: Path) -> None:
    first, second, third = problems(file, "[web]\nport = 1\n")
    assert [one.key for one in (first, second, third)] == [
        "store.id",
        "store.timezone",
        "store.currency",
    ]
    assert first.next_step == "add it in a new section [store]"


def test_broken_toml_is_shown_at_its_line_and_nothing_else_is_blamed(file: Path) -> None:
    problem = only(file, "[store]\nid = 3 6 7\n")
    assert problem.where == f"{file}:2"
    assert problem.line_text == "id = 3 6 7"


def test_files_that_are_missing_too_large_or_not_text_are_refused(file: Path) -> None:
    with pytest.raises(ConfigError, match="doesn't exist"):
        load(file, env={})
    with pytest.raises(ConfigError, match="doesn't exist"):
        load(env={"STORE_HUB_CONFIG": str(file)})
    file.write_text("#" * 300_000)
    with pytest.raises(ConfigError, match="larger than"):
        load(file, env={})
    file.write_bytes(b"[store]\nid = '\xff'\n")
    with pytest.raises(ConfigError, match=":2: the file is not UTF-8"):
        load(file, env={})


@given(st.text(st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_either_settings_or_explained(text: str) -> None:
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        file = Path(folder, "c.toml")
        file.write_bytes(text.encode())
        with pytest.raises(ConfigError) as caught:
            load(file, env={})
    assert all(problem.message and problem.next_step for problem in caught.value.problems)


def test_the_example_is_valid_and_shows_every_default(file: Path) -> None:
    text = example_toml()
    loaded = load_text(file, text)
    assert set(loaded.origins) == {"store.id", "store.timezone", "store.currency"}
    for setting in all_settings().values():
        assert f"{setting.name} = " in text
        assert setting.description in " ".join(text.replace("\n# ", " ").split())


def test_the_examples_commented_lines_are_the_defaults(file: Path) -> None:
    rows = example_toml().splitlines()
    defaults = [
        row.removeprefix("# ") if " = " in row and "not set by default" not in row else row
        for row in rows
        if not row.startswith("# Lines") and "environment variables" not in row
    ]
    text = "\n".join(row for row in defaults if not row.startswith("external only:"))
    assert load_text(file, text).settings == load_text(file, STORE).settings


def test_every_setting_is_described_and_every_number_bounded() -> None:
    for setting in all_settings().values():
        assert setting.description.endswith((".", "?")), setting.key
        if setting.kind == "int":
            assert " from " in setting.expected(), setting.key
        if setting.secret:
            assert f"{setting.key}_file" in all_settings()


def test_sections_can_be_made_in_code_too() -> None:
    store = {"id": "1", "timezone": "UTC", "currency": "EUR"}
    assert Settings.model_validate({"store": store}).broker.mode == "managed"
    with pytest.raises(ValidationError, match="extra"):
        Settings.model_validate({"store": store | {"nam": "x"}})


def test_the_oms_as_processor_needs_an_oms(file: Path) -> None:
    text = STORE + '[payments]\nprocessor = "oms"\n'
    problem = only(file, text)
    assert problem.key == "payments.processor"
    assert "needs cloud.url" in problem.message
    assert problem.where == f"{file}:6"
    load_text(file, text + '[cloud]\nurl = "https://oms.example"\n')
