"""The commands parse, call, and say what is wrong."""

import json

import pytest
import typer
from typer.testing import CliRunner

from fastpgs.cli import compare, crossval, data, export, model_summary, train

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
