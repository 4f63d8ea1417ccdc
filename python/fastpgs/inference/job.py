"""A run that writes to a folder: blocks of inputs judged and saved, then joined to tables."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastpgs.inference import outputs
from fastpgs.inference.items import Item
from fastpgs.inference.options import SlideOptions, StreamOptions, row_options
from fastpgs.inference.parts import RunFolder
from fastpgs.inference.profile import Profile
from fastpgs.inference.provenance import describe_model, versions
from fastpgs.inference.results import FieldResult, Result
from fastpgs.inference.stream import stream
from fastpgs.inference.writer import Writer

if TYPE_CHECKING:
    from fastpgs.report.cards import Drawings

__all__ = ["Crew", "Interrupted", "Job", "Progress", "Tally", "judge"]

Progress = Callable[[int, int | None, FieldResult | None], None]
Crew = Callable[[RunFolder, list[list[Item]], "Tally"], None]


class Interrupted(KeyboardInterrupt):
    """The run was stopped from outside; what was done is saved.

    Attributes
    ----------
    done, total : int
        Inputs judged, inputs in all.
    tables : bool
        Whether the tables of the output folder show the part that is done.
    """

    def __init__(self, done: int, total: int, tables: bool) -> None:
        super().__init__(f"stopped after {done} of {total} inputs; what is done is saved: --resume goes on")
        self.done, self.total, self.tables = done, total, tables


def judge(
    items: Iterable[Item], model: Any, options: StreamOptions, slides: SlideOptions, profile: Profile
) -> Generator[FieldResult, None, None]:
    """Judge items lazily, in order: pictures in a stream, slides one after the other."""

    def big(item: Item) -> bool:
        if item.path is None:
            return False
        from fastpgs.slides.reader import is_slide

        return is_slide(item.path, options.max_pixels)

    for are_slides, group in groupby(items, key=big):
        if not are_slides:
            yield from stream(group, model, options, profile)
            continue
        from fastpgs.slides.run import judge_slide

        for item in group:
            yield judge_slide(item, model, options, slides, profile)


class Job:
    """A run that writes to a folder."""

    def __init__(
        self,
        out: Path,
        model: Any,
        options: StreamOptions,
        slides: SlideOptions,
        formats: frozenset[str],
        report: bool,
        shard: tuple[int, int] | None,
        progress: Progress | None,
    ) -> None:
        self.out = out
        self.model = model
        self.formats = formats
        self.report = report
        self.shard = shard
        self.progress = progress
        self.profile = Profile()
        self.drawings: Drawings | None = None
        thumbnail = None
        if report:
            from fastpgs.report import overlay

            thumbnail = overlay.thumbnail
        self.options = replace(
            options,
            outlines=True,
            labels="labels" in formats,
            pixels="overlays" in formats,
            thumbnail=thumbnail,
        )
        self.made_with = {
            "versions": versions(),
            "model": describe_model(model),
            "options": {
                **row_options(options),
                "report": report,
                # These need the pictures, so they cannot be added to blocks that are done.
                **{name: name in formats for name in ("labels", "overlays")},
            },
        }
        if slides.pixel_size is not None:
            self.made_with["options"]["pixel_size"] = slides.pixel_size
        self.slides = replace(
            slides, labels="labels" in formats, outlines=bool(formats & {"geojson", "coco"})
        )
        if shard is not None:
            self.made_with["options"]["shard"] = f"{shard[0]}/{shard[1]}"

    def run(self, items: list[Item], *, resume: bool, restart: bool, crew: Crew | None = None) -> Result:
        """Judge the items, save their blocks and make the tables.

        Parameters
        ----------
        items : list of Item
        resume, restart : bool
            As in `fastpgs.classify`.
        crew : callable, optional
            Has blocks judged and saved; default: this process does it.
        """
        if resume and any(item.pixels is not None for item in items):
            raise ValueError("resume needs files: arrays carry nothing to tell whether they have changed")
        path = self.out
        if self.shard is not None:
            i, n = self.shard
            path = self.out / "shards" / f"{i}-of-{n}"
            items = [item for item in items if item.block % n == i - 1]
        elif self.report:
            from fastpgs.report.cards import Drawings

            self.drawings = Drawings(len(items))
        with RunFolder(path) as folder:
            folder.begin(self.made_with, resume=resume, restart=restart)
            try:
                result = self._fill(folder, items, crew or self._judge)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                raise OSError(
                    error.errno,
                    f"{os.strerror(error.errno)} while writing to {path.name!r}; what is done is saved:"
                    " make room, and --resume goes on",
                ) from error
        if self.shard is not None:
            self._merge(self.shard[1])
        return result

    def _fill(self, folder: RunFolder, items: list[Item], crew: Crew) -> Result:
        blocks = [list(group) for _, group in groupby(items, key=lambda item: item.block)]
        todo = [block for block in blocks if not folder.holds(block)]
        folder.drop_from(blocks[-1][0].block + 1 if blocks else 0)
        kept = len(items) - sum(map(len, todo))
        tally = Tally(kept, len(items), self.progress)
        try:
            crew(folder, todo, tally)
        except KeyboardInterrupt:
            tables = not (folder.path / outputs.RUN).exists()
            if tables:
                self._finish([folder], complete=False, kept=kept)
            raise Interrupted(tally.done, tally.total, tables) from None
        missing = sum(not folder.has(block[0].block) for block in blocks)
        if missing:
            raise ValueError(
                f"{missing} of {len(blocks)} blocks were reported as done but are not in {folder.path.name!r}:"
                " is it the same shared folder on all machines? --resume redoes them"
            )
        result = self._finish([folder], complete=True, kept=kept)
        folder.complete(self.made_with)
        return result

    def _judge(self, folder: RunFolder, todo: list[list[Item]], tally: Tally) -> None:
        """Judge and save blocks in this process."""
        results = judge(
            (item for block in todo for item in block),
            self.model,
            self.options,
            self.slides_in(folder),
            self.profile,
        )
        with Writer(folder, self.formats, self.profile, self.drawings) as writer:
            rows: list[FieldResult] = []
            if self.report:
                from fastpgs.report.html import prepare

                writer.prepare(prepare)  # the first pictures are waited for, and processors are idle
            try:
                for block in todo:
                    rows = []
                    for _ in block:
                        one = next(results)
                        rows.append(one)
                        writer.files(one)
                        tally.add(one)
                    writer.save(rows)
                writer.wait()
            except KeyboardInterrupt:
                results.close()  # the processors are for saving now
                writer.save(rows)
                writer.wait()
                raise
            finally:
                results.close()

    def slides_in(self, folder: RunFolder) -> SlideOptions:
        """How slides are judged whose tiles and products go to a folder."""
        return replace(self.slides, folder=folder.parts / "slides", products=folder.path)

    def _finish(self, folders: list[RunFolder], *, complete: bool, kept: int) -> Result:
        record = {
            "complete": complete,
            "resumed_inputs": kept,
            "formats": sorted(self.formats),
            **outputs.run_record(self.made_with, self.model),
        }
        return outputs.finish(
            folders[0].path, folders, record, self.formats, self.report, self.profile, self.drawings
        )

    def _merge(self, n: int) -> None:
        """Join the shards in the folder above, if all of them are done."""
        wanted = _without_shard(self.made_with)
        shards = [RunFolder(self.out / "shards" / f"{i}-of-{n}") for i in range(1, n + 1)]
        with RunFolder(self.out, wait=600):
            for shard in shards:
                state = shard.state()
                if state is None or not state["complete"] or _without_shard(state["made_with"]) != wanted:
                    return
            record = {
                "complete": True,
                "shards": n,
                "formats": sorted(self.formats),
                **outputs.run_record(wanted, self.model),
            }
            outputs.finish(self.out, shards, record, self.formats, self.report, None)


def _without_shard(made_with: dict[str, Any]) -> dict[str, Any]:
    options = {name: value for name, value in made_with["options"].items() if name != "shard"}
    return {**made_with, "options": options}


@dataclass
class Tally:
    """Counts inputs and tells the caller."""

    done: int
    total: int
    progress: Progress | None = None

    def __post_init__(self) -> None:
        if self.progress is not None and self.done:
            self.progress(self.done, self.total, None)

    def add(self, one: FieldResult) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.done, self.total, one)

    def add_block(self, inputs: int) -> None:
        """Count inputs that were judged elsewhere."""
        self.done += inputs
        if self.progress is not None:
            self.progress(self.done, self.total, None)
