"""The C++ core; array types as in cpp/bindings/arrays.hpp."""

import enum
from collections.abc import Sequence
from typing import Any, TypeVar, overload

import numpy as np
import numpy.typing as npt

_Level = TypeVar("_Level", np.uint8, np.uint16, np.float32, np.float64)

class Features(enum.Enum):
    lab = 0
    rgb = 1
    gray = 2
    xy = 3
    raw = 4

class Update(enum.Enum):
    medoid = 0
    mean = 1

class Init(enum.Enum):
    plus_plus = 0
    random = 1
    given = 2

class Params:
    k: int
    features: Features
    update: Update
    init: Init
    given: list[int]
    n_init: int
    max_iter: int
    tol2: float
    threshold: float | None
    connectivity: int
    positions: bool
    map: list[float]
    extents: list[float]
    bounds: tuple[float, float] | None
    seed: int
    want_clusters: bool
    want_inertia: bool
    threads: int
    def __init__(self) -> None: ...

class Result:
    @property
    def pivots(self) -> list[int]: ...
    @property
    def pivot_features(self) -> list[float]: ...
    @property
    def clusters(self) -> npt.NDArray[np.uint8]: ...
    @property
    def empty(self) -> list[int]: ...
    @property
    def dims(self) -> int: ...
    @property
    def inertia(self) -> float: ...
    @property
    def n_iter(self) -> int: ...
    @property
    def converged(self) -> bool: ...
    @property
    def distinct(self) -> int: ...
    @property
    def beyond(self) -> bool: ...

def segment(
    image: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None, params: Params
) -> tuple[npt.NDArray[np.int32], Result]: ...
def segment_batch(
    images: Sequence[npt.NDArray[Any]],
    masks: Sequence[npt.NDArray[np.bool_] | None],
    params: Params,
    threads: int,
) -> tuple[list[npt.NDArray[np.int32]], list[Result]]: ...
def features(image: npt.NDArray[Any], params: Params) -> npt.NDArray[np.float64]: ...
def extents(image: npt.NDArray[Any]) -> list[float]: ...
def levels(values: npt.NDArray[Any], top: int, tolerance: float) -> npt.NDArray[Any] | None: ...
def moments(
    image: npt.NDArray[Any], mask: npt.NDArray[np.bool_] | None, params: Params
) -> tuple[int, list[int], list[int]]: ...
def label(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], int]: ...
def distance(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]: ...
def nearest(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]: ...
def flood(
    mask: npt.NDArray[np.bool_], levels: npt.NDArray[np.float64], markers: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]: ...
def fill_holes(mask: npt.NDArray[np.bool_], largest: float) -> npt.NDArray[np.bool_]: ...
def touching(mask: npt.NDArray[np.bool_], seed: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]: ...
def erode_disc(mask: npt.NDArray[np.bool_], radius: float) -> npt.NDArray[np.bool_]: ...
def open_disc(mask: npt.NDArray[np.bool_], radius: float) -> npt.NDArray[np.bool_]: ...
def close_disc(mask: npt.NDArray[np.bool_], radius: float) -> npt.NDArray[np.bool_]: ...
def hull_area(mask: npt.NDArray[np.bool_]) -> float: ...
def solidity(mask: npt.NDArray[np.bool_]) -> float: ...
def cut_tongues(
    mask: npt.NDArray[np.bool_], kept: npt.NDArray[np.bool_], core: float, length: float, neck: float
) -> npt.NDArray[np.bool_]: ...
def draw_cells(
    bodies: npt.NDArray[np.int32],
    n: int,
    nuclei: npt.NDArray[np.bool_],
    squares: npt.NDArray[np.int32],
    depth: npt.NDArray[np.int16],
    features: npt.NDArray[np.uint8],
    rules: dict[str, Any],
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], float]: ...
def body_markers(region: npt.NDArray[np.bool_], neck: float) -> npt.NDArray[np.int32]: ...
def merge_bodies(
    bodies: npt.NDArray[np.int32],
    region: npt.NDArray[np.bool_],
    nuclei: npt.NDArray[np.bool_],
    vacuole: float,
    most: float,
    nearly_convex: float,
    contact: float,
) -> npt.NDArray[np.int32]: ...
def split_bodies(
    region: npt.NDArray[np.bool_],
    nuclei: npt.NDArray[np.bool_],
    rules: dict[str, float],
    typical: float,
) -> tuple[npt.NDArray[np.int32], int, float]: ...
def nuclear_reach(
    nuclei: npt.NDArray[np.bool_], near: bool, halo: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]: ...
def measure_cells(
    labels: npt.NDArray[np.int32], nuclei: npt.NDArray[np.int32], rgb: npt.NDArray[np.uint8]
) -> dict[str, npt.NDArray[Any]]: ...
def colour_model(
    features: npt.NDArray[np.uint8],
    near: npt.NDArray[np.bool_],
    red: npt.NDArray[np.bool_],
    outlier: float,
) -> list[float]: ...
def model_odds(
    features: npt.NDArray[np.uint8], model: Sequence[float], most: float, size: int
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]: ...
def black_surround(rgb: npt.NDArray[np.uint8], dark: int) -> npt.NDArray[np.bool_] | None: ...
def background(
    rgb: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_] | None
) -> npt.NDArray[np.float64]: ...
def stain_planes(
    rgb: npt.NDArray[np.uint8], white: npt.NDArray[np.float64], offset: int, grey: bool
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int16], npt.NDArray[np.int16], npt.NDArray[np.float32]]: ...
def spread_pivots(score: npt.NDArray[np.int16], valid: npt.NDArray[np.bool_], k: int) -> list[int]: ...
def permitted_threads() -> int: ...
def build_info() -> dict[str, Any]: ...

