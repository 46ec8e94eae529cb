"""An explanation as it is written."""

from __future__ import annotations

from collections.abc import Iterator

from p5rec.language.explanation import Explanation


class ExplanationStream(Iterator[str]):
    """The pieces of an explanation's text, as they come.

    Put together they are ``explanation.text``. Asking for ``explanation`` writes what is left.
    """

    def __init__(self, parts: Iterator[str | Explanation]) -> None:
        self._parts = parts
        self._whole: Explanation | None = None

    def __next__(self) -> str:
        """The next piece."""
        for part in self._parts:
            if isinstance(part, Explanation):
                self._whole = part
            elif part:
                return part
        raise StopIteration

    @property
    def explanation(self) -> Explanation:
        """The whole of it, with evidence and claims."""
        for _ in self:
            pass
        assert self._whole is not None
        return self._whole
