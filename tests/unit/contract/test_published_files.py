"""The published files say what the models say, all of it, and stand up to the standards."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from hub.contract import envelope, local, oms, oms_events, sale
from hub.contract import problems as device_problems
from hub.contract.base import Command
from hub.contract.oms_datasets import ROW_MODELS
from hub.contract.oms_envelope import CloudEvent
from hub.contract.oms_events import EVENT_DATA, OtherFact, parse_data
from hub.contract.problems import Problem, problem
from hub.contract.publish import (
    device,
    files,
    local_samples,
    oms_event_samples,
    oms_samples,
    samples,
)
from hub.contract.publish import local as hub_api
from hub.contract.publish.__main__ import ROOT, main
from hub.contract.publish.device_messages import NOTICES, device_operations, name_of
from hub.contract.publish.oms import BASE
from hub.contract.publish.schemas import component_schemas, markdown
from hub.contract.registry import OPERATIONS, Operation
from hub.contract.sale import SaleLineView, SaleView
from hub.service.answers import failure_json, success_json
from scripts import contract_standards as standards

Document = dict[str, Any]


@pytest.fixture(scope="module")
def documents() -> dict[str, Document]:
    """What the models say, as read back from YAML."""
    return {
        name: yaml.load(to_text(one), yaml.CSafeLoader) for name, one in files.documents().items()
    }


def to_text(document: Document) -> str:
    from hub.contract.publish.yamltext import to_yaml

    return to_yaml(document)


@pytest.fixture(scope="module")
def official_schema() -> Document:
    """AsyncAPI's own schema; fetched once by npm."""
    try:
        return standards.asyncapi_schema(standards.fetch_specs())
    except standards.CannotFetch as error:
        pytest.skip(str(error))


# --- drift ----------------------------------------------------------------------------------------


def test_the_published_files_are_what_the_models_say() -> None:
    found = files.differences(ROOT)
    told = [line for one in found for line in (str(one.path), *one.lines)]
    assert not found, "run python -m hub.contract.publish --write\n" + "\n".join(told)


def test_the_same_models_give_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    with subprocess.Popen(
        [sys.executable, "-m", "hub.contract.publish", "--write", "--root", str(there)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed},
        stdout=subprocess.DEVNULL,
    ) as other:
        assert main(["--write", "--root", str(here)]) == 0
        assert other.wait(120) == 0
    texts = [
        [path.read_bytes() for path in sorted((root / "contract").glob("*.yaml"))]
        for root in (here, there)
    ]
    assert texts[0] == texts[1]
    assert len(texts[0]) == 3


def test_nothing_of_the_machine_that_wrote_them_is_in_the_files() -> None:
    for path in sorted((ROOT / "contract").rglob("*.*")):
        text = path.read_text("utf-8")
        for trace in (str(ROOT), "/home/", "/tmp/", "/usr/", "localhost", "127.0.0.1"):
            assert trace not in text, f"{path.name} holds {trace}"


