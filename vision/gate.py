"""The motion gate: only a picture that differs from the last one is looked at."""

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.frames import Picture

_SIDE = 64


class MotionGate:
    """Compares small grey copies of one camera's pictures.

    Parameters
    ----------
    levels
        How much a cell of the 64 x 64 copy must differ, 0..255.
    share
        Which share of the cells must differ, 0..1; 0 lets every picture pass.
    """

    def __init__(self, levels: int = 12, share: float = 0.005) -> None:
        if not 0 <= levels <= 255:
            raise ValueError(f"levels: {levels} is not in 0..255")
        if not 0 <= share <= 1:
            raise ValueError(f"share: {share} is not in 0..1")
        self._levels, self._share = levels, share
        self._last: NDArray[np.int16] | None = None

    def moved(self, picture: Picture) -> bool:
        """Tell whether the picture differs from the last one that did; the first always does."""
        small = cv2.cvtColor(
            cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2GRAY
        ).astype(np.int16)
        if self._last is not None:
            differing = np.count_nonzero(np.abs(small - self._last) > self._levels)
            if self._share > 0 and differing < self._share * small.size:
                return False
        self._last = small
        return True
