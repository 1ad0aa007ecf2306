"""A page that stays open: while runs come and go, the server goes away, and somebody is in the middle of something."""

import shutil

import pytest

from catalog.folders import QUICKSTART, MadeRun, make_run, make_sweep, report
from ui.browsing import NEEDS_BROWSER, Server, go_to, names, open_browser, open_page, open_runs, wait_until
from windtunnel.core.files import write_json

pytestmark = NEEDS_BROWSER
LOADED = "performance.getEntriesByType('resource')"


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser):
    with open_page(browser) as opened:
        yield opened


@pytest.fixture
def served(tmp_path):
    """A server of an empty folder."""
    server = Server(tmp_path, "--allow-control")
    yield server
    server.stop()


def end_run(folder, journal, job, accuracy):
    metrics = {"val_accuracy": accuracy}
    told = {"summary": {"metrics": metrics}, "attempts": 1, "peak_bytes": 10**8}
    journal.append("ended", job=job.id, status="finished", reason="", **told)


def test_fields_of_runs_that_came_later_filter_and_group(page, served, tmp_path):
    page.goto(served.address)
    page.wait_for_selector("text=No runs yet")
    for lr in (0.1, 0.3):
        optim = QUICKSTART.optim.model_copy(update={"lr": lr})
        make_run(tmp_path / f"p/lr-{lr}", experiment=QUICKSTART.model_copy(update={"optim": optim}))
    wait_until(page, "document.querySelector('.count').textContent === '2 runs'")
    page.fill(".search", "lr>0.2")
    wait_until(page, "document.querySelector('.count').textContent.startsWith('1 of')")
    assert names(page) == ["lr-0.3"]
    offered = page.locator(".grouping option").all_inner_texts()
    assert "optim.lr" in offered and offered.count("seed") == 1


def test_a_run_that_comes_back_is_shown_again(page, served, tmp_path):
    make_run(tmp_path / "p/moved")
    page.goto(f"{served.address}#/run?id=p%2Fmoved")
    page.wait_for_selector(".facts >> text=best val accuracy")
    shutil.move(tmp_path / "p/moved", tmp_path.parent / "elsewhere")
    page.wait_for_selector("text=This run cannot be shown")
    shutil.move(tmp_path.parent / "elsewhere", tmp_path / "p/moved")
    page.wait_for_selector(".facts >> text=best val accuracy")
    assert not page.locator("text=This run cannot be shown").is_visible()


def test_an_evaluation_made_while_the_run_is_shown_appears(page, served, tmp_path):
    run = make_run(tmp_path / "p/one")
    page.goto(f"{served.address}#/run?id=p%2Fone&tab=evaluation")
    page.wait_for_selector("text=Not evaluated yet")
    (run.path / "evaluation-validation").mkdir()
    write_json(run.path / "evaluation-validation/metrics.json", {"metrics": {"accuracy": 0.5}})
    page.wait_for_selector("h2 >> text=Evaluation: validation")


def test_the_address_of_nothing_in_particular_says_so(page, served):
    for view in ("run", "sweep", "comparison"):
        page.goto(f"{served.address}#/{view}")
        page.wait_for_selector("text=There is no such view")
        page.goto(f"{served.address}#/runs")
        page.wait_for_selector("h1 >> text=Runs")


def test_views_open_while_the_server_is_away(page, served, tmp_path):
    make_run(tmp_path / "p/one")
    open_runs(page, served)
    wait_until(page, f"{LOADED}.some(one => one.name.endsWith('/view_lists.js') && one.responseEnd)")
    page.wait_for_timeout(200)
    served.stop()
    page.wait_for_selector("#connection[data-state=reconnecting]")
    go_to(page, "Sweeps")
    served.start()


def test_a_view_that_did_not_load_comes_with_the_server(page, served, tmp_path):
    make_run(tmp_path / "p/one")
    page.route("**/static/view_lists.js", lambda route: route.abort())
    open_runs(page, served)
    page.click(".nav >> text=Sweeps")
    page.wait_for_selector("text=This view did not load")
    page.unroute("**/static/view_lists.js")
    served.stop()
    served.start()
    page.wait_for_selector("h1 >> text=Sweeps")


def test_what_changes_while_all_rows_are_loaded_is_not_lost(page, served, tmp_path):
    run = MadeRun(tmp_path / "p/growing").train(1)
    open_runs(page, served, "#/runs?select=p%2Fgrowing")
    late = []

    def answer_late(route):
        answer = route.fetch()
        if not late:
            late.append(run.train(2))
            page.wait_for_timeout(2500)
        route.fulfill(response=answer)

    page.route("**/api/runs", answer_late)
    served.stop()
    page.wait_for_selector("#connection[data-state=reconnecting]")
    served.start()
    page.wait_for_selector("#connection[data-state=live]")
    wait_until(page, "document.querySelector('td.column-epoch').textContent.startsWith('2 /')", within_s=6)


def test_focus_stays_while_a_live_sweep_is_drawn_anew(page, served, tmp_path):
    folder, journal, jobs = make_sweep(tmp_path, ended=2)
    page.goto(f"{served.address}#/sweep?id=p%2Frates")
    page.locator(f"tr:has-text('{jobs[3].id}')").locator("text=Priority").focus()
    end_run(folder, journal, jobs[2], 0.3)
    page.wait_for_selector(".facts >> text=3 of 4")
    assert page.evaluate("document.activeElement.closest('tr')?.innerText").count(jobs[3].id) == 1
    assert page.evaluate("document.activeElement.textContent") == "Priority"


