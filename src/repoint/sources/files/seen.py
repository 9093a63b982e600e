"""Which ids a file has had already, in 16 bytes a table place."""

from __future__ import annotations

from array import array
from typing import Final

_FIRST_SIZE: Final = 1 << 12
_WORD: Final = (1 << 64) - 1


class SeenIds:
    """Remembers 64-bit hashes of ids and the line of each, in open-addressed arrays.

    Between 24 and 48 bytes an id, where a dictionary takes about 170. Two ids of one hash
    would be taken for one: for ten million ids that happens in one file of 370,000.
    """

    def __init__(self) -> None:
        self._resize(_FIRST_SIZE)
        self._count = 0

    def first(self, id_: str, line: int) -> int:
        """Return the line that had this id before; 0, after remembering it, if none had."""
        key = hash(id_) & _WORD or 1  # 0 marks a free place
        keys, mask = self._keys, self._mask
        place = key & mask
        while found := keys[place]:
            if found == key:
                return self._lines[place]
            place = (place + 1) & mask
        keys[place] = key
        self._lines[place] = line
        self._count += 1
        if 3 * self._count > 2 * mask:
            self._grow()
        return 0

    def _grow(self) -> None:
        keys, lines = self._keys, self._lines
        self._resize(2 * len(keys))
        new_keys, new_lines, mask = self._keys, self._lines, self._mask
        for key, line in zip(keys, lines, strict=True):
            if key:
                place = key & mask
                while new_keys[place]:
                    place = (place + 1) & mask
                new_keys[place] = key
                new_lines[place] = line

    def _resize(self, size: int) -> None:
        self._keys = array("Q", bytes(8 * size))
        self._lines = array("Q", bytes(8 * size))
        self._mask = size - 1
