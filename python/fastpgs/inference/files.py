"""A model as a folder of files, each with its SHA-256 in ``config.json``.

weights.safetensors   the weights: data, safe to load from anywhere
model.ts              TorchScript: a program, loaded only where it is trusted
novelty.safetensors   what training fields look like
config.json           everything else, and the hashes
README.md             the model card
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fastpgs.inference.calibration import Calibration, Thresholds
from fastpgs.inference.conditions import Conditions
from fastpgs.inference.preprocess import InputSpec

CONFIG = "config.json"
WEIGHTS = "weights.safetensors"
SCRIPT = "model.ts"
NOVELTY = "novelty.safetensors"
FORMAT = 1
LARGEST_CONFIG = 1 << 20  # bytes

PLAIN_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


class ModelError(ValueError):
    """A model file that cannot be used, and why."""


@dataclass(frozen=True)
class ModelConfig:
    """What ``config.json`` holds.

    Attributes
    ----------
    name : str
    network, activation, options
        Arguments of `fastpgs.nets.build_network`.
    input : InputSpec
        How crops are made.
    calibration : Calibration
        From a cell's logit to its p_blast.
    pooling : str
        How cells make a field's score (`fastpgs.inference.pooling`).
    focus : float
        Of the pooling ``"attention"``.
    field_calibration : Calibration
        From the field's score to its p_blast.
    conditions : Conditions, optional
        What blur, JPEG, another size or light do to the field's score; None: nothing is done about them.
    cell_thresholds, field_thresholds : Thresholds
    novelty_threshold : float
        Fields that score above it are uncertain; None: never.
    files : dict of str to str
        SHA-256 of each file of the folder.
    trained : dict
        How it came about: command, data, splits, figures.
    format : int
        Version of this layout.
    """

    name: str
    network: str
    activation: str | None
    options: dict[str, Any]
    input: InputSpec
    calibration: Calibration = field(default_factory=Calibration)
    pooling: str = "mean"
    focus: float = 0.0
    field_calibration: Calibration = field(default_factory=Calibration)
    conditions: Conditions | None = None
    cell_thresholds: Thresholds = field(default_factory=Thresholds)
    field_thresholds: Thresholds = field(default_factory=Thresholds)
    novelty_threshold: float | None = None
    files: dict[str, str] = field(default_factory=dict)
    trained: dict[str, Any] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def in_channels(self) -> int:
        """Channels of a crop."""
        return self.input.channels

    @property
    def hash(self) -> str:
        """SHA-256 of the weights: the identity of the model."""
        return self.files.get(WEIGHTS, "")

    def to_json(self) -> str:
        """Text of ``config.json``."""
        values = asdict(self)
        values["input"] = self.input.to_dict()
        return json.dumps(values, indent=2, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> ModelConfig:
        """The inverse of `to_json`.

        Raises
        ------
        ModelError
            Not JSON, another format, missing or unknown or impossible values.
        """
        try:
            values = json.loads(text)
            if values.get("format") != FORMAT:
                raise ModelError(f"model format must be {FORMAT}, got {values.get('format')!r}")
            conditions = values.get("conditions")
            return cls(
                **{
                    **values,
                    "input": InputSpec.from_dict(values["input"]),
                    "calibration": Calibration(**values["calibration"]),
                    "field_calibration": Calibration(**values["field_calibration"]),
                    "conditions": None if conditions is None else Conditions(**conditions),
                    "cell_thresholds": Thresholds(**values["cell_thresholds"]),
                    "field_thresholds": Thresholds(**values["field_thresholds"]),
                }
            )
        except ModelError:
            raise
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ModelError(f"unusable model configuration: {type(error).__name__}: {error}") from error


def find_model(name: str | Path) -> tuple[Path, bool]:
    """Where a model lies, and whether it is one of the package's own.

    Parameters
    ----------
    name : str or Path
        A model of the package (``"unet-plr"``), a model folder, or an exported file.

    Returns
    -------
    path : Path
    own : bool
        Shipped with the package, hence trusted.

    Raises
    ------
    FileNotFoundError
        Neither.
    """
    package = Path(__file__).resolve().parents[1]
    # A wheel has the models inside the package; an editable install finds them beside its sources.
    homes = [package / "models", package.parents[1] / "models"]
    if PLAIN_NAME.match(str(name)):
        for home in homes:
            if (home / str(name) / CONFIG).is_file():
                return home / str(name), True
    path = Path(name)
    if path.exists():
        return path, any(path.resolve().parent == home for home in homes)
    known = sorted({p.parent.name for home in homes for p in home.glob(f"*/{CONFIG}")})
    raise FileNotFoundError(f"no model {str(name)!r}: not a folder or file, nor one of {known}")


def read_config(folder: Path) -> ModelConfig:
    """Read and check ``config.json``."""
    path = folder / CONFIG
    if not path.is_file():
        raise ModelError(f"{folder.name} is no model folder: it has no {CONFIG}")
    if path.stat().st_size > LARGEST_CONFIG:
        raise ModelError(f"{CONFIG} must be at most {LARGEST_CONFIG} bytes, got {path.stat().st_size}")
    try:
        return ModelConfig.from_json(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise ModelError(f"{CONFIG} is not text: {error}") from error


def checked_bytes(folder: Path, name: str, config: ModelConfig) -> bytes:
    """A file's content, whose SHA-256 is the one in the configuration.

    What is checked is what is used: the file is read once.

    Raises
    ------
    ModelError
        Missing, not listed, or changed since.
    """
    expected = config.files.get(name)
    if expected is None or not PLAIN_NAME.match(name):
        raise ModelError(f"{name} is not among the files of model {config.name!r}")
    try:
        data = (folder / name).read_bytes()
    except OSError as error:
        raise ModelError(f"cannot read {name} of model {config.name!r}: {error.strerror}") from error
    actual = hashlib.sha256(data).hexdigest()
    if actual != expected:
        raise ModelError(
            f"{name} of model {config.name!r} is damaged or was exchanged: expected SHA-256 {expected}, got {actual}"
        )
    return data