def test_a_drift_is_shown_with_the_next_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--check", "--root", str(tmp_path)]) == 0
    path = tmp_path / "contract" / "asyncapi.yaml"
    path.write_text(path.read_text("utf-8").replace("'Store Hub: devices'", "Other hub"), "utf-8")
    capsys.readouterr()
    assert main(["--check", "--root", str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "contract/asyncapi.yaml is not what the models say" in told
    assert "-  title: Other hub" in told
    assert "--write" in told
    assert main(["--write", "--root", str(tmp_path)]) == 0
    assert main(["--root", str(tmp_path)]) == 0


def test_missing_files_are_a_drift(tmp_path: Path) -> None:
    assert main(["--check", "--root", str(tmp_path)]) == 1


# --- the standards --------------------------------------------------------------------------------


def test_the_device_contract_is_valid_asyncapi(
    documents: dict[str, Document], official_schema: Document
) -> None:
    document = documents["asyncapi.yaml"]
    assert standards.asyncapi_errors(document, official_schema) == []
    assert standards.misplaced(document) == []


@pytest.mark.parametrize("name", ["oms.openapi.yaml", "hub.openapi.yaml"])
def test_the_http_contracts_are_valid_openapi(documents: dict[str, Document], name: str) -> None:
    assert standards.openapi_errors(documents[name]) == []


@pytest.mark.parametrize("name", ["asyncapi.yaml", "oms.openapi.yaml", "hub.openapi.yaml"])
def test_no_reference_leads_nowhere_and_every_example_fits_its_schema(
    documents: dict[str, Document], name: str
) -> None:
    document = documents[name]
    assert standards.dangling(document) == []
    which = standards.asyncapi_examples if name == "asyncapi.yaml" else standards.openapi_examples
    examples = list(which(document))
    assert len(examples) >= 20
    assert standards.example_errors(document, iter(examples)) == []


@pytest.mark.parametrize("kind", EVENT_DATA)
def test_every_event_type_is_a_cloudevent_by_the_cncfs_sdk(kind: str) -> None:
    pytest.importorskip("cloudevents", reason="PyPI cloudevents is not installed")
    assert standards.cloudevent_errors(oms_event_samples.event_of(kind)) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda event: event.pop("id"),
        lambda event: event.update(source=""),
        lambda event: event.update(specversion="0.3"),
        lambda event: event.update(originalId="an extension's name is in small letters"),
        lambda event: event.update(time="yesterday"),
    ],
)
def test_the_sdk_notices_what_is_no_cloudevent(spoil: Callable[[Document], None]) -> None:
    pytest.importorskip("cloudevents", reason="PyPI cloudevents is not installed")
    event = oms_event_samples.event_of(next(iter(EVENT_DATA)))
    spoil(event)
    assert standards.cloudevent_errors(event)


def test_the_validators_notice_planted_faults(
    documents: dict[str, Document], official_schema: Document
) -> None:
    good = documents["asyncapi.yaml"]
    shouting = copy.deepcopy(good)
    shouting["operations"]["sale.commit"]["action"] = "shout"
    assert standards.asyncapi_errors(shouting, official_schema)
    unknown = copy.deepcopy(good)
    unknown["servers"]["certificate"]["bindings"]["mqtt"]["keepAlive"] = "often"
    assert standards.asyncapi_errors(unknown, official_schema)
    elsewhere = copy.deepcopy(good)
    elsewhere["operations"]["sale.commit"]["messages"][0]["$ref"] = "#/channels/evt/messages/fact"
    assert standards.misplaced(elsewhere)
    nowhere = copy.deepcopy(good)
    nowhere["components"]["schemas"].pop("SaleDone")
    assert standards.dangling(nowhere)
    wrong = copy.deepcopy(good)
    wrong["components"]["messages"]["sale.commit.request"]["examples"][0]["payload"].pop("sale_id")
    assert standards.example_errors(wrong, standards.asyncapi_examples(wrong))
    http = copy.deepcopy(documents["hub.openapi.yaml"])
    http["paths"]["/api/1/pair"]["post"].pop("responses")
    http["paths"]["/api/1/pair"]["post"]["parameters"] = [{"in": "body", "name": "x"}]
    assert standards.openapi_errors(http)


# --- everything is there --------------------------------------------------------------------------


@pytest.mark.parametrize("row", device_operations(), ids=name_of)
def test_every_operation_of_devices_has_its_topic_and_both_messages(
    documents: dict[str, Document], row: Operation
) -> None:
    document, name = documents["asyncapi.yaml"], name_of(row)
    operation = document["operations"][name]
    channel = document["channels"][f"req.{name}"]
    assert channel["address"] == f"sh/1/{{store}}/dev/{{deviceId}}/req/{'/'.join(row.address)}"
    assert operation["action"] == "send"
    assert operation["bindings"]["mqtt"]["qos"] == 1
    assert operation["bindings"]["mqtt"]["messageExpiryInterval"] == 10
    answers = [one["$ref"].rpartition("/")[2] for one in operation["reply"]["messages"]]
    assert answers == [f"{name}.reply", "refusal"]
    messages = document["components"]["messages"]
    assert messages[f"{name}.reply"]["correlationId"]
    fields = document["components"]["schemas"][row.command.__name__]["properties"]
    assert "correlation" in fields
    assert ("idempotency_key" in fields) is not row.is_query
    assert ("headers" in messages[f"{name}.request"]) is not row.is_query


