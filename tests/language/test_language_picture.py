from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from language_worlds import CHIPS, GREEK, SOY, STRAWBERRY, shop

from p5rec.data.catalogue import Catalogue
from p5rec.errors import RequestError
from p5rec.language.explanation import Evidence, EvidenceEvent, EvidenceGroup, Explanation
from p5rec.language.picture import draw_evidence

SHOP = shop()
TRIED = (
    EvidenceEvent(0, SOY, -0.25, 1, 7),
    EvidenceEvent(3, CHIPS, 0.5, 1, 4),
    EvidenceEvent(4, GREEK, 1.5, 3, 3),
)
GROUPS = (EvidenceGroup("category", "Dairy", (GREEK, STRAWBERRY), 1.75, 4),)
EVIDENCE = Evidence(STRAWBERRY, -1.0, TRIED[::-1][:1], (), GROUPS, TRIED)
EXPLANATION = Explanation(SHOP.item_ids[STRAWBERRY], "You chose it & <b>more</b>.", EVIDENCE)


def test_a_page_shows_every_item_with_its_weight(tmp_path: Path) -> None:
    draw_evidence(EXPLANATION, SHOP, tmp_path / "new" / "why.html")
    page = (tmp_path / "new" / "why.html").read_text(encoding="utf-8")
    places = [page.index(name) for name in ("Soy Milk", "Corn Chips", "Greek Yogurt Vanilla")]
    assert places == sorted(places)
    assert all(weight in page for weight in ("-0.250", "+0.500", "+1.500", "+1.750"))
    assert page.count('<tr class="model">') == 1
    assert "category Dairy" in page
    assert "&lt;b&gt;more" in page
    assert "<b>more" not in page


def test_a_png_is_drawn_and_is_always_the_same(tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        draw_evidence(EXPLANATION, SHOP, tmp_path / name)
    one = (tmp_path / "one.png").read_bytes()
    assert one.startswith(b"\x89PNG")
    assert one == (tmp_path / "two.png").read_bytes()


def test_names_of_sellers_are_no_markup_and_no_mathematics(tmp_path: Path) -> None:
    catalogue = Catalogue.from_table(
        pa.table({"item_id": ["a", "b"], "title": ["$x^{2$ <script>alert(1)</script>", "{{ 7 }}"]})
    )
    evidence = Evidence(0, -1.0, (), tried=(EvidenceEvent(0, 1, 0.1),))
    for name in ("why.png", "why.html"):
        draw_evidence(Explanation("a", "", evidence), catalogue, tmp_path / name)
    assert "<script" not in (tmp_path / "why.html").read_text(encoding="utf-8")


def test_without_history_there_is_an_empty_picture(tmp_path: Path) -> None:
    bare = Explanation("sku-3", "It is by Chobani.", Evidence(STRAWBERRY, -1.0))
    for name in ("why.png", "why.html"):
        draw_evidence(bare, SHOP, tmp_path / name)
        assert (tmp_path / name).stat().st_size


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"expected \.html or \.png"):
        draw_evidence(EXPLANATION, SHOP, tmp_path / "why.pdf")
    with pytest.raises(RequestError, match="cannot be written"):
        draw_evidence(EXPLANATION, SHOP, Path("/proc/none/why.png"))
