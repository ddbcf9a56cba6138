"""Each number is computed in one place: wherever a report is shown, equal names have equal numbers."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from nearkin.cli.output import print_report
from nearkin.evaluation import clustering, retrieval, verification_all_pairs
from nearkin.evaluation.report import Report
from nearkin.serialise import json_text
from nearkin.similarity.clustering.k_means import k_means
from nearkin.tasks.evaluate import evaluate
from tests.fakes import FakeEncoder


class TableRows(HTMLParser):
    """The texts of all cells of all tables, row by row; and of the large figures at the top."""

    def __init__(self):
        super().__init__()
        self.rows, self.tiles, self._into = [], [], None

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
            self._into = self.rows[-1]
        if dict(attributes).get("class") == "value":
            self.tiles.append("")
            self._into = self.tiles

    def handle_endtag(self, tag):
        if tag in ("td", "th", "div"):
            self._into = None

    def handle_data(self, data):
        if self._into is not None:
            self._into[-1] += data


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """A report, its page, and the vectors and labels behind it: ten classes of very different sizes."""
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(2)
    for name, colour in enumerate(generator.integers(60, 196, size=(10, 3))):
        (folder / f"class{name}").mkdir()
        for number in range(2 + 2 * name):
            pixels = np.clip(colour + generator.integers(-60, 60, size=(8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"class{name}" / f"{number:02}.png")
    encoder, page = FakeEncoder(), tmp_path_factory.mktemp("page") / "report.html"
    report = evaluate(encoder, folder, page=page)
    files = sorted(folder.rglob("*.png"))
    vectors = encoder.embed_pixels(np.stack([encoder.preprocessing.apply(Image.open(file)) for file in files]))
    labels = np.array([int(file.parent.name.removeprefix("class")) for file in files])
    rows = TableRows()
    rows.feed(page.read_text(encoding="utf-8"))
    return report, rows, vectors, labels


def test_page_terminal_json_and_card_show_the_same(shown, capsys):
    report, page, *_ = shown
    print_report(report)
    terminal = [re.split(r" {2,}", line.strip()) for line in capsys.readouterr().out.splitlines()]
    card, again = report.to_markdown().splitlines(), Report.from_dict(json.loads(json_text(report)))
    assert again.table() == report.table()
    numbers = [str(figure.n) for metrics in report.figures.values() for figure in metrics.values()]
    for (name, value, *baselines), n in zip(report.table(), numbers, strict=True):
        assert [name, value, *baselines] in terminal
        assert f"| {' | '.join([name, value, *baselines])} |" in card
        of_page = [row for row in page.rows if row[0] == name]
        assert [[*row[:2], *row[3:-1], row[-1].replace(",", "")] for row in of_page] == [[name, value, *baselines, n]]
    assert {value.split(" [")[0] for _, value, *_ in report.table()} >= set(page.tiles)
    assert len(page.tiles) >= 3


def test_functions_on_arrays_give_the_same(shown):
    report, _, vectors, labels = shown
    assert report.figures["retrieval"] == retrieval(vectors, labels)
    assert report.figures["verification"] == verification_all_pairs(vectors, labels)
    for metric, figure in clustering(k_means(vectors, 10), labels).items():
        assert report.figures["clustering"][f"k-means/{metric}"] == figure


def test_classes_mistakes_and_curve_agree_with_the_figures(shown):
    report, page, *_ = shown
    figures, found = report.figures, report.diagnostics
    queries = [row["queries"] for row in found["classes"]]
    for metric, column in (("recall@1", "recall"), ("map@r", "map_at_r")):
        mean = np.average([row[column] for row in found["classes"]], weights=queries)
        assert mean == pytest.approx(figures["retrieval"][metric].value)
    wrong = sum(round((1 - row["recall"]) * row["queries"]) for row in found["classes"])
    assert wrong == round((1 - figures["retrieval"]["recall@1"].value) * sum(queries)) > 0
    for row in found["classes"]:
        (of_page,) = [cells for cells in page.rows if cells[0] == row["name"]]
        assert of_page[2] == f"{100 * row['recall']:.0f} %"
    far, tar = np.array(found["curve"]["far"]), np.array(found["curve"]["tar"])
    assert tar[far <= 0.1].max() == pytest.approx(figures["verification"]["tar@far=1e-1"].value, abs=0.02)
    crossing = np.argmin(np.abs(far - (1 - tar)))
    assert (far[crossing] + 1 - tar[crossing]) / 2 == pytest.approx(figures["verification"]["eer"].value, abs=0.02)