def test_every_topic_of_the_tree_is_described(documents: dict[str, Document]) -> None:
    addresses = {one["address"] for one in documents["asyncapi.yaml"]["channels"].values()}
    dev = "sh/1/{store}/dev/{deviceId}"
    own = {"state", "meta", "rep", "cmd-rep", "evt/{type}", "cmd/{operation}"}
    assert {f"{dev}/{one}" for one in own} <= addresses
    assert {"sh/1/{store}/hub/state", "sh/1/{store}/bcast/stock"} <= addresses
    assert {f"sh/1/{{store}}/bcast/{name}" for name in NOTICES} <= addresses


def test_all_three_ways_in_are_described(documents: dict[str, Document]) -> None:
    servers = documents["asyncapi.yaml"]["servers"]
    found = {
        (one["protocol"], one["variables"]["port"]["default"], one.get("pathname"))
        for one in servers.values()
    }
    assert found == {
        ("secure-mqtt", "8884", None),
        ("secure-mqtt", "8883", None),
        ("wss", "8443", "/mqtt"),
    }


def test_every_problem_is_in_the_tables(documents: dict[str, Document]) -> None:
    for name in ("asyncapi.yaml", "hub.openapi.yaml"):
        text = documents[name]["info"]["description"]
        for code, meaning in device_problems.MEANINGS.items():
            assert f"| `{code}` | {meaning.status} | " in text
    text = documents["oms.openapi.yaml"]["info"]["description"]
    for oms_code, oms_meaning in oms.OMS_MEANINGS.items():
        assert f"| `{oms_code}` | {oms_meaning.status} | " in text


def test_every_call_of_the_cloud_is_described(documents: dict[str, Document]) -> None:
    paths = documents["oms.openapi.yaml"]["paths"]
    for call in oms.CALLS:
        operation = paths[BASE + call.path][call.method.lower()]
        inside = [one for one in operation["parameters"] if one.get("in") == "query"]
        assert tuple(one["name"] for one in inside) == call.query
        session = any("hubSession" in one.get("$ref", "") for one in operation["parameters"])
        assert session is call.session
        assert ("requestBody" in operation) is (call.request is not None)
        assert {"200", "401", "403", "422", "429", "503"} <= operation["responses"].keys()
    assert "/oauth/token" in paths


def test_every_operation_of_technicians_is_described(documents: dict[str, Document]) -> None:
    paths = documents["hub.openapi.yaml"]["paths"]
    for row in hub_api.admin_operations():
        operation = paths[hub_api.path_of(row)]["post"]
        names = [one["$ref"].rpartition("/")[2] for one in operation["parameters"]]
        assert names == ["csrf"] if row.is_query else ["csrf", "idempotencyKey"]
    for call in hub_api.CALLS:
        assert call.method.lower() in paths[call.path]


def test_operation_names_are_unique(documents: dict[str, Document]) -> None:
    for name in ("oms.openapi.yaml", "hub.openapi.yaml"):
        paths = documents[name]["paths"].values()
        found = [call["operationId"] for path in paths for call in path.values()]
        assert len(found) == len(set(found))


def test_the_hub_serves_what_is_published_and_nothing_else() -> None:
    from hub.web.access import COOKIE, CSRF_HEADER, SignedInPage
    from hub.web.page import Page
    from hub.web.server import IDEMPOTENCY_HEADER, WebConfig, WebServer

    server = WebServer.__new__(WebServer)  # only its routes are of interest
    server._config = WebConfig()
    served = {
        (route.method, route.resource.canonical)
        for route in server._app().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served - {("GET", path) for path in Page().paths} == hub_api.routes()
    assert (COOKIE, CSRF_HEADER) == (hub_api.COOKIE, hub_api.CSRF_HEADER)
    assert IDEMPOTENCY_HEADER == hub_api.IDEMPOTENCY_HEADER
    schema = hub_api.build()["components"]["schemas"]["PageSession"]
    assert schema["properties"].keys() == SignedInPage.model_fields.keys()


# --- the examples are true ------------------------------------------------------------------------


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=name_of)
def test_the_examples_of_an_operation_are_its_models(row: Operation) -> None:
    row.command.model_validate(samples.REQUESTS[row.address])
    example = samples.RESULTS[row.result.__name__]
    found = row.result.model_validate(example)
    told = found.model_dump(mode="json", exclude_none=True)
    assert {key: told[key] for key in example}.keys() == example.keys()


