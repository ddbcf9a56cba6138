"""What holds of every protocol, by name; a new file is tested here without a word."""

import subprocess
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path

import numpy as np
import pytest

from nearkin.errors import UnknownName
from nearkin.evaluation.protocol import GroundTruth, Protocol, options_of
from nearkin.evaluation.protocols import PROTOCOLS, protocol_names, protocols_in_order, protocols_table
from nearkin.evaluation.settings import EvaluationSettings, option_names
from nearkin.tasks.evaluate import EvaluateSettings

DOCS = Path(__file__).parents[3] / "docs" / "evaluation.md"


@pytest.mark.parametrize("name", PROTOCOLS.names)
def test_a_protocol_declares_what_it_needs(name):
    protocol = PROTOCOLS[name]
    assert isinstance(protocol, Protocol)
    assert protocol.summary[0].islower()
    assert is_dataclass(protocol.options)
    assert protocol.why_not_unasked(GroundTruth(), protocol.options()) is not None
    assert protocol.read(protocol.options()) == protocol.options()
    assert list(protocol.pictures(protocol.options())) == []
    for one in options_of(protocol):
        assert one.metadata["help"].endswith(".")


def test_the_docs_have_the_table_of_the_registry():
    assert protocols_table() in DOCS.read_text(encoding="utf-8"), (
        "docs/evaluation.md is not up to date; its table should be the output of\n"
        'python -c "from nearkin.evaluation.protocols import protocols_table; print(protocols_table())"'
    )


def test_reports_have_one_order():
    positions = [protocol.order for protocol in protocols_in_order().values()]
    assert len(set(positions)) == len(positions)
    assert set(protocols_in_order()) == set(protocol_names())


def test_names_of_options_are_unique():
    names = [*option_names(), *(one.name for one in fields(EvaluateSettings))]
    assert len(set(names)) == len(names)


def test_names_cost_no_import():
    code = (
        "import sys; from nearkin.registry import module_names; names = module_names('nearkin.evaluation.protocols');"
        "print(names, 'numpy' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "few-shot" in ran.stdout
    assert ran.stdout.endswith("False\n")


def test_settings_of_keyword_arguments():
    settings = EvaluateSettings.of(protocols=["few-shot"], ways=3, within="group", seed=4)
    assert (settings.options["few_shot"].ways, settings.options["few_shot"].within) == (3, "group")
    assert settings.seed == 4
    with pytest.raises(UnknownName, match=r"unknown setting 'protocl': did you mean protocols"):
        EvaluateSettings.of(protocl=["retrieval"])
    with pytest.raises(UnknownName, match="unknown protocol 'few-shots': did you mean few-shot"):
        EvaluationSettings(["few-shots"])
    assert EvaluationSettings(["cross-modal", "retrieval"]).protocols == ("cross_modal", "retrieval")


def test_groups_of_a_column():
    truth = GroundTruth(column={"g": ["b", None, "a", "b", ""]}.__getitem__)
    np.testing.assert_array_equal(truth.groups("g")[[0, 3]], truth.groups("g")[[0, 0]])
    assert (truth.groups("g") == -1).tolist() == [False, True, False, False, True]
