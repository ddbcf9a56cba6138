"""Do the tests of the losses see a wrong sign? Each mutant is one fault put into a copy of the source; all must die.

    python benchmarks/mutants_losses.py [--only triplet]

Runs the tests of the mutated file against each mutant, in a fork that shares the imported packages, and prints a
Markdown table. Exits with 1 if a mutant survives, or if the sources have moved on and a fault no longer applies.
"""

import argparse
import importlib
import io
import multiprocessing
import shutil
import sys
import tempfile
import time
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOSSES = Path("src/nearkin/losses")

# file -> tests that must see its faults, and its faults: what stands there, what stands there instead
FAULTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
    "triplet.py": (
        ("test_triplet.py",),
        (
            ("(distances.gather(1, positives) + margin)", "(distances.gather(1, positives) - margin)"),
            ("(distances.gather(1, positives) + margin)", "(distances.sqrt().gather(1, positives) + margin)"),
            ("slope = by_negative.neg_()", "slope = by_negative"),
            ("scatter_add_(1, positives, by_positive)", "scatter_add_(1, positives, -by_positive)"),
            (".sum(dtype=dtype) + margin * violating", ".sum(dtype=dtype) - margin * violating"),
            ("            exists &= positives != order[rows, None]", "            pass"),
            ("if batch.within:", "if not batch.within:"),
            ("distances.scatter(1, positives, torch.inf)", "distances.clone()"),
            ("(first + count - 1)", "(first + count)"),
            ("nonzero=violating", "nonzero=violating + 1"),
            ("(same - int(batch.within))", "same"),
            ("(len(batch.ref_labels) - same)", "(len(batch.ref_labels) - 1)"),
            ("torch.lt(negatives, hurdles", "torch.le(negatives, hurdles"),
            ("torch.lt(negatives, hurdles", "torch.gt(negatives, hurdles"),
            ("for column in range(hurdles.shape[1])", "for column in range(1, hurdles.shape[1])"),
            ("negatives, right=True)", "negatives, right=False)"),
            ("(hurdles.shape[1] - reached)", "(hurdles.shape[1] - 1 - reached)"),
            ("reaching[:, :-1].cumsum(1)", "reaching[:, 1:].cumsum(1)"),
            ("scatter_(1, ascending.indices, reaching", "copy_(reaching"),
            ("labels, right=True) - first", "labels, right=True) - first - 1"),
            ("anchor_labels = batch.labels[order]", "anchor_labels = batch.labels"),
            ("slot < count[:, None]", "slot <= count[:, None]"),
        ),
    ),
    "contrastive.py": (
        ("test_contrastive.py",),
        (
            ("gap.flatten())) / 2", "gap.flatten()))"),
            ("pulled = squared.mul_(same)", "pulled = distances * same"),
            ("pulled = squared.mul_(same)", "pulled = squared.mul_(~same)"),
            ("gap.flatten().dot(gap.flatten())", "gap.sum()"),
            ("pulled.sum() + gap", "pulled.sum() - gap"),
            ("(margin - distances).clamp_(min=0)", "(margin - distances)"),
            ("(margin - distances)", "(margin + distances)"),
            (".clamp_(min=0).masked_fill_(same, 0)", ".clamp_(min=0)"),
            ("distances.masked_fill_(distances == 0, torch.inf)", "distances"),
            (".mul_(-0.5)", ".mul_(0.5)"),
            ("masked_fill_(same, 0.5)", "masked_fill_(same, 1.0)"),
            ("pulled.count_nonzero() + gap.count_nonzero()", "gap.count_nonzero()"),
            ("gap.triu_(1), slope", "gap, slope"),
            ("slope.triu_(1)", "slope"),
            ("pulled.triu_(1), gap", "pulled, gap"),
            ("count * (count - 1) / 2", "count * count / 2"),
            ("count * (count - 1) / 2 if batch.within else count * len(references)", "count * (count - 1) / 2"),
        ),
    ),
    "distances.py": (
        ("test_triplet.py", "test_contrastive.py"),
        (
            ("-2 * x, x_squared", "-x, x_squared"),
            ("-2 * x, x_squared", "2 * x, x_squared"),
            ("rounding = (16", "rounding = 0 * (16"),
            ("torch.threshold_(distances, rounding, 0.0)", "distances.sqrt_()"),
            ("yield rows, columns", "yield slice(0, rows.stop - start), columns"),
            ("centre = references.mean(0, dtype=dtype)", "centre = 0.5 * references.sum(0, dtype=dtype)"),
            (
                "slope.sum(1, keepdim=True) * x_[rows], slope @ y_[columns]",
                "slope @ y_[columns], slope.sum(1, keepdim=True) * x_[rows]",
            ),
            ("by_y[columns].addmm_(slope.T, x_[rows], alpha=-1)", "by_y[columns].addmm_(slope.T, x_[rows])"),
            ("y_weight[columns] += slope.sum(0)[:, None]", "y_weight[columns] = slope.sum(0)[:, None]"),
            ("slice(start if symmetric else 0, len(y))", "slice(0, len(y))"),
            ("by_y.addcmul_(y_weight, y_)", "by_y.addcmul_(y_weight, y_, value=-1)"),
            ("gradient.mul_(2)", "gradient"),
            ("gradient * by_total.to(gradient.dtype)", "gradient"),
            ("nonzero += block_nonzero", "nonzero = block_nonzero"),
            ("total += block_total", "total = block_total"),
            ("with full_precision(anchors.device):", "if True:"),
        ),
    ),
    "batch.py": (
        ("test_triplet.py", "test_contrastive.py", "test_softmax.py", "test_info_nce.py"),
        (
            ('if reduction == "mean_nonzero" else count', 'if reduction == "mean_all" else count'),
            (".clamp(min=1)).to(dtype)", ").to(dtype)"),
            (".clamp(min=1)).to(dtype)", ".clamp(min=2)).to(dtype)"),
            ("isfinite(embeddings.detach()).all(1)", "isfinite(embeddings.detach()).any(1)"),
            ("labels.max() < classes", "labels.max() <= classes"),
            ("not 0 < value", "not 0 <= value"),
            ("else embeddings.float()", "else embeddings"),
            ("enabled=False", "enabled=True"),
        ),
    ),
    "softmax.py": (
        ("test_softmax.py",),
        (
            ("F.cross_entropy(logits", "F.cross_entropy(-logits"),
            ("max(1, len(labels))", "max(2, len(labels))"),
            ("max(1, len(labels))", "1"),
            ("None if bias is None else bias.to(dtype)", "None"),
            ("torch.randn(classes, dim, ", "10 * torch.randn(classes, dim, "),
        ),
    ),
    # Losses with class weights.
    "closed_form.py": (
        ("test_normalised_softmax.py",),
        (
            ("gradient * by_value", "gradient"),
            ("with full_precision(inputs[0].device):", "if True:"),
            ("if torch.is_grad_enabled():", "if False:"),
        ),
    ),
    "unit_rows.py": (
        ("test_normalised_softmax.py", "test_proxy_anchor.py"),
        (
            ("along, unit, value=-1)", "along, unit)"),
            (".mul_(inverse)", ""),
            ("inverse.masked_fill_(inverse == torch.inf, 0)", "pass"),
            ("start + height, rows", "start + height - 1, rows"),
            ("range(0, rows, height)", "range(0, min(rows, height), height)"),
        ),
    ),
    "margin_softmax.py": (
        ("test_normalised_softmax.py", "test_arcface.py", "test_sphereface.py"),
        (
            ("total / count, (", "total, ("),
            ("eta, None) / count", "eta, None)"),
            ("x_inverse / count", "x_inverse"),
            ("w_inverse / count", "w_inverse"),
            ("by.target * target) / scale", "by.target) / scale"),
            ("(torch.linalg.vecdot(x, by.x) + by", "(by"),
            ("by.target * slope / sine", "by.target * slope"),
            ("by.target * slope / sine", "-by.target * slope / sine"),
            ("by.x.sub_(push * (own - cosine * x))", "by.x.sub_(push * own * (cosine < 0.99999))"),
            ("-push * tangent", "push * tangent"),
            ("[:, None]).argmax(1)", "[:, None]).argmin(1)"),
            ("labels * w.shape[1] + nearest", "labels * w.shape[1]"),
            (", math.pi / 2)", ", 0)"),
            ("sine.masked_fill(sine < 16", "sine.masked_fill(sine < 0"),
            ("logits.sub_(logits.amax(1, keepdim=True))", "logits"),
            ("logits.scatter_(1, own, s * target[rows, None])", "pass"),
            ("* share - s)[:, 0]", "* share)[:, 0]"),
            ("exponentials.scatter_(1, own, 0)", "pass"),
            (".mul_(share)", ""),
            ("x[rows] * share", "x[rows]"),
            ("cosines.view(len(x), *w.shape[:2]).max(2)", "cosines.view(len(x), *w.shape[:2]).min(2)"),
            ("return s * values, slope", "return values, slope"),
        ),
    ),
    "normalised_softmax.py": (
        ("test_normalised_softmax.py",),
        (
            ('check_positive(scale, "scale")', "float(scale)"),
            ('check_positive(scale, "scale")', '1 / check_positive(scale, "scale")'),
            ("self.scale = scale", "self.scale = 20.0"),
        ),
    ),
    "cosface.py": (
        ("test_cosface.py",),
        (
            ("angle.cos() - margin", "angle.cos() + margin"),
            ("angle.cos() - margin", "angle.cos() * margin"),
            ('"margin", 0, 2)', '"margin", 0, 3)'),
            ("margin=self.margin)", "margin=0.35)"),
        ),
    ),
    "arcface.py": (
        ("test_arcface.py",),
        (
            ("(angle + margin).cos()", "(angle - margin).cos()"),
            ("cosine - margin * math.sin(margin)", "cosine + margin * math.sin(margin)"),
            ("cosine - margin * math.sin(margin)", "moved"),
            ("angle + margin < math.pi", "angle < math.pi"),
            ("angle < math.pi / 2, moved, cosine", "angle < math.pi / 2, cosine, moved"),
            ("per_class=sub_centers", "per_class=1"),
        ),
    ),
    "sphereface.py": (
        ("test_sphereface.py",),
        (
            (" - 2 * k\n", " + 2 * k\n"),
            ("(1 - 2 * (k % 2))", "1"),
            (".clamp(max=margin - 1)", ".clamp(max=margin - 2)"),
            ("annealing * angle.cos() + steep", "annealing * angle.cos() - steep"),
            ("/ (1 + annealing)", ""),
            ('check_positive(scale, "scale") * lengths', 'check_positive(scale, "scale")'),
            ("self.lambda_max / (1 + self.gamma * share)", "self.lambda_max / (1 + self.gamma)"),
            ("max(self.lambda_min", "min(self.lambda_min"),
        ),
    ),
    "sphereface_r.py": (
        ("test_sphereface_r.py",),
        (
            ("values = (angles / margin)", "values = (angles * margin)"),
            ("None if detach else", "None if not detach else"),
            (".div_(margin * angles.sin_())", ".div_(angles.sin_())"),
            ("cosines.clamp(-end, end).acos_()", "cosines.acos()"),
        ),
    ),
    "proxy_nca.py": (
        ("test_proxy_nca.py",),
        (
            ("scale=2 / check", "scale=1 / check"),
            ("2 / check_positive(temperature", "2 * check_positive(temperature"),
            ("temperature=self.temperature", "temperature=1 / 9"),
        ),
    ),
    "proxy_anchor.py": (
        ("test_proxy_anchor.py",),
        (
            ("alpha * margin)", "-alpha * margin)"),
            ("scores[labels[own] - rows.start, own] = -torch.inf", "pass"),
            ("labels < rows.stop", "labels < rows.stop - 1"),
            (".clamp_(min=0)", ""),
            ("keepdim=True) + (-top).exp()", "keepdim=True) + 1"),
            ("alpha / len(p) / sums", "alpha / sums"),
            ("return total / len(p)", "return total"),
            ("alpha * (margin - ", "alpha * (margin + "),
            ("scores.new_zeros(len(classes))", "scores.new_ones(len(classes))"),
            ("(-alpha / max(1", "(alpha / max(1"),
            ("sums.log()).sum() / max(1, len(classes))", "sums.log()).mean()"),
        ),
    ),
    "center.py": (
        ("test_center.py",),
        (
            ("/ (2 * max(1, len(labels)))", "/ max(1, len(labels))"),
            ("(1 + counts[:, None])", "counts[:, None]"),
            ("embeddings - now[labels]", "now[labels] - embeddings"),
            ("if self.training:", "if True:"),
            ("alpha * apart", "apart"),
            (".square().sum() / (2", ".square().sum().sqrt() / (2"),
        ),
    ),
    "class_weights.py": (
        ("test_class_weights.py",),
        (
            ("order[own] = 2", "order[own] = 0.5"),
            ("max(len(own), math.ceil(sample_rate * classes))", "math.ceil(sample_rate * classes)"),
            (".sort().values", ""),
            ("+ int(self.steps)", ""),
            ("self.steps += 1", "pass"),
            ("gradient.square().mean(-1)", "gradient.square().sum(-1)"),
            ("+= gradient", "= gradient"),
            ("self.weight[rows] -= rate", "self.weight[rows] += rate"),
            ("learning_rate * self.learning_rate_multiple", "learning_rate"),
            ("or not self.training", ""),
        ),
    ),
    "weighted_sum.py": (
        ("test_protocol.py", "test_loss_registry.py"),
        (
            ("total + weight * loss(", "total + loss("),
            ("any(takes_references", "all(takes_references"),
            ("ref_embeddings is not None and takes", "ref_embeddings is None and takes"),
        ),
    ),
    "info_nce.py": (
        ("test_info_nce.py",),
        (
            ("texts.T.to(images.dtype) / temperature", "texts.T.to(images.dtype) * temperature"),
            ("F.cross_entropy(scores.T, own", "F.cross_entropy(scores, own"),
            ("(2 * max(1, len(scores)))", "max(1, len(scores))"),
            (".fill_diagonal_(False)", ""),
            ("(ids[:, None] == ids)", "(ids[:, None] != ids)"),
            ("-torch.inf)", "0)"),
            ("self.log_scale.clamp_(max=", "self.log_scale.clamp(max="),
            ("torch.exp(-self.log_scale)", "torch.exp(self.log_scale)"),
            ("torch.tensor(-math.log(temperature))", "torch.tensor(math.log(temperature))"),
        ),
    ),
}


