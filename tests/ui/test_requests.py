"""Requests nobody's page would make: refused in words, never an error of the server.

The campaign: WINDTUNNEL_FUZZ_EXAMPLES=1000 python -m pytest tests/ui/test_requests.py --timeout=7200
"""

import http.client
import json
import os
import string

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from catalog.folders import make_comparison, make_run, make_sweep
from ui.api_schema import _GET, describe_api

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "5"))
CAMPAIGN = settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=EXAMPLES < 1000,
)
SECRET = "nobody-may-read-this"
IDS = {
    "id": ["p/one", "p/rates", "comparisons", "..", ".", "p/one/../one", "/etc", "p/one\0"],
    "to": ["p/one"],
    "field": ["seed", "optim.lr"],
    "name": ["curves.png", "../secret.png", "checkpoints/x.png"],
    "generation": ["", "1.0"],
}


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A server that may change queues, over a run, a sweep and a comparison; a secret lies beside its folder."""
    pytest.importorskip("starlette", reason="the live page is the extra ui")
    pytest.importorskip("uvicorn", reason="the live page is the extra ui")
    from ui.pages import Page

    folder = tmp_path_factory.mktemp("served")
    (folder / "secret.png").write_text(SECRET)
    make_run(folder / "runs/p/one")
    make_sweep(folder / "runs", ended=1)
    make_comparison(folder / "runs")
    page = Page(folder / "runs", control=True)
    yield page
    page.close()


def check(status, headers, body):
    assert status < 500, body
    assert SECRET.encode() not in body
    assert "default-src 'self'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "traceback" not in body.decode("utf-8", "replace").lower()


@pytest.mark.parametrize("mode", ["positive", "negative"])
@pytest.mark.parametrize("operation", [*(f"/api/{name}" for name in _GET), "/api/queue"])
def test_requests_made_from_the_schema_are_answered_by_it(page, operation, mode):
    schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is a package of the extra dev")
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

    method = "POST" if operation == "/api/queue" else "GET"
    if mode == "negative" and method == "GET" and not _GET[operation.removeprefix("/api/")]:
        return  # it takes nothing that could be wrong
    schema = schemathesis.openapi.from_dict(describe_api(IDS))
    cases = schema[operation][method].as_strategy(schemathesis.GenerationMode(mode))

    @CAMPAIGN
    @given(case=cases)
    def ask(case):
        answer = case.call(base_url=f"http://127.0.0.1:{page.port}", timeout=20)
        case.validate_response(answer, checks=[not_a_server_error, content_type_conformance, status_code_conformance])
        check(answer.status_code, {name.lower(): values[0] for name, values in answer.headers.items()}, answer.content)

    ask()


def test_the_schema_knows_every_address():
    from windtunnel.ui.routes import Api

    told = {route.path for route in Api(None, None).routes()}
    assert told == set(describe_api(IDS)["paths"]) - {"/api/queue"} | {"/api/events"}


ADDRESS_LETTERS = string.ascii_letters + string.digits + "/.%&=?+-_~:;@!$'()*,[]{}|\\^`<>\""
METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW", "G"]
ADDRESSES = st.one_of(
    st.text(ADDRESS_LETTERS, max_size=60).map(lambda text: "/" + text),
    st.sampled_from(
        [
            "/",
            "/api/run?id=p/one",
            "/api/../api/about",
            "/static/%2e%2e/app.py",
            "/api/picture?id=p/one&name=..%2fsecret.png",
        ]
    ),
)


@CAMPAIGN
@given(method=st.sampled_from(METHODS), address=ADDRESSES, body=st.none() | st.binary(max_size=200))
def test_any_method_and_address_is_answered(page, method, address, body):
    if not address.startswith("/api/events"):
        answer = page.ask(address, method, body)
        assert answer.status < 500
        if answer.status != 400:  # what is no HTTP is refused before it comes to the page
            check(answer.status, answer.headers, answer.body)


HEADER = st.text(string.printable.strip(), min_size=1, max_size=60)


@CAMPAIGN
@given(
    name=st.sampled_from(["Cookie", "Authorization", "Origin", "If-None-Match", "Accept-Encoding", "Range", "Referer"]),
    value=HEADER,
)
def test_any_header_is_answered(page, name, value):
    answer = page.ask("/api/about", **{name: value})
    assert answer.status in (200, 400)


@CAMPAIGN
@given(host=HEADER)
def test_any_other_host_is_turned_away(page, host):
    assert page.ask("/api/about", Host=host).status in (400, 421)


def test_a_query_that_is_too_long_is_refused(page):
    assert page.get("values", {"field": ["x" * 20] * 501}).status == 422
    assert page.ask("/api/run?id=" + "x" * 200_000).status in (400, 414)


def test_a_body_without_end_is_not_waited_for(page):
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    connection.putrequest("POST", "/api/queue")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(1 << 40))
    connection.endheaders(b" " * 20_000)
    answer = connection.getresponse()
    assert answer.status == 422
    assert json.loads(answer.read())["error"].startswith("body: has more than 10000 bytes")
    connection.close()


def test_asking_for_the_streams_head_ends(page):
    assert page.ask("/api/events", "HEAD").status == 200


def test_more_listeners_than_may_are_refused(page, monkeypatch):
    from windtunnel.ui import hub

    monkeypatch.setattr(hub, "MOST_LISTENERS", 2)
    with page.events() as first, page.events() as second:
        assert [first()[0], second()[0]] == ["hello", "hello"]
        refused = page.get("events")
        assert (refused.status, refused.headers["retry-after"]) == (429, "30")
        assert "close some" in refused.json["error"]


@pytest.mark.parametrize("number", ["0" * 5000, "0" * 30 + "9" * 12])
def test_a_number_of_many_digits_is_refused(page, number):
    assert page.get("log", {"id": "p/one", "bytes": number}).status == 422
    assert page.get("curves", {"id": "p/one", "from": number}).status == 422
