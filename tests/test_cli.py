"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import io
import json
import os
import runpy
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import tifffile
from PIL import Image

import fastpgs
from fastpgs.cli import COMMANDS, make_app, run
from fastpgs.io.lock import lock_file
from standin import StandIn, picture, save_pictures


@pytest.fixture(autouse=True)
def standin_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line gets its model by name; here every name gives the stand-in, and torch stays out."""
    module = ModuleType("fastpgs.inference.model")
    module.load_model = lambda *_, **__: StandIn()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    # What the commands change in the process goes back afterwards.
    monkeypatch.setattr("warnings.showwarning", None, raising=False)
    handler = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("signal.signal", lambda *_: handler)


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return save_pictures(Path("in"), 5)


def python(*code: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", *code], capture_output=True, text=True, timeout=120, **options
    )


# --- the application --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command", [name.replace("_", "-") for name in COMMANDS if name != "data"] + ["data check"]
)
def test_every_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert f"fastpgs {command}" in text.split("xample", 1)[1]
    assert "\x1b" not in text  # no colours where there is no terminal


def test_help_is_light() -> None:
    """Help imports neither torch nor anything else that is slow."""
    heavy = "torch scipy skimage pyarrow PIL sklearn pandas matplotlib tifffile rich.progress"
    done = python(
        "import sys; from fastpgs.cli import run; code = run(['--help'])\n"
        f"print(code, [name for name in {heavy.split()} if name in sys.modules], file=sys.stderr)"
    )
    assert done.stderr.strip() == "0 []"
    for command in ("classify", "segment", "demo", "info"):
        assert command in done.stdout
    assert "Research use only" in done.stdout


def test_every_option_says_what_it_is() -> None:
    import typer

    from fastpgs.cli import make_app

    def silent(command: Any, name: str) -> list[str]:
        below = getattr(command, "commands", {})
        return [
            *(f"{name} {one.opts[-1]}" for one in command.params if not getattr(one, "help", None)),
            *(line for own, one in below.items() for line in silent(one, f"{name} {own}")),
        ]

    mute = silent(typer.main.get_command(make_app()), "fastpgs")
    assert not [line for line in mute if " --" in line], mute


def test_every_module_of_commands_is_listed() -> None:
    folder = Path(fastpgs.__file__).parent / "cli"
    present = {path.stem for path in folder.glob("*.py") if "def register(" in path.read_text()}
    assert present <= set(COMMANDS)
    app = make_app()
    commands = {entry.name for entry in (*app.registered_commands, *app.registered_groups)}
    assert commands == {name.replace("_", "-") for name in present}


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"fastpgs {fastpgs.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bogus"], "No such command 'bogus'. (see 'fastpgs --help')"),
        (["classify", "--bogus"], "No such option: --bogus"),
        (["classify"], "expected at least one image, folder or pattern, got none"),
        (["classify", "x.png"], "expected a folder for the results: --out DIR"),
        (["classify", "x.png", "--out", "o", "--shard", "0/4"], "expected i/N with 1 <= i <= N"),
        (["classify", "x.png", "--out", "o", "--workers", "0"], "--workers"),
        (["classify", "x.png", "--out", "o", "--resume", "--restart"], "pass one of them"),
        (
            ["classify", "--manifest", "none.csv", "--out", "o"],
            "--manifest: cannot read none.csv",
        ),
        (["segment", "x.png", "--init", "1,a"], "expected k-medoids++, random, or row,col pairs"),
    ],
)
def test_wrong_usage_is_one_line(
    arguments: list[str], message: str, names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(arguments)
    told = capsys.readouterr()
    assert code == 2
    assert told.out == ""
    assert message in told.err
    assert told.err.startswith("fastpgs: ")
    assert told.err.count("\n") == 1


def test_missing_typer_is_explained() -> None:
    done = python("import sys; sys.modules['typer'] = None; from fastpgs.cli import main; main()")
    assert done.returncode == 2
    assert done.stderr == "fastpgs: the command line needs more packages: pip install 'fastpgs[classify]'\n"


def test_broken_pipe_is_quiet() -> None:
    """The reader is gone before anything is written."""
    code = "import sys; from fastpgs.cli import main; sys.argv = ['fastpgs', '--version']; main()"
    done = subprocess.run(
        ["bash", "-c", f'{sys.executable} -c "{code}" | true'], capture_output=True, text=True, timeout=120
    )
    assert done.stdout == done.stderr == ""


# --- classify ---------------------------------------------------------------------------------------------


def test_classify(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", "in", "--out", "out"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert "5 of 5 images judged, 10 cells" in told.out
    assert "report: out/report.html" in told.out
    assert "Research use only" not in told.err
    assert "For research use only" in told.out
    assert pq.read_table("out/images.parquet")["image"].to_pylist() == names


def test_exit_code_1_where_something_was_not_judged(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["classify", "in", "gone.png", "--out", "out", "--csv"]) == 1
    assert "gone.png: failed: no such file" in capsys.readouterr().out
    assert Path("out/images.csv").read_text().count("\n") == 7


def test_json_and_quiet(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["classify", "in", "gone.png", "--out", "out", "--json", "--profile"]) == 1
    told = capsys.readouterr()
    summary = json.loads(told.out)
    assert summary["counts"]["ok"] == 5
    assert summary["not_judged"] == [{"image": "gone.png", "status": "failed", "error": "no such file"}]
    assert [line.split()[0] for line in told.err.splitlines()] == [
        "stage", "read", "cells", "model", "judge", "write", "wall", "CPU", "busy",
    ]  # fmt: skip
    assert summary["profile"]["cpu_s"] > 0
    assert summary["profile"]["processors"] >= 1
    assert run(["classify", "in", "--out", "out", "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.out == told.err == ""
    assert run(["classify", "gone.png", "lost.png", "in", "--out", "other", "--quiet"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()  # exit code 1 never comes without a word
    assert line.startswith(
        "fastpgs: 2 of 7 inputs not judged: gone.png: no such file (and 1 more); see other"
    )


def test_names_from_stdin_and_manifest(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(names[:2])))
    Path("in/list.csv").write_text("image\n4.png\n")
    assert run(["classify", "-", "--manifest", "in/list.csv", "--out", "out"]) == 0
    assert pq.read_table("out/images.parquet")["image"].to_pylist() == [*names[:2], "in/4.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text elsewhere")
def test_odd_names_from_stdin(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = [b"in/latin\xe9.png", b"in/carriage\r\nreturn.png"]
    for name in odd:
        Path(os.fsdecode(name)).write_bytes(Path(names[0]).read_bytes())
    stdin = io.TextIOWrapper(
        io.BytesIO(b"\0".join(odd) + b"\0"), encoding="utf-8"
    )  # strict, as under a UTF-8 locale
    monkeypatch.setattr("sys.stdin", stdin)
    assert run(["classify", "-", "--out", "out"]) == 0
    listed = pq.read_table("out/images.parquet")["image"].to_pylist()
    assert listed == ["in/latin\\xe9.png", "in/carriage\r\nreturn.png"]


def test_lock_and_unfinished_runs_are_explained(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("out").mkdir()
    lock = lock_file(Path("out"))
    assert run(["classify", "in", "--out", "out"]) == 2
    lock.close()
    assert "is writing to 'out'; wait for it or choose another folder" in capsys.readouterr().err
    assert run(["classify", "in", "--out", "out"]) == 0
    assert run(["classify", "in", "--out", "out", "--resume", "--max-pixels", "99"]) == 2
    assert "options.max_pixels was 100000000, is 99" in capsys.readouterr().err


def test_signal_saves_and_says_how_to_go_on(tmp_path: Path) -> None:
    save_pictures(tmp_path / "in", 140)
    code = (
        "import sys, types\nfrom standin import StandIn\n"
        "model = sys.modules['fastpgs.inference.model'] = types.ModuleType('model')\n"
        "model.load_model = lambda *_, **__: StandIn(delay=0.02)\n"
        "from fastpgs.cli import main\nsys.argv = ['fastpgs', 'classify', 'in', '--out', 'out', '--no-report']\nmain()"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 60
        while not list(tmp_path.glob("out/.parts/images-*.parquet")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(signal.SIGTERM)
        sent = time.monotonic()
        told = process.communicate(timeout=60)[1]
        # A second where there is a processor for it; longer where others want the processors too.
        load = os.getloadavg()[0] / (os.cpu_count() or 1)
        assert time.monotonic() - sent < max(1.0, load)
    assert process.returncode == 130
    done = pq.read_table(tmp_path / "out" / "images.parquet").num_rows
    assert told == f"fastpgs: stopped after {done} of 140 inputs; what is done is saved: --resume goes on\n"


# --- segment, demo, info ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["labels.png", "labels.tif", "labels.npy"])
def test_segment_writes_labels(names: list[str], name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["segment", names[3], "--k", "2", "--out", name, "--json"]) == 0
    with Image.open(names[3]) as file:
        expected = fastpgs.segment(np.asarray(file), 2)
    read = {"png": lambda p: np.asarray(Image.open(p)), "tif": tifffile.imread, "npy": np.load}[name[-3:]]
    np.testing.assert_array_equal(read(name), expected)
    summary = json.loads(capsys.readouterr().out)
    assert summary["pixels"] == np.bincount(expected.ravel()).tolist()
    assert summary["converged"]


def test_segment_takes_every_option(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    image = picture(0, spots=4)
    np.save("image.npy", np.moveaxis(image, -1, 0))
    mask = np.zeros((48, 64), np.uint8)
    mask[4:40, 4:50] = 1
    Image.fromarray(mask).save("mask.png")
    options = {
        "k": 2, "threshold": 900.0, "features": "rgb", "metric": "sqeuclidean", "update": "mean",
        "connectivity": 2, "n_init": 2, "max_iter": 50, "tol": 0.5, "spatial_weight": 0.25, "seed": 5,
        "channel_axis": 0,
    }  # fmt: skip
    words = [part for key, value in options.items() for part in (f"--{key.replace('_', '-')}", str(value))]
    words += ["--init", "12,10", "--init", "30,45", "--mask", "mask.png", "--threads", "1", "--out", "l.npy"]
    assert run(["segment", "image.npy", *words]) == 0
    expected = fastpgs.segment(
        np.moveaxis(image, -1, 0), init=np.array([[12, 10], [30, 45]]), mask=mask > 0, **options
    )
    np.testing.assert_array_equal(np.load("l.npy"), expected)
    assert "label 1: pivot at row" in capsys.readouterr().out


def test_segment_errors(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["segment", "gone.png"]) == 1
    assert capsys.readouterr().err == "fastpgs: gone.png: no such file\n"
    assert run(["segment", names[3], "--k", "99999"]) == 2
    assert "k" in capsys.readouterr().err
    assert run(["segment", names[3], "--out", "l.jpg"]) == 2
    assert "labels can be written to .png, .tif or .npy, got 'l.jpg'" in capsys.readouterr().err
    np.save("objects.npy", np.array([{}], object))
    assert run(["segment", "objects.npy"]) == 1
    assert "no readable array" in capsys.readouterr().err


def test_demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("fastpgs.demo.SIDE", 400)
    for images in ("1", "2"):  # a second run replaces the first
        assert run(["demo", "--images", images]) == 0
        assert "report: demo/report.html" in capsys.readouterr().out
    truth = Path("demo/images/truth.csv").read_text().splitlines()
    assert truth[0] == "image,cells,blasts"
    assert [line.split(",")[2] == "0" for line in truth[1:]] == [False, True]
    assert len(list(Path("demo/overlays").iterdir())) == 2


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["versions"]["fastpgs"] == fastpgs.__version__
    assert facts["machine"]["core"]["simd"]
    assert "cpu" in facts["devices"]
    assert run(["info"]) == 0
    out = capsys.readouterr().out
    assert "devices:\n  native: " in out
    assert "\n  cpu: torch" in out


def test_example_for_the_gpu(
    names: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    example = Path(__file__).parents[1] / "examples" / "batch_gpu.py"
    for arguments, code in (["in", "out"], 0), (["in", "out", "cpu"], 0):  # the second run resumes the first
        monkeypatch.setattr("sys.argv", ["batch_gpu.py", *arguments])
        with pytest.raises(SystemExit) as caught:
            runpy.run_path(str(example), run_name="__main__")
        assert caught.value.code == code
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Result(5 inputs: 5 ok, 0 failed, 0 refused; 10 cells)"
    assert told[1].split() == ["0.918", "1", "of", "1", "cells", "in/1.png"]
