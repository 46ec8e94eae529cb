"""The report on semantic IDs: tables, JSON, and a page that shows what is typed as text."""

import io
import json
import sys

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from test_report import Page

from p5rec.data.catalogue import Catalogue
from p5rec.data.events import Events
from p5rec.errors import BundleError, RecipeError, RequestError
from p5rec.evaluation.ids_assessment import Judge, compare_schemes, report_on, scheme_of
from p5rec.evaluation.ids_report import side_by_side, tables, to_json, write_html
from p5rec.evaluation.treemap import boxes_of, draw_treemap
from p5rec.ids.diff import FittedIDs
from p5rec.ids.fit import fit_semantic_ids
from p5rec.ids.scheme import Scheme
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.model.fitted_ids import save_ids
from p5rec.progress import Reporter

SCRIPT = "</script><script>alert('x')</script> & <b>bold</b>"


@pytest.fixture(scope="module")
def shop():
    brands = [SCRIPT, "Alpo", "Zen"]
    titles = [f"{('oat', 'soy', 'rice')[n % 3]} milk {n // 6}" for n in range(36)]
    return Catalogue.from_table(
        pa.table(
            {
                "item_id": [f"i{n}" for n in range(36)],
                "title": titles,
                "brand": [brands[n % 3] for n in range(36)],
            }
        )
    )


@pytest.fixture(scope="module")
def log(shop):
    draw = np.random.default_rng(0)
    users, items = np.repeat(np.arange(40), 6), []
    for user in range(40):
        kind = np.arange(user % 3, 36, 3)
        items += [shop.item_ids[item] for item in draw.choice(kind, size=6, replace=False)]
    position = np.tile(np.arange(6), 40)
    return Events.from_table(
        pa.table({"user_id": users.astype(str), "item_id": items, "position": position})
    )


@pytest.fixture(scope="module")
def judge(shop, log):
    return Judge(shop, log)


@pytest.fixture(scope="module")
def subjects(judge):
    schemes = {"attributes": Scheme(), SCRIPT: Scheme(kind="residual", widths=(3,))}
    return compare_schemes(judge, schemes)


def printed(found):
    console = Console(width=80, file=io.StringIO())
    for table in found:
        console.print(table)
    return console.file.getvalue()


def test_schemes_that_know_the_kinds_agree_with_what_people_choose(subjects):
    for one in subjects:
        first = one.quality.levels[0].agreement
        assert set(first) == {"text", "co-occurrence", "held-out"}
        assert first["held-out"].share > 2 * first["held-out"].random
        assert one.quality.leaks is False
        assert one.quality.collisions == 0


def test_without_events_words_alone_judge(shop):
    (one,) = compare_schemes(Judge(shop), {"attributes": Scheme()})
    assert set(one.quality.neighbours) == {"text"}
    assert one.quality.leaks is None
    assert "not tried" in printed(tables([one]))


def test_users_of_one_basket_hold_nothing_out(shop):
    once = pa.table(
        {"user_id": ["u"] * 3, "item_id": ["i1", "i2", "i3"], "position": [1, 2, 3]}
        | {"session_id": ["s"] * 3}
    )
    judge = Judge(shop, Events.from_table(once))
    assert set(judge.neighbours) == {"text", "co-occurrence"}


def test_side_by_side(subjects):
    rows = dict(side_by_side(subjects))
    assert rows["items"] == ["36", "36"]
    assert rows["collisions"] == ["0", "0"]
    assert rows["held-out events change the IDs"] == ["no", "no"]
    assert all("×" in value for value in rows["held-out neighbours, first level"])
    assert len(rows["seconds of the fit"]) == 2
    text = printed(tables(subjects))
    assert "attributes" in text
    assert "alert" in text


def test_one_tree_level_by_level(subjects):
    text = printed(tables(subjects[:1]))
    for word in ("tokens an item", "brand", "entropy", "balance", "held-out neighbours"):
        assert word in text
    assert "…" not in text


def test_json(subjects):
    plain = json.loads(json.dumps(to_json(subjects[0])))
    assert plain["items"] == 36
    assert plain["leaks"] is False
    assert plain["levels"][0]["agreement"]["held-out"]["lift"] > 2


def test_the_page(subjects, shop, tmp_path):
    path = tmp_path / "new" / "ids.html"
    write_html(path, title=SCRIPT, subjects=subjects, catalogue=shop)
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    page = Page(text)
    assert all(address.startswith("data:") for address in page.addresses if address)
    assert sum(tag == "img" for tag, _ in page.tags) == 3
    assert text.count("Plotly.newPlot") >= 2
    policy = next(attrs for tag, attrs in page.tags if "http-equiv" in attrs)["content"]
    assert "default-src 'none'" in policy
    assert "alert('x')" in page.text


def test_a_place_that_cannot_be_written(subjects, shop, tmp_path):
    with pytest.raises(RequestError, match="cannot be written"):
        write_html(tmp_path, title="x", subjects=subjects[:1], catalogue=shop)


def test_without_plotly_it_says_what_to_install(subjects, shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(RequestError, match=r"pip install 'p5rec\[report\]'"):
        draw_treemap(boxes_of(subjects[0].ids, shop))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_boxes_hold_every_item_once(data):
    depth = data.draw(st.integers(1, 4))
    paths = data.draw(
        st.sets(st.tuples(*[st.integers(0, 3)] * depth), min_size=1, max_size=40).map(sorted)
    )
    levels = (*(f"level {n}" for n in range(depth - 1)), "item")
    ids = SemanticIDs(levels, np.int32(paths), (tuple("abcd"),) * depth)
    names = pa.table({"item_id": [f"i{n}" for n in range(len(paths))]})
    boxes = boxes_of(ids, Catalogue.from_table(names), most=data.draw(st.integers(1, 60)))
    assert len({box.name for box in boxes}) == len(boxes)
    inside = {box.name: 0 for box in boxes}
    for box in boxes[1:]:
        inside[box.parent] += box.items
    assert boxes[0].items == len(paths)
    assert all(inside[box.name] in (0, box.items) for box in boxes)


def test_a_scheme_by_kind_recipe_or_path(tmp_path):
    assert scheme_of("hybrid") == Scheme(kind="hybrid")
    assert scheme_of("gpt2-mini") == Scheme()
    mine = tmp_path / "mine.toml"
    mine.write_text(
        '[base]\nfamily = "gpt2"\nname = "gpt2"\n[ids]\nkind = "residual"\nwidths = [8, 8]\n'
    )
    assert scheme_of(mine) == Scheme(kind="residual", widths=(8, 8))
    with pytest.raises(RequestError, match=r"no scheme 'redisual'. Kinds: attributes, residual"):
        scheme_of("redisual")
    with pytest.raises(RecipeError, match="cannot be read"):
        scheme_of(tmp_path / "none.toml")


def test_a_report_on_a_folder_of_ids(shop, log, tmp_path, capsys):
    ids = fit_semantic_ids(shop, Scheme(kind="residual", widths=(3,)))
    save_ids(FittedIDs(ids, shop), tmp_path / "ids")
    subject, catalogue = report_on(tmp_path / "ids", log, reporter=Reporter())
    assert len(catalogue) == 36
    assert subject.quality.leaks is None
    assert subject.quality.levels[0].agreement["text"].lift > 1
    assert "may have been fitted on all events" in capsys.readouterr().err
    with pytest.raises(BundleError, match="is not a bundle"):
        report_on(tmp_path / "nothing")
