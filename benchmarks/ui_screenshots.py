"""Pictures of the live page for the documentation, from runs that this script trains (quickstart scale) or a folder.

python benchmarks/ui_screenshots.py                 # trains: some minutes on two cores
python benchmarks/ui_screenshots.py RUNS_DIR        # draws what lies there
"""

import argparse
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import Browser, Page, sync_playwright

OUT = Path(__file__).parent.parent / "docs" / "images" / "ui"
WINDTUNNEL = (sys.executable, "-m", "windtunnel.cli.main")
WIDE = {"width": 1280, "height": 860}
NARROW = {"width": 390, "height": 844}
MOST_BYTES = 200_000
# parts of a view that get a picture of their own: file, selector, and a text in it
PARTS = {
    "runs": [("curves", "section.curves", "")],
    "sweep": [("timeline", ".stack > .card", "Device timeline")],
}
SWEEP = ("quickstart_sweep", "space.optim.momentum=[0.5,0.9]", "repeats=2", "train.epochs=6")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=Path, help="runs folder; default: train some")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        root = options.runs or Path(made) / "runs"
        root.mkdir(exist_ok=True)
        with serving(root) as address:
            if options.runs is None:
                train_runs(root)
                with sweeping(root):
                    photograph_sweep_at_work(browser, address, root, options.out)
            photograph(browser, address, root, options.out)
        browser.close()


def train_runs(root: Path) -> None:
    """Train single runs, evaluate one of them, and compare two designs."""
    for lr, epochs in ((0.05, 12), (0.2, 12), (0.1, 20)):
        call("train", "quickstart", f"optim.lr={lr}", f"train.epochs={epochs}", "--runs-dir", str(root))
    call("eval", "last", "--runs-dir", str(root))
    half = root.parent / "half.yaml"
    half.write_text("base: quickstart\nname: half\ntrain: {epochs: 10}\n", encoding="utf-8")
    call("compare", "quickstart", str(half), "--trials", "8", "--name", "half-as-long", "--runs-dir", str(root))


@contextmanager
def sweeping(root: Path) -> Iterator[None]:
    """A sweep at work inside the block; the block's end waits for it."""
    sweep = subprocess.Popen([*WINDTUNNEL, "sweep", *SWEEP, "--runs-dir", str(root), "--quiet"])
    try:
        yield
    finally:
        sweep.wait()


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The live page of a folder; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*WINDTUNNEL, "ui", str(root), "--port", str(port), "--no-open", "--allow-control"])
    address = f"http://127.0.0.1:{port}/"
    try:
        wait_for(lambda: answers(address))
        yield address
    finally:
        server.terminate()
        server.wait()


def photograph_sweep_at_work(browser: Browser, address: str, root: Path, out: Path) -> None:
    """The sweep's view when a good part of its runs has ended."""
    wait_for(lambda: len(list(root.glob("*/quickstart_sweep/runs/*/summary.json"))) >= 9)
    page = open_page(browser, "light", WIDE)
    visit(page, address + sweep_address(root), charts=2)
    page.wait_for_timeout(2500)
    save(page, out / "timeline-live.png", ".stack > .card", which="Device timeline")
    page.close()


def photograph(browser: Browser, address: str, root: Path, out: Path) -> None:
    """Every view, light or dark, wide or narrow."""
    run = quote(next(root.rglob("evaluation-*/metrics.json")).parent.parent.relative_to(root).as_posix(), safe="")
    comparison = quote(next(root.rglob("comparison.json")).parent.relative_to(root).as_posix(), safe="")
    sweep = sweep_address(root)
    views = [
        ("runs", "light", WIDE, "", 4),
        ("runs-dark", "dark", WIDE, "#/runs?sort=-best_val_accuracy&group=optim.lr", 4),
        ("runs-narrow", "light", NARROW, "", 4),
        ("sweep", "light", WIDE, sweep, 2),
        ("sweep-narrow", "dark", NARROW, sweep, 2),
        ("comparison", "light", WIDE, f"#/comparison?id={comparison}", 1),
        ("run", "dark", WIDE, f"#/run?id={run}", 4),
        ("run-config", "light", WIDE, f"#/run?id={run}&tab=config", 0),
        ("run-evaluation", "light", WIDE, f"#/run?id={run}&tab=evaluation", 1),
    ]
    for name, scheme, size, view, charts in views:
        page = open_page(browser, scheme, size)
        visit(page, address + view, charts)
        save(page, out / f"{name}.png")
        for file, selector, which in PARTS.get(name, ()):
            save(page, out / f"{file}.png", selector, which=which)
        page.close()


def open_page(browser: Browser, scheme: str, size: dict[str, int]) -> Page:
    return browser.new_context(viewport=size, color_scheme=scheme).new_page()


def visit(page: Page, address: str, charts: int) -> None:
    page.goto(address)
    wait_for(lambda: page.evaluate("document.querySelectorAll('.js-plotly-plot').length") >= charts)
    page.wait_for_timeout(1200)


def save(page: Page, path: Path, selector: str = "", which: str = "") -> None:
    if selector:
        page.locator(selector, has_text=which).first.screenshot(path=path)
    else:
        page.screenshot(path=path)
    size = path.stat().st_size
    if size > MOST_BYTES:
        raise SystemExit(f"{path}: {size} bytes, more than {MOST_BYTES}")
    print(f"{path} {size / 1000:.0f} kB")


def sweep_address(root: Path) -> str:
    return f"#/sweep?id={quote(next(root.rglob('sweep.yaml')).parent.relative_to(root).as_posix(), safe='')}"


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address + "api/about", timeout=5):
            return True
    except OSError:
        return False


def wait_for(test, limit_s: float = 600) -> None:
    end = time.monotonic() + limit_s
    while not test():
        if time.monotonic() > end:
            raise SystemExit("waited too long")
        time.sleep(0.2)


def call(*words: str) -> None:
    subprocess.run([*WINDTUNNEL, *words], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