def test_a_sweep_that_nobody_finishes_does_not_look_finished(page, served, tmp_path):
    folder, journal, jobs = make_sweep(tmp_path, ended=3)
    open_runs(page, served, "#/sweeps")
    assert page.inner_text("td.column-status").split() == ["■", "idle"]
    page.click("td.column-name a")
    page.wait_for_selector("text=nobody works on it")
    end_run(folder, journal, jobs[3], 0.3)
    page.wait_for_selector(".heading .status[data-status=finished]")
    assert not page.locator("text=nobody works on it").is_visible()


def test_what_cannot_be_read_is_told(page, served, tmp_path):
    folder, _, _ = make_sweep(tmp_path)
    open_runs(page, served)
    assert not page.locator("#problems").is_visible()
    with (folder.dispatch / "journal.jsonl").open("a") as journal:
        journal.write('{"event": <b>half\n')
    page.click("#problems summary")
    assert "journal.jsonl is damaged" in page.inner_text("#problems li")


def test_the_digits_that_tell_two_runs_apart_are_shown(page, served, tmp_path):
    for name, seed, lr in (("one", 123456788, 0.300001), ("two", 123456789, 0.300002)):
        optim = QUICKSTART.optim.model_copy(update={"lr": lr})
        make_run(tmp_path / "p" / name, experiment=QUICKSTART.model_copy(update={"seed": seed, "optim": optim}))
    open_runs(page, served, "#/runs?column=name&column=seed&sort=name")
    assert page.locator("td.column-seed").all_inner_texts() == ["123456788", "123456789"]
    page.goto(f"{served.address}#/run?id=p%2Fone&tab=config&to=p%2Ftwo")
    page.wait_for_selector("td >> text=optim.lr")
    assert page.locator("tr:has-text('optim.lr') td").all_inner_texts() == ["optim.lr", "0.300001", "0.300002"]


def test_no_setting_at_all_has_a_place_of_its_own_among_numbers(page, served, tmp_path):
    make_sweep(tmp_path, space={"train.clip_norm": [None, 1.0, 5.0]}, ended=3)
    page.goto(f"{served.address}#/sweep?id=p%2Frates")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length === 2")
    wait_until(page, "document.querySelector('.js-plotly-plot').data.length === 3")
    places = page.evaluate("document.querySelector('.js-plotly-plot').data.map(trace => trace.y[0])")
    assert places == [0, 0.5, 1]


def test_theme_and_copying_work_without_storage_and_clipboard(page, served):
    """As where cookies are refused, and where another machine's page comes without https."""
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('off'); } })")
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.goto(served.address)
    page.wait_for_selector("#connection[data-state=live]")
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert page.inner_text("#theme") == "☀"
    page.click(".command button")
    wait_until(page, "document.querySelector('.command button').textContent === 'Copied'")


def test_curves_that_began_anew_behind_the_page_are_read_again(page, served, tmp_path):
    """The page holds rows 1 and 2; while it cannot look, the run goes on from its beginning and gets further."""
    run = MadeRun(tmp_path / "p/again").train(1, 2)
    open_runs(page, served, "#/runs?select=p%2Fagain")
    drawn = "[...document.querySelectorAll('.js-plotly-plot')].find(one => one.data[0]?.name === 'again')?.data[0].y"
    wait_until(page, f"{drawn}?.length === 2")
    served.stop()
    page.wait_for_selector("#connection[data-state=reconnecting]")
    run.tracker.start(run.info)
    run.tracker.epoch(report(1, accuracy=0.7))
    run.train(2, 3)
    served.start()
    wait_until(page, f"{drawn}?.length === 3")
    assert page.evaluate(drawn)[0] == 70


def test_all_listed_first_are_ticked_and_let_go_by_one_box(page, served, tmp_path):
    for number in range(30):
        make_run(tmp_path / f"p/run-{number:02d}")
    open_runs(page, served, "#/runs?sort=name&select=p%2Frun-29")
    page.check("thead input[type=checkbox]")
    page.wait_for_selector("text=2 were left out")
    wait_until(page, "document.querySelector('.legend h3').textContent === '28 runs'")
    assert page.is_checked("thead input[type=checkbox]")
    page.uncheck("thead input[type=checkbox]")
    wait_until(page, "document.querySelector('.curves .empty').checkVisibility()")


def test_charts_come_once_their_library_can_be_fetched(page, served, tmp_path):
    make_run(tmp_path / "p/one")
    page.route("**/plotly.min.js", lambda route: route.abort())
    open_runs(page, served)
    page.wait_for_selector("text=The chart library did not load")
    page.unroute("**/plotly.min.js")
    make_run(tmp_path / "p/two")
    page.check("tr[data-key='p/two'] input")
    wait_until(page, "document.querySelectorAll('.js-plotly-plot').length >= 4")
    assert not page.locator("text=The chart library did not load").is_visible()


def test_the_first_run_of_an_empty_folder_is_drawn_by_itself(page, served, tmp_path):
    page.goto(served.address)
    page.wait_for_selector("text=No runs yet")
    make_run(tmp_path / "p/first")
    wait_until(page, "document.querySelector('.legend h3')?.textContent === '1 run'")


def test_curves_that_are_newer_than_their_row_are_kept(page, served, tmp_path):
    """A row is told once a second, curves are read when they are asked for."""
    make_run(tmp_path / "p/one")
    open_runs(page, served)
    found = page.evaluate("""async () => {
        const { Curves } = await import("/static/curves.js");
        const curves = new Curves();
        await curves.fetch(["p/one"]);
        const asked = curves.stale([{ id: "p/one", epoch: 2 }]).map((row) => row.id);
        return [asked, curves.of("p/one").epoch];
    }""")
    assert found == [["p/one"], [1, 2, 3, 4]]
