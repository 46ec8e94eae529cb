"""What is shown of long work, and what is not."""

from __future__ import annotations

import pytest
from tqdm.auto import tqdm

from p5rec.progress import quiet_transformers


def test_other_libraries_draw_no_bars_while_transformers_is_quiet(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with quiet_transformers():
        assert list(tqdm(range(3))) == [0, 1, 2]
    assert not capsys.readouterr().err
    assert list(tqdm(range(3))) == [0, 1, 2]
    assert "3/3" in capsys.readouterr().err
