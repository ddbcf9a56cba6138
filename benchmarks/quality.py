"""Recall@1 on classes not trained on, against raw pixels and chance: Omniglot and emoji.

    python benchmarks/quality.py --data DIR [--minutes 10] [--only omniglot_triplet]

DIR holds the unpacked sets `omniglot_background/` and `emoji_ru_en/`. Each run is a run folder under --out, with its
settings; the table goes to standard output, the chart to --chart.
"""

import argparse
import csv
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import nearkin
from nearkin.cli.commands.train import epoch_line
from nearkin.data.items import Items, Picture
from nearkin.evaluation.report import Report
from nearkin.tasks.emoji import base_emoji

VENDORS = ("google", "twitter", "fluent3d")
OMNIGLOT = {
    "backbone": "conv4",
    "size": 48,
    "batch_size": 256,
    "per_class": 8,
    "augmentation": "drawing",
    "label": "path",
    "split_by": "group",
}
EMOJI = {
    "backbone": "resnet18",
    "size": 48,
    "batch_size": 128,
    "per_class": 3,
    "augmentation": "icon",
    "split_by": "base",
}
RUNS = {
    "omniglot_triplet": {**OMNIGLOT, "loss": "triplet"},
    "omniglot_contrastive": {**OMNIGLOT, "loss": "contrastive"},
    "emoji_triplet": {**EMOJI, "loss": "triplet"},
}


def source_of(name: str, data: Path) -> Path | Items:
    """Omniglot is a tree; an emoji is a class of up to three pictures, one by each vendor."""
    if name.startswith("omniglot"):
        return data / "omniglot_background" / "images_background"
    root = data / "emoji_ru_en"
    pictures, labels, bases = [], [], []
    with (root / "captions.tsv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            base = base_emoji("".join(chr(int(code, 16)) for code in row["id"].split("-")))
            for vendor in VENDORS:
                path = root / vendor / f"{row['id']}.png"
                if path.exists():
                    pictures.append(Picture(str(path)))
                    labels.append(row["id"])
                    bases.append(base)
    return Items.build(pictures, labels=labels, metadata={"base": bases}, source=str(root))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/quality"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--only", choices=RUNS, action="append")
    parser.add_argument("--chart", type=Path)
    arguments = parser.parse_args()
    reports = {}
    for name in arguments.only or RUNS:
        folder = arguments.out / name
        if not (folder / "report.json").exists():
            print(f"{name}: {arguments.minutes:g} minutes", flush=True)
            nearkin.train(
                source_of(name, arguments.data),
                out=folder,
                minutes=arguments.minutes,
                on_epoch=lambda summary: print(epoch_line(summary), flush=True),
                **RUNS[name],
            )
        reports[name] = Report.read(folder / "report.json")
    print("\n| run | unseen classes | pictures | recall@1 | raw pixels | chance |\n|---|---|---|---|---|---|")
    for name, report in reports.items():
        ours = report.figures["retrieval"]["recall@1"]
        others = [report.baselines[baseline]["retrieval"]["recall@1"] for baseline in ("raw pixels", "chance")]
        print(
            f"| {name} | {report.counts['classes']} | {report.counts['pictures']} "
            f"| {100 * ours.value:.1f} [{100 * ours.low:.1f}, {100 * ours.high:.1f}] "
            f"| {' | '.join(f'{100 * figure.value:.1f}' for figure in others)} |"
        )
    if arguments.chart:
        draw(reports, arguments.chart)


def draw(reports: dict[str, Report], path: Path) -> None:
    """Bars of recall@1 with intervals, beside raw pixels."""
    figure = Figure(figsize=(7, 2.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for position, report in enumerate(reports.values()):
        for shift, colour, label, retrieval in (
            (-0.2, "#2563eb", "nearkin", report.figures["retrieval"]),
            (0.2, "#9ca3af", "raw pixels", report.baselines["raw pixels"]["retrieval"]),
        ):
            found = retrieval["recall@1"]
            value = 100 * found.value
            span = [[value - 100 * found.low], [100 * found.high - value]]
            axes.barh(
                position + shift, value, 0.36, color=colour, xerr=span, label=None if position else label, capsize=3
            )
            axes.text(100 * found.high + 1.5, position + shift, f"{value:.1f}", va="center", fontsize=9)
    axes.set(yticks=range(len(reports)), yticklabels=[name.replace("_", ", ") for name in reports], xlim=(0, 104))
    axes.set_xlabel("recall@1 (%) on classes not trained on, 95 % intervals")
    axes.invert_yaxis()
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
