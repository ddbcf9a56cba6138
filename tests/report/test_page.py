import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from nearkin.evaluation import fit_calibration
from nearkin.evaluation.report import Report
from nearkin.intervals.figure import Figure
from nearkin.report.diagnostics import diagnose
from nearkin.report.page import PageContent, render_page, shown_rows
from nearkin.report.plots import Axis, Plot, reliability_plot
from tests.drawn_classes import draw_classes

NAMES = [f"person <{number}>" for number in range(16)]


@pytest.fixture(scope="module")
def people():
    return draw_classes(16, 3, noise=1.3)


@pytest.fixture(scope="module")
def diagnostics(people):
    vectors, ids = people
    return diagnose(vectors, ids, NAMES, raw=vectors[:, :4])


@pytest.fixture(scope="module")
def page(people, diagnostics):
    report = Report(
        "model on people",
        {
            "retrieval": {"recall@1": Figure(0.5, 0.4, 0.6, 48)},
            "cross_modal": {"median_rank": Figure(3.0, 2.0, 4.0, 9)},
        },
        {"chance": {"retrieval": {"recall@1": Figure(0.1, None, None, 48)}}},
        {"pictures": 48, "skipped": 0},
        notes=("A <note>.",),
    )
    rows = shown_rows(diagnostics)
    content = PageContent(
        facts={"model": "m-1", "command": "nearkin evaluate a b"},
        diagnostics=diagnostics,
        calibration=fit_calibration(*people, fingerprint="m-1"),
        thumbnails=dict.fromkeys(rows, "data:image/jpeg;base64,AA=="),
        captions={row: NAMES[people[1][row]] for row in range(48)},
        picture_names={row: f"/p/{row}.png" for row in rows},
    )
    return render_page(report, content)


class Balanced(HTMLParser):
    """Fails where a tag is closed that is not open."""

    def __init__(self):
        super().__init__()
        self.open, self.tags = [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"


def test_the_page_is_whole_and_needs_no_network(page):
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)
    sources = [attributes["src"] for tag, attributes in parser.tags if tag == "img"]
    assert len(sources) >= 24
    assert all(source.startswith("data:") for source in sources)


def test_what_the_page_shows(page):
    for shown in (
        "50.0 %", "40.0, 60.0", "chance 10.0 %", "A &lt;note&gt;.", "nearkin evaluate a b", "ROC", "Scores of same",
        "probability be believed", "thresholds hold here", "Nearest, but another class", "Different, but alike",
        "Same, but far apart", "person &lt;3&gt;", "t-SNE of 48 pictures", "prefers-color-scheme:dark",
    ):  # fmt: skip
        assert shown in page, shown
    assert "person <" not in page


def test_plots_in_the_page_are_xml(page):
    plots = re.findall(r"<svg.*?</svg>", page, flags=re.S)
    assert len(plots) == 4
    for plot in plots:
        ElementTree.fromstring(plot)


def test_a_page_without_labels():
    diagnostics = diagnose(np.eye(5), np.full(5, -1), [])
    assert (diagnostics.curve, diagnostics.classes, diagnostics.false_accepts) == (None, (), ())
    report = Report("texts", {"cross_modal": {"text_to_image/recall@1": Figure(1.0, 0.5, 1.0, 5)}})
    page = render_page(report, PageContent({"model": "m"}, diagnostics, captions=dict.fromkeys(range(5), "")))
    assert "Same or different" not in page
    assert "Nothing to note" in page


def test_constant_embeddings_have_a_page():
    diagnostics = diagnose(np.ones((20, 3)), np.repeat(np.arange(5), 4), list("abcde"))
    page = render_page(Report("c", {}), PageContent({"model": "m"}, diagnostics, captions=dict.fromkeys(range(20), "")))
    assert "Map of" not in page
    assert all(row.recall == 0 for row in diagnostics.classes)


def test_mistakes_are_the_worst_ones(people, diagnostics):
    vectors, ids = people
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    scores = unit @ unit.T
    different, same = ids[:, None] != ids, (ids[:, None] == ids) & ~np.eye(48, dtype=bool)
    assert diagnostics.false_accepts[0].score == pytest.approx(scores[different].max(), abs=1e-6)
    assert diagnostics.false_rejects[0].score == pytest.approx(scores[same].min(), abs=1e-6)
    for mistake in diagnostics.false_accepts:
        assert scores[mistake.row, mistake.other] == pytest.approx(mistake.score, abs=1e-6)
        assert ids[mistake.row] != ids[mistake.other]
    np.fill_diagonal(scores, -2)
    nearest = scores.argmax(axis=1)
    wrong = np.flatnonzero(ids[nearest] != ids)
    assert diagnostics.wrong_neighbours[0].score == pytest.approx(scores[wrong, nearest[wrong]].max(), abs=1e-6)
    shown = [row for mistake in diagnostics.false_accepts for row in (mistake.row, mistake.other)]
    assert len(set(shown)) == len(shown)
    by_name = {row.name: row for row in diagnostics.classes}
    for number, name in enumerate(NAMES):
        assert by_name[name].recall == pytest.approx(np.mean(ids[nearest[ids == number]] == number))
        assert by_name[name].times <= (ids[nearest[ids == number]] != number).sum()
    assert [row.recall for row in diagnostics.classes] == sorted(row.recall for row in diagnostics.classes)


def test_roles_are_kept():
    vectors, ids = draw_classes(6, 4)
    is_query = np.arange(24) % 4 == 0
    diagnostics = diagnose(vectors, ids, list("abcdef"), is_query=is_query, is_gallery=~is_query)
    assert all(row.queries == 1 for row in diagnostics.classes)
    assert all(is_query[m.row] and not is_query[m.other] for m in diagnostics.wrong_neighbours)


def test_axes():
    assert Axis("x", 0.0, 1.0).ticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert Axis("x", 1e-3, 1.0, log=True).ticks() == pytest.approx([1e-3, 1e-2, 1e-1, 1])
    assert Axis("x", 1e-3, 1.0, log=True).share([1e-4, 1e-3, 1.0]).tolist() == pytest.approx([0, 0, 1])
    assert Axis("x", 0.0, 1.0, percent=True).label(0.2) == "20 %"
    assert Axis("x", 2.0, 2.0).ticks() == [2]


def test_a_plot_alone_is_a_whole_file(people):
    probability = fit_calibration(*people, fingerprint="f").map
    svg = reliability_plot(probability).svg(alone=True)
    assert ElementTree.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "<style>" in svg
    assert svg.count("<circle") == len(probability.weight)
    assert "ece" not in reliability_plot(replace(probability, ece=0.5)).svg()
    assert (
        'points="58.0,292.0' in Plot(Axis("", 0.0, 1.0), Axis("", 0.0, 1.0), "t").curve([0.0, 1.0], [0.0, 1.0], 0).svg()
    )
