"""Faults for the losses with class weights and for sums of losses: what `mutants.py losses` puts in.

file -> the tests that must see its faults, and its faults: what stands there, what stands there instead.
"""

FAULTS: dict[str, tuple[tuple[str, ...], tuple[tuple[str, str], ...]]] = {
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
        ),
    ),
    "cosface.py": (
        ("test_cosface.py",),
        (
            ("angle.cos() - margin", "angle.cos() + margin"),
            ("angle.cos() - margin", "angle.cos() * margin"),
            ('"margin", 0, 2)', '"margin", 0, 3)'),
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
            ("(-top).exp().index_add_", "torch.ones_like(top).index_add_"),
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
    "class_weight_loss.py": (
        ("test_cosface.py", "test_arcface.py", "test_sphereface.py", "engine/test_class_weights.py"),
        (
            ("(defaults | options).items()", "defaults.items()"),
            ("(defaults | options).items()", "(options | defaults).items()"),
            ("per_class=per_class", "per_class=1"),
            ("sample_rate=sample_rate", "sample_rate=1.0"),
            ("generator=generator", "generator=None"),
            ("name: getattr(self, name) for", "name: type(self).formula.__kwdefaults__[name] for"),
            ("if name not in defaults", "if False"),
        ),
    ),
    "class_weights.py": (
        ("engine/test_class_weights.py",),
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
        ("engine/test_protocol.py", "engine/test_by_name.py"),
        (
            ("total + weight * loss(", "total + loss("),
            ("any(takes_references", "all(takes_references"),
            ("ref_embeddings is not None and takes", "ref_embeddings is None and takes"),
        ),
    ),
    "softmax.py": (
        ("test_softmax.py",),
        (
            ("F.cross_entropy(logits", "F.cross_entropy(-logits"),
            ("max(1, len(labels))", "max(2, len(labels))"),
            ("max(1, len(labels))", "1"),
            ("None if bias is None else bias.to(embeddings.dtype)", "None"),
            ("torch.randn(classes, dim, ", "10 * torch.randn(classes, dim, "),
        ),
    ),
}
