# SPDX-License-Identifier: Apache-2.0
"""The tree of RFC 6962, section 2.1, as far as one who appends to it needs it: its right edge.

A compact range keeps one hash for each perfect subtree, the largest first. To append a leaf takes constant time on
average, and the root is known at any moment without reading a leaf again.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

HASH_BYTES: Final = 32
_LEAF: Final = b"\x00"
_NODE: Final = b"\x01"


def leaf_hash(content: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 of a zero byte and its content."""
    return hashlib.sha256(_LEAF + content).digest()


def _node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(_NODE + left + right).digest()


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactRange:
    """A tree of ``size`` leaves.

    Attributes:
        peaks: hashes of its perfect subtrees, the largest first; as many as ``size`` has bits that are set.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError when size and peaks do not belong together."""
        if self.size < 0 or len(self.peaks) != self.size.bit_count():
            raise ValueError(f"a tree of {self.size} leaves does not have {len(self.peaks)} perfect subtrees")

    @property
    def root(self) -> bytes:
        """The hash of the whole tree; of no leaf at all it is the hash of nothing."""
        if not self.peaks:
            return hashlib.sha256().digest()
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = _node_hash(peak, root)
        return root

    def with_leaves(self, hashes: Iterable[bytes]) -> Self:
        """Return the tree with leaves appended, given by their hashes."""
        size, peaks = self.size, list(self.peaks)
        for leaf in hashes:
            node, rest = leaf, size
            while rest & 1:
                node, rest = _node_hash(peaks.pop(), node), rest >> 1
            peaks.append(node)
            size += 1
        return type(self)(size=size, peaks=tuple(peaks))

    @property
    def packed(self) -> bytes:
        """The peaks one after the other."""
        return b"".join(self.peaks)

    @classmethod
    def unpacked(cls, size: int, packed: bytes) -> Self:
        """Return the tree whose peaks stand one after the other. Raises ValueError: they are not those of a tree."""
        return cls(size=size, peaks=tuple(packed[at : at + HASH_BYTES] for at in range(0, len(packed), HASH_BYTES)))
