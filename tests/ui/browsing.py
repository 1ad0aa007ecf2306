"""Headless Chromium in front of a server of its own."""

import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from importlib.util import find_spec

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
MISSING = [name for name in ("playwright", "starlette", "uvicorn", "plotly") if find_spec(name) is None]
NEEDS_BROWSER = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH: apt-get install chromium"),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}; see the extras [ui] and [dev]"),
]
PATIENCE_S = 20.0  # for a browser on a machine that does other things too


class Server:
    """``windtunnel ui`` in a process of its own, on a port that stays its own when it starts again."""

    def __init__(self, root, *options):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.command = [
            sys.executable,
            "-m",
            "windtunnel.cli.main",
            "ui",
            str(root),
            "--port",
            str(self.port),
            "--no-open",
        ]
        self.command += options
        self.address = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(self.address + "api/about", timeout=5):
                    return
            except OSError:
                assert self.process.poll() is None, "the server ended"
                time.sleep(0.05)
        raise TimeoutError("the server did not answer")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)


@contextmanager
def open_browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@contextmanager
def open_page(browser):
    """Yield a page that fails its test when a script fails or the content policy stops one."""
    context = browser.new_context(viewport={"width": 1280, "height": 860})
    opened = context.new_page()
    opened.set_default_timeout(1000 * PATIENCE_S)
    problems = []
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on("console", lambda line: problems.append(line.text) if "Content Security Policy" in line.text else None)
    yield opened
    context.close()
    assert not problems


def open_runs(page, server, state=""):
    page.goto(server.address + state)
    page.wait_for_selector("tr[data-key]")
    page.wait_for_selector("#connection[data-state=live]")
    return page


def go_to(page, tab):
    """Change the view, and wait for it: until its script is loaded, the view before can still be clicked."""
    page.click(f".nav >> text={tab}")
    page.wait_for_selector(f"h1 >> text={tab}")


def names(page):
    return page.locator("td.column-name:visible a").all_inner_texts()


def wait_until(page, test, *, within_s=PATIENCE_S):
    """Ask until an expression holds; playwright's own waiting evaluates text in the page, which its policy bans."""
    end = time.monotonic() + within_s
    while not page.evaluate(test):
        assert time.monotonic() < end, test
        page.wait_for_timeout(25)