class Conv3:
    def __init__(
        self,
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        slope: npt.NDArray[np.float32],
        numbers: str = "fp32",
    ) -> None: ...
    def run(
        self,
        x: npt.NDArray[np.float32],
        padding: int,
        second: npt.NDArray[np.float32] | None = None,
    ) -> npt.NDArray[np.float32]: ...

class Up2:
    def __init__(
        self, weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32], numbers: str = "fp32"
    ) -> None: ...
    def run(self, x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...

class Network:
    def __init__(self, channels: int) -> None: ...
    def conv(self, layer: Conv3, padding: int, source: int, second: int | None = None) -> int: ...
    def up(self, layer: Up2, source: int) -> int: ...
    def pool(self, source: int) -> int: ...
    def enlarge(self, source: int, times: int) -> int: ...
    def head(
        self,
        sources: list[int],
        weight: npt.NDArray[np.float32],
        bias: npt.NDArray[np.float32],
        slope: npt.NDArray[np.float32],
        last_weight: npt.NDArray[np.float32],
        last_bias: npt.NDArray[np.float32],
    ) -> None: ...
    def pixelwise(self, source: int, weight: npt.NDArray[np.float32], bias: float) -> None: ...
    @overload
    def run(
        self, x: npt.NDArray[np.float32], masks: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32] | None]: ...
    @overload
    def run(
        self, crops: npt.NDArray[np.uint8], table: npt.NDArray[np.float32], masks: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32] | None]: ...

def conv3_path() -> str: ...
def picture_light(rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], float, float]: ...
def picture_steps(
    rgb: npt.NDArray[np.uint8],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]: ...
def picture_blocks(rgb: npt.NDArray[np.uint8]) -> float: ...
def picture_look(rgb: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.float64], float, float, float]: ...
def crop_look(crops: npt.NDArray[np.uint8]) -> tuple[float, float, float, list[float], list[float]]: ...
def cut_crops(
    image: npt.NDArray[_Level],
    tops: npt.NDArray[np.int64],
    lefts: npt.NDArray[np.int64],
    bottoms: npt.NDArray[np.int64],
    rights: npt.NDArray[np.int64],
    size: int,
    zoom: float,
    fill: npt.NDArray[_Level],
    labels: npt.NDArray[np.int32] | None = None,
    ids: npt.NDArray[np.int32] | None = None,
) -> npt.NDArray[_Level]: ...
def svg_paths(
    points: npt.NDArray[np.float32],
    rings: npt.NDArray[np.int64],
    cells: npt.NDArray[np.int64],
    scale: npt.NDArray[np.float64],
    most: int,
) -> list[str]: ...
def pool2(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...
def dense(
    x: npt.NDArray[np.float32], weight: npt.NDArray[np.float32], bias: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]: ...
def against(
    features: npt.NDArray[np.uint8],
    model: Sequence[float],
    most: float,
    size: int,
    squares: npt.NDArray[np.int32],
    radius: float,
    even: float,
) -> npt.NDArray[np.bool_]: ...
def nearest_is_nuclear(
    features: npt.NDArray[np.uint8],
    pivots: npt.NDArray[np.uint8],
    nuclear: npt.NDArray[np.bool_],
    lenient: float,
) -> npt.NDArray[np.bool_]: ...
def trace_rings(
    labels: npt.NDArray[np.int32], ids: npt.NDArray[np.int64], boxes: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64], npt.NDArray[np.int64]]: ...
def median(plane: npt.NDArray[np.float32], where: npt.NDArray[np.bool_]) -> float: ...
def part_areas(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]: ...
def inscribed_radii(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]: ...
def touching_frame(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]: ...

class SearchRules:
    def __init__(
        self, stain: dict[str, Any], nuclei: dict[str, Any], cytoplasm: dict[str, Any], cells: dict[str, Any]
    ) -> None: ...

class SearchFound:
    @property
    def table(self) -> dict[str, npt.NDArray[Any]]: ...
    @property
    def places(self) -> dict[str, npt.NDArray[Any]]: ...
    @property
    def grown(self) -> npt.NDArray[np.bool_]: ...
    @property
    def depth(self) -> npt.NDArray[np.int16]: ...
    @property
    def white(self) -> npt.NDArray[np.float64]: ...
    @property
    def pivot_features(self) -> npt.NDArray[np.float64]: ...
    @property
    def pivots_nuclear(self) -> npt.NDArray[np.bool_]: ...
    @property
    def ground(self) -> float: ...
    @property
    def radius(self) -> float: ...
    @property
    def part(self) -> float: ...
    @property
    def tone(self) -> tuple[float, float, tuple[float, ...] | None, float]: ...
    @property
    def body(self) -> float: ...
    @property
    def edge(self) -> float: ...
    @property
    def many(self) -> bool: ...
    @property
    def converged(self) -> bool: ...

def find_cells(
    rgb: npt.NDArray[np.uint8],
    grey: bool,
    mask: npt.NDArray[np.bool_] | None,
    rules: SearchRules,
    neck: float,
    k: int,
    seed: int,
    threads: int,
    reference: Any,
    measured: bool,
    even: bool,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], SearchFound]: ...
def islands(
    view: npt.NDArray[np.uint8], rules: SearchRules, reference: Any, lenient: float, apart: float
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int64]]: ...
def nuclear_groups(
    score: Sequence[float],
    green: Sequence[float],
    blue: Sequence[float],
    red: Sequence[float],
    part: Sequence[float],
    rules: SearchRules,
) -> npt.NDArray[np.bool_]: ...
def blobs_alone(
    stained: npt.NDArray[np.bool_],
    nuclei: npt.NDArray[np.bool_],
    squares: npt.NDArray[np.int32],
    rules: SearchRules,
    radius: float,
    opening: float,
) -> npt.NDArray[np.bool_]: ...
