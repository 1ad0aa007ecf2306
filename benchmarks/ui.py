"""The live page with 10, 200 and 2,000 runs of 200 epochs each: how soon it shows something, how soon it follows.

Server side, for each number of runs, over a folder in the page cache:

``first look``   a new catalog reads the folder: rows of all runs, journals of all sweeps
``look again``   nothing has changed; bytes read from files
``one epoch``    a run has written one more epoch; bytes read from files
``event``        from the row in the run's file to the event at a page, over HTTP; the server looks once a second

Browser side, headless Chromium on a server of its own, each time a new profile:

``first paint``  the browser's own figure: from asking for the address to the first text on the screen
``table``        the same until the rows are on the screen
``update``       from the row in the run's file to the number in the table

Medians over the repeats; of ``event`` and ``update`` the largest too.

    python benchmarks/ui.py [--runs 10 200 2000] [--epochs 200] [--repeats 5] [--out FILE.json]
"""

import argparse
import http.client
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path

from _made_runs import append_epoch, make_runs
from windtunnel.catalog.catalog import Catalog
from windtunnel.training.folder import RunFolder

LIVE = 3
Figures = dict[str, list[float]]


def measure_catalog(folder: Path, live: Path, repeats: int) -> Figures:
    """Return what looking costs without a server."""
    figures: Figures = {
        "first look s": [],
        "look again ms": [],
        "look again B": [],
        "one epoch ms": [],
        "one epoch B": [],
    }
    for _ in range(repeats):
        catalog = Catalog(folder)
        figures["first look s"].append(look(catalog)[0])
        time.sleep(2.1)  # a folder written a moment ago is listed once more
        look(catalog)
        for name in ("look again", "one epoch"):
            if name == "one epoch":
                append_epoch(live, next_epoch(live))
            seconds, read = look(catalog)
            figures[f"{name} ms"].append(1000 * seconds)
            figures[f"{name} B"].append(read)
    return figures


def look(catalog: Catalog) -> tuple[float, int]:
    """Let the catalog look and return the seconds and the bytes that took."""
    before, begun = catalog.meter.bytes_read, time.perf_counter()
    catalog.refresh()
    return time.perf_counter() - begun, catalog.meter.bytes_read - before


def next_epoch(live: Path) -> int:
    """Return the number of the epoch that the run has not written yet."""
    return len((live / "metrics.csv").read_text().splitlines())


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Serve the folder in a process of its own and yield the page's address."""
    command = [sys.executable, "-m", "windtunnel.cli.main", "ui", str(folder), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().split()[-1]
        finally:
            server.terminate()


def measure_events(address: str, live: Path, repeats: int) -> Figures:
    """Return the seconds from an epoch to its event."""
    seconds, draws = [], random.Random(0)
    with closing(http.client.HTTPConnection(address.split("/")[2], timeout=60)) as connection:
        connection.request("GET", "/api/events")
        stream = connection.getresponse()
        wait_for(stream, "event: hello")
        for _ in range(repeats):
            time.sleep(1.5 + draws.random())
            epoch, begun = next_epoch(live), time.perf_counter()
            append_epoch(live, epoch)
            wait_for(stream, f'{live.name}","project"', f'"epoch":{epoch},')
            seconds.append(time.perf_counter() - begun)
    return {"event s": seconds}


def wait_for(stream: http.client.HTTPResponse, *words: str) -> None:
    """Read the stream up to a line that has all these words."""
    while not all(word.encode() in line for line in [stream.readline()] for word in words):
        pass


def measure_browser(address: str, live: Path, repeats: int) -> Figures:
    """Return what a browser shows when; nothing where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None or find_spec("playwright") is None:
        print(f"no browser figures: {'no Chromium on the PATH' if chromium is None else 'playwright is missing'}")
        return {}
    from playwright.sync_api import sync_playwright

    figures: Figures = {"first paint s": [], "table s": [], "update s": []}
    draws = random.Random(1)
    with sync_playwright() as playwright:
        for _ in range(repeats):
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            page = browser.new_page(viewport={"width": 1280, "height": 860})
            page.goto(address, wait_until="commit")
            page.wait_for_selector("tr[data-key]")
            figures["table s"].append(page.evaluate("performance.now()") / 1000)
            paint = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            figures["first paint s"].append(page.evaluate(paint) / 1000)
            page.wait_for_selector("#connection:has-text('live')")
            time.sleep(1.5 + draws.random())
            page.evaluate("new Promise(done => requestIdleCallback(done))")  # the curves are drawn
            epoch = next_epoch(live)
            begun = time.perf_counter()
            append_epoch(live, epoch)
            page.wait_for_selector(f'tr[data-key$="{live.name}"] .column-epoch:text-matches("^{epoch}\\\\b")')
            figures["update s"].append(time.perf_counter() - begun)
            browser.close()
    return figures


def measure(count: int, options: argparse.Namespace) -> Figures:
    """Make the folder and return all figures."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text) / "runs"
        live = make_runs(folder, count, epochs=options.epochs, live=LIVE)[-1]
        figures = measure_catalog(folder, live, options.repeats)
        with RunFolder(live).hold(), serving(folder) as address:
            figures |= measure_events(address, live, options.repeats)
            figures |= measure_browser(address, live, options.repeats)
    return figures


def show(name: str, values: list[float]) -> str:
    """Return the figures of a cell as text."""
    if not values:
        return ""
    median = statistics.median(values)
    if name.endswith(" B"):
        return f"{median:,.0f} B"
    if name.endswith(" ms"):
        return f"{median:.1f} ms"
    largest = f" (at most {max(values):.2f})" if name in ("event s", "update s") else ""
    return f"{median:.2f} s{largest}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, nargs="+", default=[10, 200, 2000])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write every measurement as JSON")
    options = parser.parse_args()
    found = {count: measure(count, options) for count in options.runs}
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    print(f"\n{options.epochs} epochs a run, n={options.repeats}\n")
    print("| | " + " | ".join(f"{count:,} runs" for count in found) + " |\n|---|" + "---|" * len(found))
    for name in names:
        cells = [show(name, figures.get(name, [])) for figures in found.values()]
        print(f"| {name.rpartition(' ')[0]} | {' | '.join(cells)} |")
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
