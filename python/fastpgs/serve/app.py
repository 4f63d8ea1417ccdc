"""The application: routes, limits, and who may ask.

The page is for the person at this machine. So requests must name a host that was allowed (against DNS
rebinding), changing ones must come from the page itself (against other sites' forms), every response forbids
foreign scripts, and pictures live in memory under names that cannot be guessed.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fastpgs.inference.formats import file_stem
from fastpgs.inference.results import NOTICE
from fastpgs.io.decoder import decode_apart
from fastpgs.io.images import ImageReadError
from fastpgs.serve import answers, pictures
from fastpgs.serve.store import Judged, Picture, Store, judge

__all__ = ["LOCAL_HOSTS", "Limits", "make_app"]

LOCAL_HOSTS = ("127.0.0.1", "localhost")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class Limits:
    """What the page accepts.

    Attributes
    ----------
    upload_bytes : int
        Of one file.
    max_pixels : int
        Of one picture.
    pictures, total_pixels : int
        Kept at a time; older ones are forgotten.
    """

    upload_bytes: int = 64 << 20
    max_pixels: int = 25_000_000
    pictures: int = 12
    total_pixels: int = 100_000_000


class _Headers:
    """Sets the headers of every response."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message["headers"],
                    (b"content-security-policy", POLICY.encode()),
                    (b"x-content-type-options", b"nosniff"),
                    (b"referrer-policy", b"no-referrer"),
                    (b"cross-origin-resource-policy", b"same-origin"),
                    (b"cache-control", b"no-store"),
                ]
            await send(message)

        await self._app(scope, receive, sending)


def make_app(model: Any, *, hosts: Sequence[str] = LOCAL_HOSTS, limits: Limits | None = None) -> Starlette:
    """The page for a loaded model.

    Parameters
    ----------
    model : BlastClassifier
    hosts : sequence of str
        Host names that requests may ask for.
    limits : Limits, optional
    """
    page = _Page(model, limits or Limits())
    return Starlette(
        routes=[
            Route("/", page.index),
            Route("/page/{name}", page.file),
            Route("/api/pictures", page.upload, methods=["POST"]),
            Route("/api/sample", page.sample, methods=["POST"]),
            Route("/api/pictures/{id}/picture", page.picture),
            Route("/api/pictures/{id}/cells", page.cells),
            Route("/api/pictures/{id}/segment.png", page.segment),
            Route("/api/pictures/{id}/cells/{cell:int}/{view}.png", page.cell),
            Route("/api/pictures/{id}/download/{kind}", page.download),
        ],
        middleware=[Middleware(_Headers), Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))],
        exception_handlers={HTTPException: _refuse},
    )


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code)


