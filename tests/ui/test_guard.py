import pytest
from hypothesis import given
from hypothesis import strategies as st

from windtunnel.ui.guard import Admission, host_name, is_loopback, served_hosts
from windtunnel.ui.static_files import FOLDER

PATHS = ("/", "/static/main.js", "/api/runs", "/api/nothing", "/static/plotly.min.js", "/api/run?id=x")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8790", "127.0.0.1.evil.example", "", "192.168.0.9"])
def test_another_name_is_no_way_in(page, host):
    assert [page.ask(path, Host=host).status for path in PATHS] == [421] * len(PATHS)


def test_this_machines_names_and_the_port_of_a_tunnel_are(page):
    hosts = ("localhost", "127.0.0.1:9999", "[::1]:1", "LOCALHOST:8790")
    assert [page.ask("/api/about", Host=host).status for host in hosts] == [200] * 4


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_security_headers(page, path):
    headers = page.ask(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy
    assert "script-src" not in policy and "unsafe-eval" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_a_token_is_asked_for_everywhere(serve, runs):
    page = serve(runs, token="s3cret")
    assert [page.ask(path).status for path in PATHS] == [401] * len(PATHS)
    assert page.wish({}).status == 401
    assert page.ask("/?token=wrong").status == 401
    assert page.ask("/api/runs?token=s3cret").status == 401
    assert page.ask("/api/runs", Authorization="Bearer s3cret").status == 200
    assert page.ask("/api/runs", Authorization="Bearer s3cre").status == 401


def test_the_address_that_is_printed_lets_in_and_leaves_a_cookie(serve, runs):
    page = serve(runs, token="s3cret")
    welcome = page.ask(page.address.removeprefix(f"http://127.0.0.1:{page.port}"))
    assert (welcome.status, welcome.headers["location"]) == (303, "/")
    cookie = welcome.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert page.ask("/", Cookie=cookie.partition(";")[0]).status == 200
    assert page.ask("/", Cookie=f"windtunnel_{page.port}=guess").status == 401
    assert page.ask("/", Cookie='\x00=;;;"').status in (400, 401)


def test_an_address_that_others_reach_gets_a_token_by_itself(serve, runs):
    page = serve(runs, host="0.0.0.0")
    token = page.address.partition("?token=")[2]
    assert len(token) >= 24
    assert page.get("about").status == 401
    assert page.get("about", Authorization=f"Bearer {token}").status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static/%2fetc%2fpasswd",
        "/static//etc/passwd",
        "/static/app.py",
        "/static/.hidden.js",
        "/static/",
        "/static/..",
        "/static/main.js%00.css",
        "//etc/passwd",
        "/../../etc/passwd",
        "/api/picture?id=../..&name=x.png",
        "/api/picture?id=p/one&name=../../../secret.png",
        "/api/log?id=../../etc",
    ],
)
def test_no_path_leads_to_other_files(page, path):
    answer = page.ask(path)
    assert answer.status in (400, 404)
    assert b"import" not in answer.body and b"root:" not in answer.body


def test_only_whats_listed_is_static(page):
    for path in FOLDER.iterdir():
        assert (page.ask(f"/static/{path.name}").status == 200) == (path.suffix in (".html", ".js", ".css", ".svg"))


@given(st.text(max_size=30))
def test_any_host_header_is_judged(host):
    admitted = Admission(served_hosts("127.0.0.1")).is_served(host)
    assert admitted == (host_name(host) in ("127.0.0.1", "localhost", "::1"))


def test_loopback_is_this_machine_alone():
    assert all(map(is_loopback, ("127.0.0.1", "127.8.9.1", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.2", "example.org", "localhost.example.org")))


@pytest.mark.parametrize("token", ["a&b=c+d", "two words", 'qu"ote;'])
def test_a_token_of_any_signs_lets_in_by_its_address_and_cookie(serve, runs, token):
    page = serve(runs, token=token)
    welcome = page.ask(page.address.removeprefix(f"http://127.0.0.1:{page.port}"))
    assert welcome.status == 303
    assert page.ask("/", Cookie=welcome.headers["set-cookie"].partition("; ")[0]).status == 200