def test_there_are_no_examples_of_what_does_not_exist() -> None:
    assert samples.REQUESTS.keys() == OPERATIONS.keys()
    assert samples.RESULTS.keys() == {row.result.__name__ for row in OPERATIONS.values()}


@pytest.mark.parametrize("name", samples.ENVELOPES)
def test_the_examples_of_envelopes_are_their_models(name: str) -> None:
    model = Problem if name == "Problem" else getattr(envelope, name)
    model.model_validate(samples.ENVELOPES[name])


@pytest.mark.parametrize("kind", EVENT_DATA)
def test_the_examples_of_events_are_their_models(kind: str) -> None:
    event = CloudEvent.model_validate(oms_event_samples.event_of(kind))
    assert not isinstance(parse_data(event), OtherFact)


def test_the_examples_between_hub_and_cloud_are_their_models() -> None:
    for name, example in oms_samples.REQUESTS.items():
        for one in example if isinstance(example, list) else [example]:
            getattr(oms, name).model_validate(one)
    for name, example in oms_samples.REPLIES.items():
        getattr(oms, name).model_validate(example)
    rows = {model.__name__: model for models in ROW_MODELS.values() for model in models}
    assert rows.keys() == oms_samples.ROWS.keys()
    for name, model in rows.items():
        model.model_validate(oms_samples.ROWS[name])
    oms.OmsProblem.model_validate(oms_samples.PROBLEM)


def test_the_examples_of_the_http_api_are_their_models() -> None:
    from hub.contract import admin

    for name, example in local_samples.REQUESTS.items():
        model = getattr(local, name, None) or getattr(admin, name)
        model.model_validate(example)
    for name, example in local_samples.REPLIES.items():
        if hasattr(local, name) and isinstance(example, dict):
            getattr(local, name).model_validate(example)


# --- what the hub really says ---------------------------------------------------------------------


def _fits(document: Document, schema: str, text: str) -> None:
    import json

    whole = {"$ref": f"#/components/schemas/{schema}", "components": document["components"]}
    jsonschema.Draft202012Validator(whole).validate(json.loads(text))


@pytest.mark.parametrize("row", device_operations(), ids=name_of)
def test_what_the_hub_answers_fits_the_contract(
    documents: dict[str, Document], row: Operation
) -> None:
    result = row.result.model_validate(samples.RESULTS[row.result.__name__])
    text = success_json(result, 0 if row.is_query else 7)
    _fits(documents["asyncapi.yaml"], f"{row.result.__name__}Reply", text)


def test_a_view_without_its_optional_values_fits_the_contract(
    documents: dict[str, Document],
) -> None:
    example = samples.RESULTS["SaleView"]
    sale = SaleView.model_validate({**example, "staff_id": None})
    line = SaleLineView.model_validate({**example["lines"][0], "gtin": None})
    view = sale.model_copy(update={"lines": (line,)})
    _fits(documents["asyncapi.yaml"], "SaleViewReply", success_json(view, 0))


@pytest.mark.parametrize("code", device_problems.Code)
def test_every_refusal_fits_the_contract(
    documents: dict[str, Document], code: device_problems.Code
) -> None:
    _fits(documents["asyncapi.yaml"], "Refusal", failure_json(problem(code, "Do this next.")))


def test_the_last_will_of_a_device_fits_the_contract(documents: dict[str, Document]) -> None:
    will = documents["asyncapi.yaml"]["servers"]["certificate"]["bindings"]["mqtt"]["lastWill"]
    _fits(documents["asyncapi.yaml"], "DeviceState", will["message"])
    assert will["topic"] == f"{device.DEV}/state"


# --- making schemas -------------------------------------------------------------------------------


def test_two_models_of_one_name_in_a_document_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        component_schemas([sale.SaleLine, oms_events.SaleLine])


def test_docstrings_become_markdown() -> None:
    text = (
        "The answer of\n    :class:`~hub.x.Reply`, ``ok``.\n\n    Serialise with ``x``:\n    so.\n"
    )
    assert markdown(text) == "The answer of Reply, `ok`."


def test_fields_of_commands_keep_their_bounds() -> None:
    class Ask(Command):
        """Ask."""

        title: str
        items: tuple[int, int] = (1, 1)

    schema = component_schemas([Ask])["Ask"]
    assert schema["required"] == ["title"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["title"] == {"type": "string"}
    assert schema["properties"]["items"]["items"] == {"type": "integer"}