class _Page:
    def __init__(self, model: Any, limits: Limits) -> None:
        self._model = model
        self._limits = limits
        self._store = Store(limits.pictures, limits.total_pixels)
        self._judging = threading.Lock()  # one picture at a time has all processors
        self._samples = 0
        folder = resources.files("fastpgs")
        style = (folder / "report" / "templates" / "style.css").read_bytes()
        own = folder / "serve" / "page"
        index = (own / "index.html").read_text(encoding="utf-8")
        self._index = _fill(index, model, limits)
        self._files = {
            "style.css": ("text/css", style),
            "serve.css": ("text/css", (own / "serve.css").read_bytes()),
            "icon.svg": ("image/svg+xml", (own / "icon.svg").read_bytes()),
            "serve.js": ("text/javascript", (own / "serve.js").read_bytes()),
        }

    async def index(self, request: Request) -> Response:
        return Response(self._index, media_type="text/html")

    async def file(self, request: Request) -> Response:
        found = self._files.get(request.path_params["name"])  # a fixed list: no name reaches the disk
        if found is None:
            raise HTTPException(404, "no such file")
        return Response(found[1], media_type=found[0])

    async def upload(self, request: Request) -> Response:
        _own(request)
        name = unquote(request.headers.get("x-filename", "")).replace("\\", "/").rsplit("/", 1)[-1][:200]
        data = await self._body(request)
        try:
            made = await run_in_threadpool(
                decode_apart, data, name or "image", max_pixels=self._limits.max_pixels
            )
        except ImageReadError as error:
            raise HTTPException(422, f"{error.path}: {error.reason}") from None
        picture = await run_in_threadpool(self._store.add, name or "image", made.pixels, made.note)
        return _described(picture)

    async def sample(self, request: Request) -> Response:
        from fastpgs import synth

        _own(request)
        self._samples += 1
        seed = self._samples
        smear = await run_in_threadpool(lambda: synth.smear(seed=seed))
        name, note = f"synthetic smear {seed}", "drawn by fastpgs.synth"
        picture = self._store.add(name, smear.image, note, smear.pixel_size)
        return _described(picture)

    async def picture(self, request: Request) -> Response:
        data, kind = await run_in_threadpool(pictures.encode, self._get(request).rgb)
        return Response(data, media_type=kind)

    async def cells(self, request: Request) -> Response:
        given = request.query_params.get("pixel_size") or None
        judged = await run_in_threadpool(self._judge, self._get(request), given)
        return JSONResponse(await run_in_threadpool(answers.describe, judged))

    async def segment(self, request: Request) -> Response:
        picture = self._get(request)
        query = request.query_params
        try:
            data, facts = await run_in_threadpool(
                _segment,
                picture,
                int(query.get("k", "3")),
                float(query["threshold"]) if query.get("threshold") else None,
                int(query["connectivity"]) if query.get("connectivity") else None,
            )
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        return Response(data, media_type="image/png", headers={"x-segmentation": json.dumps(facts)})

    async def cell(self, request: Request) -> Response:
        judged = self._judged(request)
        views = {"crop": pictures.seen, "mask": pictures.mask_map}
        view, row = request.path_params["view"], request.path_params["cell"] - 1
        if view not in views or not 0 <= row < len(judged.crops):
            raise HTTPException(404, "no such view of a cell")
        if view == "mask" and not judged.masks.size:
            raise HTTPException(404, "this network has no mask map")
        return Response(await run_in_threadpool(views[view], judged, row), media_type="image/png")

    async def download(self, request: Request) -> Response:
        kind = request.path_params["kind"]
        if kind not in answers.DOWNLOADS:
            raise HTTPException(404, f"downloads are {', '.join(answers.DOWNLOADS)}, got {kind}")
        judged = self._judged(request)
        media, ending = answers.DOWNLOADS[kind]
        data = await run_in_threadpool(answers.download, judged, kind)
        name = quote(f"{file_stem(judged.field.image)}{ending}")
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{name}"}
        return Response(data, media_type=media, headers=headers)

    async def _body(self, request: Request) -> bytes:
        most = self._limits.upload_bytes
        told = request.headers.get("content-length", "0")
        if not told.isdecimal() or int(told) > most:
            raise HTTPException(413, f"a file may have {most >> 20} MB, this one has more")
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
            if len(data) > most:
                raise HTTPException(413, f"a file may have {most >> 20} MB, this one has more")
        return bytes(data)

    def _get(self, request: Request) -> Picture:
        picture = self._store.get(request.path_params["id"])
        if picture is None:
            raise HTTPException(404, "this picture is no longer kept; open it again")
        return picture

    def _judged(self, request: Request) -> Judged:
        judged = self._get(request).judged
        if judged is None:
            raise HTTPException(409, "this picture has not been judged yet")
        return judged

    def _judge(self, picture: Picture, pixel_size: str | None) -> Judged:
        with self._judging:
            try:
                return judge(picture, self._model, _micrometres(pixel_size))
            except ValueError as error:
                raise HTTPException(422, str(error)) from None


def _micrometres(given: str | None) -> float | None:
    if given is None:
        return None
    size = float(given)
    if not 0.01 <= size <= 100.0:
        raise ValueError(f"a pixel size must be 0.01 to 100 micrometres, got {given}")
    return size


def _own(request: Request) -> None:
    """Refuse what another site's page sends: it cannot set this header unasked."""
    origin = request.headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign or request.headers.get("x-fastpgs") != "1":
        raise HTTPException(403, "requests that change something must come from this page")


def _described(picture: Picture) -> Response:
    height, width = picture.rgb.shape[:2]
    facts = {name: getattr(picture, name) for name in ("id", "name", "note", "pixel_size")}
    return JSONResponse({**facts, "width": width, "height": height})


def _segment(
    picture: Picture, k: int, threshold: float | None, connectivity: int | None
) -> tuple[bytes, dict[str, Any]]:
    from fastpgs import PivotGrowingSegmentation

    if k > 32:
        raise ValueError(f"k must be at most 32 here, got {k}")
    start = time.perf_counter()
    # A small picture is done in less time than threads on a busy machine take to meet.
    threads = 1 if picture.size <= 1 << 20 else None
    model = PivotGrowingSegmentation(k, threshold=threshold, connectivity=connectivity, num_threads=threads)
    model.fit(picture.rgb)
    spent = time.perf_counter() - start
    reached = [int((model.labels_ == label).sum()) for label in range(k + 1)]
    facts = {
        "ms": round(1000 * spent, 1),
        "iterations": model.n_iter_,
        "shares": [round(n / picture.size, 4) for n in reached],
        "pivots": model.pivot_points_.tolist(),
    }
    return pictures.encode_labels(model.labels_), facts


def _fill(index: str, model: Any, limits: Limits) -> str:
    import jinja2

    import fastpgs

    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    from fastpgs.report.colours import css, p_colour

    return environment.from_string(index).render(
        version=fastpgs.__version__,
        model=model.config.name,
        device=model.device,
        notice=NOTICE,
        megabytes=limits.upload_bytes >> 20,
        pixel_size=model.pixel_size,
        megapixels=limits.max_pixels // 1_000_000,
        upload_bytes=limits.upload_bytes,
        clusters=[css(colour) for colour in pictures.CLUSTER_COLOURS],
        scale=[(i * 10, css(p_colour(i / 10))) for i in range(11)],
    )
