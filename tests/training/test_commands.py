"""The commands parse, call, and say what is wrong."""

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from fastpgs.cli import compare, crossval, data, export, model_summary, train
from fastpgs.cli._console import print_json
from fastpgs.synth import write_cnmc_tree

MODULES = {
    "train": train,
    "crossval": crossval,
    "compare": compare,
    "data": data,
    "export": export,
    "model-summary": model_summary,
}


@pytest.fixture(scope="module")
def app():
    app = typer.Typer()
    for module in MODULES.values():
        module.register(app)
    return app


def run(app, *arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.mark.parametrize("name", list(MODULES))
def test_help(app, name):
    result = run(app, name, "--help")
    assert result.exit_code == 0
    assert "--" in result.output


def test_model_summary_prints_table_2(app):
    result = run(app, "model-summary", "unet_plr_table2")
    assert result.exit_code == 0
    for text in (
        "(None, 234, 234, 1)",
        "110,656",
        "258,689 + 320 PLR slopes = 259,009",
        "(14) 254 / 2 = 127",
    ):
        assert text in result.output
    values = json.loads(run(app, "model-summary", "unet_plr_table2", "--json").output)
    assert (values["parameters"], values["slopes"], values["total"]) == (258_689, 320, 259_009)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model-summary", "resnet"), "unknown network"),
        (("model-summary", "unet_plr", "--size", "30"), "divisible by 8"),
        (("train", "nowhere", "--out", "x"), "no such file"),
        (("crossval", "nowhere", "--out", "x"), "no such file"),
        (("compare", "nowhere", "--out", "x"), "no such file"),
        (("data", "check", "nowhere"), "no such file"),
        (("export", "nowhere"), "no model"),
        (("export", "nowhere", "--to", "tflite"), "tflite"),
    ],
)
def test_wrong_usage_is_exit_code_2_with_the_reason(app, tmp_path, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    result = run(app, *arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())
    assert not list(tmp_path.glob("x/*"))


def test_cards_name_no_folders(monkeypatch):
    monkeypatch.setattr(
        "sys.argv",
        [
            "/usr/bin/fastpgs",
            "train",
            "/home/anna/patients",
            "--out",
            "/mnt/m/own",
            "--cache",
            "/tmp/c",
            "--size=32",
        ],
    )
    assert train._command() == "fastpgs train patients --out own --size=32"


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_cnmc_tree(
        tmp_path_factory.mktemp("cnmc"), patients_per_class=3, cells_per_patient=2, size=96, prelim=False
    ).root


@pytest.mark.parametrize("command", ["train", "crossval", "compare"])
def test_a_device_that_is_not_there_is_refused_before_anything_is_written(app, tree, tmp_path, command):
    result = run(app, command, tree, "--out", tmp_path / "out", "--device", "warp:7")
    assert result.exit_code == 2
    assert "device 'warp:7' cannot be used" in " ".join(result.output.replace("│", " ").split())
    assert not (tmp_path / "out").exists()


TINY = (
    "--size",
    "16",
    "--width",
    "4",
    "--epochs",
    "1",
    "--batch-size",
    "4",
    "--device",
    "cpu",
    "--threads",
    "1",
)


def test_json_and_quiet(app, tree, tmp_path):
    small = ("--network", "unet_plr", "--folds", "3", "--scale", "0.2", "--source", "image", *TINY)
    result = run(app, "crossval", tree, "--out", tmp_path / "cv", "--json", "--quiet", *small)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [len(told["folds"]), told["leaky"]] == [3, False]
    assert all(Path(name).exists() for name in told["files"])
    assert result.stderr == ""
    again = run(app, "crossval", tree, "--out", tmp_path / "cv", "--quiet", "--resume", *small)
    assert (again.exit_code, again.output) == (0, "")

    only = ("--only", "majority class", "--source", "image", "--folds", "3", *TINY)
    result = run(app, "compare", tree, "--out", tmp_path / "cmp", "--json", "--quiet", *only)
    assert result.exit_code == 0, result.output
    assert [row["name"] for row in json.loads(result.stdout)["rows"]] == ["majority class"]

    assert json.loads(run(app, "data", "check", tree, "--json").stdout)["images"] == 12
    checked = run(app, "data", "check", tree, "--quiet")
    assert (checked.exit_code, checked.output) == (0, "")


def test_json_has_no_word_for_nan(capsys):
    print_json({"a": float("nan"), "b": [np.float32(0.5), np.int64(2)], "c": None})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": [0.5, 2], "c": None}
