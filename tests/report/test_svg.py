from matplotlib.figure import Figure

from report.pages import Page
from windtunnel.report.svg import draw_svg


def _figure(text="<b>&"):
    figure = Figure(figsize=(4, 3))
    axes = figure.subplots()
    axes.plot([0, 1], [0.123456789, 1], marker="o", color="#0072B2", label=text)
    axes.imshow([[0, 1], [1, 0]])
    axes.legend()
    return figure


def test_two_figures_alike_share_no_id_and_their_references_stay_their_own():
    texts = [draw_svg(_figure(), key, label="a", follows_theme=True) for key in ("f1", "f2")]
    pages = [Page(str(text)) for text in texts]
    assert pages[0].ids
    assert not set(pages[0].ids) & set(pages[1].ids)
    for page in pages:
        inner = [link for link in [*page.links, *page.references] if not link.startswith("data:")]
        assert {link.removeprefix("#") for link in inner} == set(page.ids)


def test_nothing_leaks_into_the_page_or_out_of_it():
    text = draw_svg(_figure(), "f1", label='"><script>', follows_theme=True)
    assert "<style" not in text
    assert "http" not in text
    assert "<script" not in text
    assert "<b>" not in text
    assert "<b>&" in Page(str(text)).text


def test_house_colours_follow_the_page_and_others_stay():
    assert "var(--series-0, #0072B2)" in draw_svg(_figure(), "f1", label="a", follows_theme=True)
    fixed = draw_svg(_figure(), "f1", label="a", follows_theme=False)
    assert "var(--series-0" not in fixed
    assert "#0072b2" in fixed


def test_numbers_in_texts_are_left_alone():
    assert ">0.123456789<" in draw_svg(_figure("0.123456789"), "f1", label="a", follows_theme=True)
