"""Why a file gave no picture, and what to know of one that it gave."""

from __future__ import annotations

__all__ = ["FirstFrameWarning", "ImageReadError", "check_size"]


class ImageReadError(Exception):
    """A file that gave no picture.

    Attributes
    ----------
    path : str
        The file, as given.
    reason : str
        Why, in plain words, without the path.
    status : {"failed", "refused"}
        ``"failed"``: missing, unreadable or damaged. ``"refused"``: not accepted whatever its content, such
        as a named pipe, or a picture beyond the pixel limit.
    retry : bool
        The cause may pass (an I/O error, too little memory), so trying again makes sense.
    """

    def __init__(self, path: str, reason: str, *, status: str = "failed", retry: bool = False) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason
        self.status = status
        self.retry = retry


class FirstFrameWarning(UserWarning):
    """The file holds several pictures; only the first was read."""


def check_size(name: str, width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture without pixels, or with more than the limit.

    Raises
    ------
    ImageReadError
    """
    if width * height > max_pixels:
        raise ImageReadError(
            name,
            f"{width} x {height} = {width * height:,} pixels, more than the limit of {max_pixels:,};"
            " cut out fields or raise max_pixels (--max-pixels)",
            status="refused",
        )
    if width < 1 or height < 1:
        raise ImageReadError(name, f"expected a picture with pixels, got {width} x {height}")
