"""A decoded picture as bytes: what a decoder says of it before anybody needs NumPy, which takes longer to import
than a small picture takes to decode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["Raw"]


class Raw(NamedTuple):
    """A decoded picture.

    Attributes
    ----------
    shape : tuple of int
        (H, W) or (H, W, 3).
    dtype : str
        Of a sample, as NumPy writes it: ``"|u1"`` or ``"<u2"``.
    data : bytes or memoryview of bytes
        Row by row.
    note : str or None
        What was left out.
    """

    shape: tuple[int, ...]
    dtype: str
    data: bytes | memoryview
    note: str | None = None

    @classmethod
    def of(cls, pixels: np.ndarray[Any, Any], note: str | None = None) -> Raw:
        """Of an array, which is not copied where it is contiguous."""
        import numpy as np

        array = np.ascontiguousarray(pixels)
        return cls(array.shape, array.dtype.str, array.reshape(-1).view(np.uint8).data, note)

    def pixels(self) -> np.ndarray[Any, Any]:
        """The array, a view of `data`."""
        import numpy as np

        return np.frombuffer(self.data, self.dtype).reshape(self.shape)
