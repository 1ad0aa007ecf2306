"""Folders of runs, sweeps and comparisons that somebody else made, or that are damaged: shown as far as it goes.

The campaign: WINDTUNNEL_FUZZ_EXAMPLES=2000 python -m pytest tests/ui/test_damaged_folders.py --timeout=7200
"""

import json
import os
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from catalog.folders import make_comparison, make_run, make_sweep
from fuzz.damage import damaged
from windtunnel.catalog.catalog import Catalog
from windtunnel.errors import WindtunnelError
from windtunnel.publish.find import find_subject
from windtunnel.publish.write import build_document, write_document

pytest.importorskip("starlette", reason="the live page is the extra ui")

EXAMPLES = int(os.environ.get("WINDTUNNEL_FUZZ_EXAMPLES", "16"))
CAMPAIGN = settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
    derandomize=EXAMPLES < 1000,
)
ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        0.5,
        1e308,
        float("nan"),
        10**30,
        "",
        "x",
        "<b>",
        "\ud800",
        [],
        [1],
        [[]],
        {},
        {"a": 1},
        [None],
        "9" * 5000,
    ]
)
METRICS = {
    "split": "test",
    "metrics": {
        "accuracy": 0.5,
        "per_class": [{"name": "a", "images": 2, "precision": 0.5, "recall": None, "f1": None}],
    },
    "bins": [{"low": 0.0, "high": 0.5, "images": 3, "confidence": 0.2, "accuracy": 0.1}],
    "confusion": [[1, 2], [3, 4]],
}


def query(**values):
    from starlette.requests import Request

    text = urlencode(values, doseq=True).encode()
    return Request({"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": text})


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "runs"
    made = make_run(root / "p/one")
    (made.path / "evaluation-test").mkdir()
    (made.path / "evaluation-test/metrics.json").write_text(json.dumps(METRICS))
    (made.path / "overrides.txt").write_text("optim.lr=0.1\n")
    make_sweep(root, ended=1)
    make_comparison(root, pairs=2)
    return root


@pytest.fixture(scope="module")
def files(root):
    """Every file with words in it, by the path."""
    return {path: path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file() and path.stat().st_size > 2}


def replaced(tree, path, value):
    """Return ``tree`` with another value somewhere, walking down by fractions."""
    if not path or not isinstance(tree, dict | list) or not tree:
        return value
    keys = list(tree) if isinstance(tree, dict) else list(range(len(tree)))
    key = keys[int(path[0] * (len(keys) - 1))]
    changed = dict(tree) if isinstance(tree, dict) else list(tree)
    changed[key] = replaced(tree[key], path[1:], value)
    return changed


def changed_json(draw, content):
    lines = content.splitlines() if content.count(b"}\n{") else [content]
    number = draw(st.integers(0, len(lines) - 1))
    path = draw(st.lists(st.floats(0, 1), max_size=5))
    lines[number] = json.dumps(replaced(json.loads(lines[number]), path, draw(ODD))).encode()
    return b"\n".join(lines) + b"\n"


def look_everywhere(root):
    """Ask for everything the page asks for; what is refused in words is fine."""
    from windtunnel.ui.hub import Hub
    from windtunnel.ui.routes import Api

    api = Api(Hub(Catalog(root)), root)
    runs = [run["id"] for run in json.loads(api.runs(query()).body)["runs"]]
    asked = [(api.fields, {}), (api.values, {"field": ["seed", "optim.lr"]}), (api.sweep, {"id": "p/rates"})]
    asked += [(api.timeline, {"id": "p/rates"}), (api.comparison, {"id": comparison_of(root)})]
    asked += [(call, {"id": id}) for id in runs for call in (api.run, api.curves, api.log)]
    asked += [(api.difference, {"id": runs[0], "to": runs[-1]})] if runs else []
    for call, values in asked:
        try:
            json.loads(call(query(**values)).body)
        except (WindtunnelError, OSError):
            event(f"refused by {call.__name__}")


def comparison_of(root):
    return f"comparisons/{next((root / 'comparisons').iterdir()).name}"


@CAMPAIGN
@given(data=st.data())
def test_the_page_shows_damaged_folders(root, files, data):
    path = data.draw(st.sampled_from(list(files)))
    whole = files[path]
    is_json = path.suffix in (".json", ".jsonl") and data.draw(st.booleans())
    path.write_bytes(changed_json(data.draw, whole) if is_json else data.draw(damaged([whole])))
    try:
        look_everywhere(root)
    finally:
        path.write_bytes(whole)


@settings(CAMPAIGN, max_examples=EXAMPLES // 8)
@given(data=st.data())
def test_reports_of_damaged_folders_are_written_or_refused(root, files, data):
    folder = root / data.draw(st.sampled_from(["p/one", "p/rates", comparison_of(root)]))
    path = data.draw(st.sampled_from([path for path in files if path.is_relative_to(folder)]))
    whole = files[path]
    is_json = path.suffix in (".json", ".jsonl") and data.draw(st.booleans())
    path.write_bytes(changed_json(data.draw, whole) if is_json else data.draw(damaged([whole])))
    try:
        write_document(build_document(find_subject(str(folder), root)), root.parent / "page.html")
    except (WindtunnelError, OSError):
        event("refused")
    finally:
        path.write_bytes(whole)
