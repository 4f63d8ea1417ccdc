"""The classifier: from an image to cells, from cells to numbers, from numbers to a judgement.

A `BlastClassifier` carries everything between an image and a judgement: how cells are looked for and cut, the
network, the calibration, the thresholds. A research tool: its output is no diagnosis.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastpgs.inference import native, preprocess
from fastpgs.inference.conditions import measure
from fastpgs.inference.files import ModelConfig
from fastpgs.inference.look import Look, look_at, look_at_crops
from fastpgs.inference.novelty import Novelty, describe_crops, describe_field
from fastpgs.inference.pooling import pool
from fastpgs.inference.threads import spread

if TYPE_CHECKING:
    from fastpgs.cells import Cells
    from fastpgs.inference import engines
    from fastpgs.inference.cuda import GraphRunner

    Engine = engines.Engine | native.NativeEngine

__all__ = ["CHUNK_PIXELS", "BlastClassifier", "CellScores", "Described", "Judgement"]

Float32 = NDArray[np.float32]

CHUNK_PIXELS = 1 << 15  # of crops that go through the network at once: their maps stay in a core's caches


@dataclass(frozen=True)
class CellScores:
    """What the network says of each crop.

    Attributes
    ----------
    p : float32, shape (n,)
        Calibrated probability of blast.
    masks : float32, shape (n, S, S)
        Probability of each pixel to belong to the cell; empty (n, 0, 0) for networks without a mask.
    embeddings : float32, shape (n, F)
        Last hidden layer.
    """

    p: Float32
    masks: Float32
    embeddings: Float32


@dataclass(frozen=True)
class Described:
    """A field's crops as pictures, whatever the network says of them.

    Attributes
    ----------
    shift : float
        Logits by which the field's score is put right: 0 where it was taken as the training's fields were.
    crops : float64, shape (D,), optional
        `fastpgs.inference.novelty.describe_crops` of them; None without cells or statistics.
    """

    shift: float = 0.0
    crops: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class Judgement:
    """A field judged.

    Attributes
    ----------
    cells : Cells
    scores : CellScores
    p_blast : float
        Calibrated probability that the field shows blasts; nan without cells.
    call : str
        ``"blast"``, ``"normal"`` or ``"uncertain"``.
    reason : str
        Why the call is uncertain; else empty.
    novelty : float
        Distance from the training images, about 1 for those; nan without cells.
    """

    cells: Cells
    scores: CellScores
    p_blast: float
    call: str
    reason: str
    novelty: float


class BlastClassifier:
    """Judges cells and fields. Made by `load_model`.

    Attributes
    ----------
    config : ModelConfig
    device : str
        ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ...
    dtype : str
        What the network computes with: ``"fp32"``, ``"int16"``, ``"bf16"`` or ``"fp16"``.
    engine : str
        What runs the network: ``"native"``, ``"torchscript"``, ``"eager"``, ``"onnx"`` or ``"pt2"``.
    batch_size : int
        Crops that the pipeline and a GPU take at once.
    """

    def __init__(
        self,
        config: ModelConfig,
        run: Engine,
        device: str,
        novelty: Novelty | None,
        batch_size: int = 64,
        dtype: str = "fp32",
    ) -> None:
        self.config = config
        self.device = device
        self.dtype = dtype
        self.engine = run.name
        self.batch_size = batch_size
        self._run = run
        self._novelty = novelty
        self._levels = preprocess.level_table(config.input) if run.name == "native" else None
        self._graphs: GraphRunner | None = None
        if device.startswith("cuda") and run.name == "eager":
            from fastpgs.inference.cuda import GraphRunner
            from fastpgs.inference.engines import ModuleEngine

            assert isinstance(run, ModuleEngine)
            self._graphs = GraphRunner(run, config.input, device)

    def __repr__(self) -> str:
        return (
            f"BlastClassifier({self.config.name!r}, device={self.device!r}, dtype={self.dtype!r},"
            f" engine={self.engine!r})"
        )

    def find_cells(self, image: NDArray[Any], num_threads: int | None = None) -> Cells:
        """Cells of an image, found with the options of the training."""
        return preprocess.find(image, self.config.input, num_threads)

    def place_cells(self, image: NDArray[Any], num_threads: int | None = None) -> Cells:
        """`find_cells` without most of its measurements: the table has what `fastpgs.cells.find.place_cells` tells."""
        return preprocess.find(image, self.config.input, num_threads, measured=False)

    @property
    def pixel_size(self) -> float | None:
        """Micrometres a pixel of the training's images, where they are known."""
        return self.config.input.pixel_size

    def zoom(self, pixel_size: float | None) -> float:
        """Pixels of the training's size a pixel of ``pixel_size`` micrometres; 1 where either is not known.

        Raises
        ------
        ValueError
            The pixels are more than twice as coarse as the training's.
        """
        return preprocess.zoom_of(pixel_size, self.pixel_size)

    def look(self, image: NDArray[Any]) -> Look:
        """What the model needs to know of a picture as a whole.

        Parameters
        ----------
        image : ndarray, shape (H, W) or (H, W, C)
        """
        look = look_at(preprocess.to_rgb8(image), blocks=self.config.conditions is not None)
        return look._replace(gain=preprocess.field_gain(look.level, self.config.input))

    def crops(
        self, image: NDArray[Any], cells: Cells, zoom: float = 1.0, look: Look | None = None
    ) -> NDArray[np.uint8]:
        """Crops of the cells as the network wants them: uint8 (n, S, S, 3), or (n, S, S) for grey models.

        Parameters
        ----------
        image : ndarray, shape (H, W) or (H, W, C)
        cells : Cells
            Of that image.
        zoom : float
            As `zoom` returns it, for images whose pixels are not of the training's size.
        look : Look, optional
            Of that image, where it has been taken.
        """
        spec = self.config.input
        if zoom != 1.0:
            spec = replace(spec, scale=spec.scale * zoom)
        known = () if look is None else (look.level, look.gain)
        return preprocess.cut(image, cells, spec, *known)

    def scores(
        self, crops: NDArray[np.uint8], num_threads: int | None = None, *, masks: bool = True
    ) -> CellScores:
        """Everything the network says of crops, in one pass.

        Parameters
        ----------
        crops : uint8, shape (n, S, S, 3) or (n, S, S)
            As `crops` returns them. n may be 0.
        num_threads : int, optional
            Threads on a CPU; default: one a processor. The numbers do not depend on it.
        masks : bool
            False leaves the mask maps out (shape (n, 0, 0)).

        Raises
        ------
        ValueError
            Another type, channel count or a side not divisible by 8.
        """
        crops = preprocess.check_crops(crops, self.config.input)
        side = crops.shape[1]
        if self.device.startswith("cpu"):
            size = max(1, min(self.batch_size, CHUNK_PIXELS // max(1, side * side)))
            parts = [crops[start : start + size] for start in range(0, len(crops), size)]
            with_torch = self.engine != "native"
            out = spread(lambda part: self._score(part, masks), parts, num_threads, with_torch=with_torch)
        elif self._graphs is not None:
            out = self._graphs(crops, self.batch_size, masks) if len(crops) else []
        else:
            size = self.batch_size
            out = [self._score(crops[start : start + size], masks) for start in range(0, len(crops), size)]
        logits = np.concatenate([np.zeros(0), *(one["logit"][:, 0] for one in out)])
        none = np.zeros((len(crops), 0, 0 if len(crops) else side), np.float32)
        return CellScores(
            p=self.config.calibration(logits).astype(np.float32),
            masks=np.concatenate([one["mask"][:, 0] for one in out]) if out and "mask" in out[0] else none,
            embeddings=np.concatenate([one["embedding"] for one in out])
            if out
            else np.zeros((0, 0), np.float32),
        )

    def _score(self, crops: NDArray[np.uint8], masks: bool) -> dict[str, NDArray[Any]]:
        """The network's outputs for some crops."""
        if isinstance(self._run, native.NativeEngine):
            return self._run(crops, masks=masks, levels=self._levels)
        from fastpgs.inference import engines

        return engines.run(self._run, crops, self.config.input, self.device, masks)

    def predict_proba(self, crops: NDArray[np.uint8]) -> Float32:
        """Calibrated probability of blast of each crop, float32 (n,)."""
        return self.scores(crops, masks=False).p

    def predict_mask(self, crops: NDArray[np.uint8]) -> Float32:
        """Mask map of each crop, float32 (n, S, S) in [0, 1].

        Raises
        ------
        ValueError
            The network has no mask map.
        """
        masks = self.scores(crops).masks
        if len(crops) and masks.shape[1:] == (0, 0):
            raise ValueError(f"network {self.config.network!r} has no mask map")
        return masks

    def call(self, p: ArrayLike, *, level: str = "cell") -> NDArray[np.str_]:
        """``"blast"``, ``"normal"`` or ``"uncertain"`` for probabilities of cells or of fields.

        Parameters
        ----------
        p : array-like
            Probabilities of blast; nan is uncertain.
        level : {"cell", "field"}
            Whose thresholds apply.
        """
        if level not in ("cell", "field"):
            raise ValueError(f"level must be 'cell' or 'field', got {level!r}")
        thresholds = self.config.cell_thresholds if level == "cell" else self.config.field_thresholds
        return thresholds.call(p)

    def pool(self, p_cells: ArrayLike, shift: float = 0.0) -> float:
        """Calibrated probability of blast of a field from those of its cells; nan without cells.

        Parameters
        ----------
        p_cells : array-like, shape (n,)
        shift : float
            `Described.shift` of the field.
        """
        score = pool(p_cells, self.config.pooling, self.config.focus)
        return float(self.config.field_calibration(score, shift)) if math.isfinite(score) else float("nan")

    def describe(self, look: Look, areas: NDArray[Any], crops: NDArray[np.uint8]) -> Described:
        """What the judgement of a field needs to know of its crops beside what the network says of them.

        Parameters
        ----------
        look : Look
            Of the field.
        areas : ndarray, shape (n,)
            Of its cells, pixels of the training's size.
        crops : uint8, shape (n, S, S, C) or (n, S, S)
        """
        if len(crops) == 0:
            return Described()
        gain = preprocess.field_gain(look.level, self.config.input) if look.gain is None else look.gain
        shift, seen = 0.0, None
        if self.config.conditions is None and self._novelty is None:
            return Described()
        taken = look_at_crops(crops, areas)
        if self.config.conditions is not None:
            measures = measure(taken, gain, look.blocks)
            if not self.config.conditions.holds(measures):  # most do
                shift = float(self.config.conditions.shift(measures)[0])
        if self._novelty is not None:
            level = preprocess.seen_levels(look.level, gain, self.config.input)
            seen = describe_crops(taken, level)
        return Described(shift, seen)

    def novelty(self, described: Described, embeddings: NDArray[Any]) -> float:
        """How unlike the training images a field is: about 1 for those; nan without cells or statistics.

        Parameters
        ----------
        described : Described
            By `describe`.
        embeddings : ndarray, shape (n, F)
            Of its cells.
        """
        if self._novelty is None or described.crops is None:
            return float("nan")
        vector = describe_field(np.asarray(embeddings, np.float64), described.crops)
        return float(self._novelty.score(vector)[0])

    def doubt(self, look: Look, p_blast: float, n_cells: int, novelty: float) -> str:
        """Why a field cannot be judged, in words; empty where it can."""
        if look.blank:
            return look.blank
        if n_cells == 0:
            return "no white cells were found"
        limit = self.config.novelty_threshold
        if limit is not None and novelty > limit:
            return f"unlike the images of the training (distance {novelty:.2f}, at most {limit:.2f} expected)"
        band = self.config.field_thresholds
        if band.leaves_open(p_blast):
            return f"p_blast {p_blast:.2f} lies between the thresholds {band.normal:.2f} and {band.blast:.2f}"
        return ""

    def judge(
        self, image: NDArray[Any], num_threads: int | None = None, *, pixel_size: float | None = None
    ) -> Judgement:
        """Find the cells of one image, judge each of them, and the field.

        Parameters
        ----------
        image : ndarray, shape (H, W) or (H, W, C)
            uint8, uint16 or float in [0, 1].
        num_threads : int, optional
            Threads for the segmentation.
        pixel_size : float, optional
            Micrometres a pixel; default: that of the training.

        Raises
        ------
        ValueError
            The pixels are more than twice as coarse as the training's.
        """
        zoom = self.zoom(pixel_size)
        cells = self.find_cells(image, num_threads)
        look = self.look(image)
        crops = self.crops(image, cells, zoom, look)
        scores = self.scores(crops)
        areas = cells.table["area"] * zoom**2
        described = self.describe(look, areas, crops)
        p_blast = self.pool(scores.p, described.shift)
        novelty = self.novelty(described, scores.embeddings)
        reason = self.doubt(look, p_blast, len(cells), novelty)
        call = "uncertain" if reason else str(self.call(p_blast, level="field"))
        return Judgement(cells, scores, p_blast, call, reason, novelty)
