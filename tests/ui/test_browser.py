"""The live page as somebody sees it: headless Chromium in front of a server of its own."""

import shutil
import subprocess
import sys
import time
from urllib.parse import quote

import pytest

from catalog.folders import QUICKSTART, MadeRun, make_ablation, make_comparison, make_run, make_sweep, make_time_to
from ui.browsing import NEEDS_BROWSER, Server, go_to, names, open_browser, open_page, open_runs, wait_until

pytestmark = NEEDS_BROWSER
LIVE_S = 2.0
SWEEP_S = 180.0  # for each stage of a sweep, on a machine with four times as much to do as it can


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Runs of two projects, with scores and seeds that differ, a sweep and a comparison."""
    root = tmp_path_factory.mktemp("runs")
    for number in range(3):
        lr = (number + 1) / 10
        optim = QUICKSTART.optim.model_copy(update={"lr": lr})
        run = MadeRun(root / "p" / f"alpha-{number}", experiment=QUICKSTART.model_copy(update={"optim": optim}))
        run.train(*range(1, 3 + number)).end(last=2 + number)
    make_run(root / "q" / "beta", status="diverged")
    make_sweep(root)
    make_comparison(root)
    return root


@pytest.fixture(scope="module")
def server(root):
    started = Server(root)
    yield started
    started.stop()


@pytest.fixture
def page(browser):
    with open_page(browser) as opened:
        yield opened


def drawn_names(page, chart="Loss"):
    """The runs in a chart, by what Plotly was given."""
    return page.evaluate(
        "title => [...document.querySelectorAll('.chart')].filter(one => one.innerText.startsWith(title))"
        ".flatMap(one => one.querySelector('.chart-body').data ?? []).map(trace => trace.name)",
        chart,
    )


def test_runs_are_listed_filtered_sorted_and_grouped(page, server):
    open_runs(page, server)
    assert page.inner_text(".count") == "14 runs"
    page.fill(".search", "alpha best_val_accuracy>=0.3")
    assert sorted(names(page)) == ["alpha-1", "alpha-2"]
    page.click("[data-column=best_val_accuracy]")
    assert names(page) == ["alpha-2", "alpha-1"]
    page.click("[data-column=best_val_accuracy]")
    assert names(page) == ["alpha-1", "alpha-2"]
    page.fill(".search", "")
    page.click(".chip[data-state=diverged]")
    assert names(page) == ["beta"]
    page.click(".chip[data-state='']")
    page.select_option(".grouping select", "project")
    heads = page.locator("tr.group")
    assert "project = quickstart" in heads.first.inner_text()
    assert "runs" in heads.first.inner_text() and "best " in heads.first.inner_text()
    before = len(names(page))
    heads.first.click()
    assert heads.first.get_attribute("aria-expanded") == "false" and len(names(page)) < before


def test_a_config_field_filters_and_becomes_a_column(page, server):
    open_runs(page, server)
    page.click("text=Columns")
    page.fill("dialog input[type=search]", "optim.lr")
    page.click("dialog label:visible:has-text('optim.lr')")
    page.click("dialog >> text=Done")
    page.fill(".search", "alpha lr>0.15")
    wait_until(page, "document.querySelector('.count').textContent.startsWith('2 of')")
    shown = page.locator("td.column-optim-lr").all_inner_texts()
    assert sorted(shown) == ["0.2", "0.3"]
    assert "column=optim.lr" in page.url, "the view can be linked"


def test_curves_of_ticked_runs_lie_over_one_another(page, server):
    open_runs(page, server, "#/runs?text=alpha&select=p%2Falpha-0")
    page.wait_for_selector(".chart .js-plotly-plot, .js-plotly-plot")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
    assert set(drawn_names(page)) == {"alpha-0"}
    page.check("tr[data-key='p/alpha-2'] input")
    wait_until(page, "document.querySelector('.legend h3').textContent === '2 runs'")
    page.wait_for_timeout(300)
    assert set(drawn_names(page)) == {"alpha-0", "alpha-2"}
    traces = len(drawn_names(page))
    page.locator(".slider input").fill("0.5")
    page.wait_for_timeout(300)
    assert len(drawn_names(page)) == 2 * traces, "the raw lines stay, faint"
    assert "alpha-2" in page.locator(".chart-body[aria-label^=Loss]").get_attribute("aria-label")


def test_an_epoch_shows_within_two_seconds_in_row_and_curve(page, tmp_path):
    run = MadeRun(tmp_path / "p" / "growing").train(1)
    server = Server(tmp_path)
    try:
        open_runs(page, server, "#/runs?select=p%2Fgrowing")
        wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
        took = []
        for epoch in (2, 3, 4):  # a machine that does other things may be late once
            run.train(epoch)
            started = time.monotonic()
            wait_until(page, f"document.querySelector('td.column-epoch').textContent.startsWith('{epoch} /')")
            drawn = f"one => one.data[0]?.x.length === {epoch}"
            wait_until(page, f"[...document.querySelectorAll('.js-plotly-plot')].some({drawn})")
            took.append(time.monotonic() - started)
            if took[-1] < LIVE_S:
                break
        assert min(took) < LIVE_S
    finally:
        server.stop()


def test_a_deleted_run_leaves_with_a_note_and_a_restart_is_got_over(page, tmp_path):
    make_run(tmp_path / "p" / "stays")
    make_run(tmp_path / "p" / "goes")
    server = Server(tmp_path)
    try:
        open_runs(page, server)
        shutil.rmtree(tmp_path / "p" / "goes")
        wait_until(page, "document.querySelector('#notes').textContent.includes('p/goes')")
        assert names(page) == ["stays"]
        server.stop()
        page.wait_for_selector("#connection[data-state=reconnecting]")
        assert names(page) == ["stays"], "what was known stays in view"
        make_run(tmp_path / "p" / "came-meanwhile")
        server.start()
        page.wait_for_selector("#connection[data-state=live]")
        wait_until(page, "document.querySelector('.count').textContent === '2 runs'")
    finally:
        server.stop()


def test_markup_in_a_name_is_shown_and_not_obeyed(page, tmp_path):
    evil = "<img src=x onerror=window.hurt=1>"
    run = make_run(tmp_path / evil)
    run.folder.path.joinpath("config.yaml").write_text(f"name: '{evil}'\nproject: '<b>bold</b>'\n", encoding="utf-8")
    server = Server(tmp_path)
    try:
        open_runs(page, server)
        assert names(page) == [evil]
        wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
        page.hover(".js-plotly-plot")
        page.locator("td.column-name a").click()
        page.wait_for_selector("h1 >> text=onerror")
        for tab in ("config", "evaluation", "pictures", "log"):
            page.click(f"[data-tab={tab}]")
            page.wait_for_timeout(100)
        assert page.evaluate("window.hurt") is None and page.locator("img[src=x]").count() == 0
    finally:
        server.stop()


def test_a_run_is_reached_with_the_keyboard_alone(page, server):
    open_runs(page, server, "#/runs?text=alpha&sort=name&select=p%2Falpha-0")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(40):
        if page.evaluate("document.activeElement.matches('table.data')"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("tr.active td.column-name").inner_text() == "alpha-1"
    page.keyboard.press(" ")
    assert page.locator("tr.active").get_attribute("aria-selected") == "true"
    page.keyboard.press("Enter")
    page.wait_for_selector("h1 >> text=alpha-1")
    assert "id=p%2Falpha-1" in page.url
    assert page.evaluate("document.activeElement.tagName") == "H1"


def test_the_sweep_shows_settings_devices_and_queue(page, server):
    open_runs(page, server)
    go_to(page, "Sweeps")
    page.click("td.column-name a")
    page.wait_for_selector("h2 >> text=Best settings")
    assert "4 of 4" in page.inner_text(".facts")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length === 2")
    label = page.locator(".chart-body[aria-label^='Device timeline']").get_attribute("aria-label")
    assert "cpu: 4 runs" in label
    assert page.locator("text=Pause").count() == 0, "read-only unless control is allowed"


def test_a_queue_is_changed_after_asking_where_control_is_allowed(page, tmp_path):
    folder, _, jobs = make_sweep(tmp_path, ended=2)
    server = Server(tmp_path, "--allow-control")
    wishes = folder.path / "dispatch" / "control.jsonl"
    try:
        open_runs(page, server, "#/sweeps")
        page.click("td.column-name a")
        page.click("text=Pause")
        page.click("dialog >> text=Back")
        assert not wishes.exists()
        page.click("text=Pause")
        page.click("dialog button.primary")
        wait_until(page, "document.querySelector('#notes').textContent !== ''")
        assert '"pause"' in wishes.read_text()
        page.locator(f"tr:has-text('{jobs[3].id}')").locator("text=Priority").click()
        page.fill("dialog input", "7")
        page.click("dialog button.primary")
        wait_until(page, "document.querySelectorAll('#notes p').length === 2")
        assert jobs[3].id in wishes.read_text().splitlines()[-1] and "7" in wishes.read_text().splitlines()[-1]
    finally:
        server.stop()


def test_the_comparison_shows_designs_trials_and_verdict(page, server):
    open_runs(page, server)
    go_to(page, "Comparisons")
    page.click("td.column-name a")
    page.wait_for_selector(".verdict p")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length === 1")
    assert "<b>short</b>" in page.inner_text(".plain"), "as text"
    trials = page.evaluate("document.querySelector('.js-plotly-plot').data.map(trace => trace.x.length)")
    assert trials == [3, 1, 3, 1], "every trial and the mean of each design"


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """A server of an ablation and a time to an accuracy."""
    root = tmp_path_factory.mktemp("answers")
    make_ablation(root)
    make_time_to(root)
    started = Server(root)
    yield started
    started.stop()


def open_answer(page, server, name):
    page.goto(f"{server.address}#/comparisons")
    page.click(f"td.column-name a >> text={name}")
    page.wait_for_selector(".verdict p")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length === 1")


def cells(page, label):
    rows = page.locator(f"table[aria-label='{label}'] tbody tr")
    return [rows.nth(at).locator("td").all_inner_texts() for at in range(rows.count())]


def test_an_ablation_shows_its_effects(page, answers):
    open_answer(page, answers, "demo-")
    assert cells(page, "Effects") == [
        ["crop", "+0.50", "+0.25 to +0.75", "0.01", "−1.0", "−2.0 to +0.0", "0.01"],
        ["<i>ema</i>", "+0.00", "−0.50 to +0.50", "1", "+22.1", "+10.5 to +35.0", "1"],
        ["crop x <i>ema</i> interaction", "−0.50", "−1.00 to +0.00", "no spread", "+0.0", "+0.0 to +0.0", "no spread"],
    ]
    drawn = page.evaluate("document.querySelector('.js-plotly-plot').data.map(trace => trace.x.length)")
    assert drawn == [3, 3], "accuracy and time"
    assert page.inner_text(".chart figcaption") == "Effect of each change"
    assert page.locator("table[aria-label='Designs'] td >> text=3").count() > 0


def test_times_to_an_accuracy_show_every_trial(page, answers):
    open_answer(page, answers, "time-to-")
    assert [row[:4] for row in cells(page, "Trials")] == [
        ["A base", "0", "reached", "10.00 s"],
        ["A base", "1", "reached", "12.00 s"],
        ["B <b>fast</b>", "0", "missed", "4.00 s"],
    ]
    assert cells(page, "Designs")[0] == ["A base", "2 of 2", "11.00 s", "10.00 s to 12.00 s", "3"]
    drawn = page.evaluate("document.querySelector('.js-plotly-plot').data.map(trace => trace.x.length)")
    assert drawn == [2, 1, 1], "a point a trial, and the mean of those that reached the target"
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_a_run_shows_config_and_what_differs(page, server):
    open_runs(page, server, "#/runs?text=alpha")
    page.goto(f"{server.address}#/run?id={quote('p/alpha-0', safe='')}&tab=config")
    page.wait_for_selector("pre.code")
    assert "lr: 0.1" in page.inner_text("pre.code")
    page.select_option("select[aria-label='Another run']", "p/alpha-2")
    page.wait_for_selector("td >> text=optim.lr")
    assert page.locator("tr:has-text('optim.lr') td").all_inner_texts() == ["optim.lr", "0.1", "0.3"]
    page.goto(f"{server.address}#/run?id=p%2Fnobody")
    page.wait_for_selector("text=This run cannot be shown")


@pytest.mark.parametrize("width", [390, 1280])
def test_no_view_is_wider_than_the_page(page, server, root, width):
    page.set_viewport_size({"width": width, "height": 800})
    sweep = quote(next(root.rglob("sweep.yaml")).parent.relative_to(root).as_posix(), safe="")
    comparison = quote(next(root.rglob("comparison.json")).parent.relative_to(root).as_posix(), safe="")
    views = ["runs", "sweeps", f"sweep?id={sweep}", f"comparison?id={comparison}", "run?id=p%2Falpha-0&tab=config"]
    page.goto(server.address)
    for view in views:
        page.goto(f"{server.address}#/{view}")
        page.wait_for_selector("h1")
        page.wait_for_timeout(400)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, view
    assert page.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('.tabs'))"), "all parts"


@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_jumps_while_the_page_comes_up(page, server, width):
    page.set_viewport_size({"width": width, "height": 860})
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(one => (shift += one.value)))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    open_runs(page, server)
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
    assert page.evaluate("shift") < 0.1, "what web.dev calls good"


def test_the_theme_is_kept(page, server):
    open_runs(page, server)
    assert page.evaluate("document.documentElement.dataset.theme") == "light"
    page.click("#theme")
    page.reload()
    page.wait_for_selector("tr[data-key]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 18, 23)"


def test_an_empty_folder_says_what_to_do(page, tmp_path):
    server = Server(tmp_path)
    try:
        page.goto(server.address)
        page.wait_for_selector("text=No runs yet")
        assert "windtunnel train quickstart" in page.inner_text("main")
        make_run(tmp_path / "p" / "first")
        page.wait_for_selector("td.column-name a >> text=first")
    finally:
        server.stop()


@pytest.mark.slow
@pytest.mark.timeout(4 * SWEEP_S)
def test_a_real_sweep_appears_runs_and_finishes_on_the_open_page(page, tmp_path):
    server = Server(tmp_path)
    words = ["sweep", "quickstart_sweep", "space.optim.lr=[0.03,0.1]", "repeats=1", "train.epochs=2"]
    command = [sys.executable, "-m", "windtunnel.cli.main", *words, "--runs-dir", str(tmp_path), "--parallel", "2"]
    try:
        page.goto(f"{server.address}#/sweeps")
        page.wait_for_selector("text=No sweeps yet")
        sweep = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            page.click("td.column-name a >> text=quickstart_sweep", timeout=1000 * SWEEP_S)
            page.wait_for_selector(".status[data-status=running]", timeout=1000 * SWEEP_S)
            wait_until(page, "document.querySelector('.facts')?.innerText.includes('2 of 2')", within_s=SWEEP_S)
        finally:
            assert sweep.wait(SWEEP_S) == 0
        wait_until(page, "document.querySelectorAll('.plain .status[data-status=finished]').length === 2")
        page.click("text=Runs and curves")
        page.wait_for_selector("h1 >> text=Runs")
        wait_until(page, "document.querySelectorAll('tr[data-key]').length === 2")
        cells = page.locator("td.column-epoch").all_inner_texts()
        assert cells == ["2 / 2", "2 / 2"]
        wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
        assert len(set(drawn_names(page, "Accuracy"))) == 2
    finally:
        server.stop()


def test_a_sweep_that_nothing_worked_on_yet_is_shown_without_timeline(page, tmp_path):
    folder, _, _ = make_sweep(tmp_path, ended=0)
    shutil.rmtree(folder.dispatch)
    server = Server(tmp_path)
    try:
        open_runs(page, server, "#/sweeps")
        page.click("td.column-name a")
        page.wait_for_selector("h2 >> text=Best settings")
        assert not page.locator(".chart-body[aria-label^='Device timeline']").is_visible()
    finally:
        server.stop()