def fails(folder: Path, tests: tuple[str, ...]) -> bool:
    """Whether any test fails against the source in the folder; run in a fork, since imports cannot be undone."""
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_exit_as_pytest, args=(folder, tests))
    process.start()
    process.join()
    assert process.exitcode in (0, 1), f"pytest ended with {process.exitcode}"
    return process.exitcode == 1


def _exit_as_pytest(folder: Path, tests: tuple[str, ...]) -> None:
    import pytest

    sys.path[:0] = [str(folder / "src"), str(folder)]
    paths = [str(folder / "tests/losses" / test) for test in tests]
    options = ["-x", "-q", "-p", "no:cacheprovider", "-o", "addopts=", "--rootdir", str(folder)]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        code = pytest.main([*options, *paths])
    import nearkin

    assert Path(nearkin.__file__).is_relative_to(folder), "the tests ran against another source"
    sys.exit(int(code))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="mutate only files whose name starts so")
    only = parser.parse_args().only or ""
    for package in ("torch._dynamo", "pytorch_metric_learning.losses"):
        importlib.import_module(package)
    started, survivors = time.monotonic(), []
    print("| file | mutants | killed |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for part in ("src", "tests"):
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        faults_of = {file: faults for file, faults in FAULTS.items() if file.startswith(only)}
        every_test = tuple(sorted({test for tests, _ in faults_of.values() for test in tests}))
        assert not fails(folder, every_test), "the tests fail without any mutant"
        for file, (tests, faults) in faults_of.items():
            path = folder / LOSSES / file
            source = path.read_text(encoding="utf-8")
            alive = []
            for there, instead in faults:
                assert there in source, f"{file}: '{there}' is no longer there: write the fault anew"
                path.write_text(source.replace(there, instead, 1), encoding="utf-8")
                if not fails(folder, tests):
                    alive.append(f"{file}: '{instead}' for '{there}'")
            path.write_text(source, encoding="utf-8")
            survivors += alive
            print(f"| `{file}` | {len(faults)} | {len(faults) - len(alive)} |", flush=True)
    print(f"\n{time.monotonic() - started:.0f} s", *survivors, sep="\nSurvived: " if survivors else "")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
