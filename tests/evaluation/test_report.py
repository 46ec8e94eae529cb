import base64
import io
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from rich.console import Console

from p5rec.errors import RequestError
from p5rec.evaluation.protocol import Result
from p5rec.evaluation.report import (
    Example,
    Sections,
    Suggestion,
    TrainingPoint,
    to_json,
    to_table,
    write_html,
)
from p5rec.evaluation.significance import bootstrap_interval, paired_difference

SCRIPT = "<script>alert('x')</script> & <b>bold</b>"
SEMANTIC = {"count": 1.5, "recent": -0.5}


def result(name, protocol="plain", *, level=0.2, users=40, invalid=0):
    values = level * np.random.default_rng(len(name)).random(users)
    per_user = {f"{metric}@10": values for metric in ("recall", "ndcg", "hit", "mrr")}
    return Result(name, protocol, per_user, coverage=0.25, invalid_items=invalid)


@pytest.fixture
def results():
    return [
        result("model", level=0.8),
        result("popularity", level=0.4),
        result("own_recent", level=0.6, invalid=3),
        result("model", "unseen", level=0.3),
        result("popularity", "unseen", level=0.1),
    ]


@pytest.fixture
def sections():
    return Sections(
        facts={"recipe": SCRIPT, "seed": 0},
        training=[TrainingPoint(1, loss=3.0), TrainingPoint(2, loss=2.0, ndcg=0.1)],
        prior={SCRIPT: SEMANTIC, "item": {"count": 2.0}},
        examples=[
            Example(SCRIPT, [Suggestion(SCRIPT, SCRIPT, bought=True)], [SCRIPT], request=SCRIPT)
        ],
        notes=[SCRIPT],
    )


class Page(HTMLParser):
    """Collects what a browser would see, and checks that every element is closed."""

    VOID = frozenset({"meta", "img", "br"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.addresses, self.open, self.text = [], [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.addresses += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def test_json_holds_the_model_flat_and_baselines_nested(results):
    answer = json.loads(json.dumps(to_json(results)))
    values = results[0].per_user["recall@10"]
    expected = bootstrap_interval(values, seed=5)
    assert answer["recall@10"] == pytest.approx(values.mean())
    assert answer["intervals"]["recall@10"] == pytest.approx(
        [expected.low, expected.high], abs=0.01
    )
    assert (answer["invalid_items"], answer["users"], answer["coverage"]) == (0, 40, 0.25)
    assert list(answer["baselines"]) == ["popularity", "own_recent"]
    assert answer["baselines"]["own_recent"]["invalid_items"] == 3
    assert answer["first_time"]["ndcg@10"] == pytest.approx(results[3].per_user["ndcg@10"].mean())
    assert "recall@10" in answer["first_time"]["baselines"]["popularity"]


def test_the_lead_is_the_paired_difference(results):
    lead = to_json(results)["baselines"]["own_recent"]["lead"]["recall@10"]
    a, b = (results[number].per_user["recall@10"] for number in (0, 2))
    assert lead == pytest.approx(list(paired_difference(a, b, seed=5)), abs=0.01)


def test_another_result_may_be_the_model(results):
    answer = to_json(results, model="own_recent")
    assert answer["invalid_items"] == 3
    assert set(answer["baselines"]) == {"model", "popularity"}
    assert "recall@10" not in answer["first_time"]
    with pytest.raises(RequestError, match="no result is called 'other'"):
        to_json(results, model="other")
    with pytest.raises(RequestError, match="Results: none"):
        to_json([])


def printed(table, width):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return console.file.getvalue()


def test_the_table_fits_a_terminal_of_80_columns(results):
    text = printed(to_table(results), 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    ratio = results[0].means["recall@10"] / results[1].means["recall@10"]
    for word in ("own recent", "unseen", "recall@10", f"{ratio:.2f}×", "25.0%"):
        assert word in text


def test_names_are_not_markup(results):
    assert "[red]x" in printed(to_table([result("[red]x"), *results]), 100)


def test_unmeasured_metrics_are_left_out(results):
    assert "recall@20" not in printed(to_table(results, metrics=["recall@20", "hit@10"]), 80)
    assert "mrr@10" in printed(to_table(results, metrics=["recall@20"]), 100)


def test_no_users_and_no_popularity_are_shown(tmp_path):
    empty = [result("model", users=0), result("random", users=0)]
    assert to_json(empty)["recall@10"] == 0
    assert "–" in printed(to_table(empty), 80)
    write_html(tmp_path / "page.html", title="empty", results=empty)


def test_the_page_shows_everything_and_asks_for_nothing(results, sections, tmp_path):
    path = tmp_path / "new" / "report.html"
    write_html(path, title="A shop", results=results, sections=sections)
    page = Page(path.read_text(encoding="utf-8"))
    assert all(address.startswith("data:image/svg+xml;base64,") for address in page.addresses)
    assert len(page.addresses) == 4
    assert all(attrs["alt"] for tag, attrs in page.tags if tag == "img")
    for words in ("A shop", "First-time items", "own recent", "History", "bought next", "Set-up"):
        assert words in page.text
    headings = [attrs.get("id") for tag, attrs in page.tags if tag == "h2"]
    labels = [attrs["aria-labelledby"] for tag, attrs in page.tags if tag == "section"]
    assert headings == labels


def test_texts_from_data_are_never_markup(results, sections, tmp_path):
    path = tmp_path / "report.html"
    hostile = [result(SCRIPT, level=0.8), *results]
    write_html(path, title=SCRIPT, results=hostile, sections=sections, model="model")
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert not {"script", "b"} & {tag for tag, _ in page.tags}
    assert "<script" not in text
    assert page.text.count("alert('x')") >= 8
    for figure in re.findall(r"base64,([A-Za-z0-9+/=]+)", text):
        assert b"<script" not in base64.b64decode(figure)


def test_odd_names_can_be_drawn(tmp_path):
    odd = ["$\\frac{1}$", "名前" * 30, "a" * 200, "100% _x_"]
    write_html(
        tmp_path / "page.html",
        title="odd",
        results=[result(name) for name in odd],
        sections=Sections(prior={odd[0]: {odd[1]: 0.0}, odd[2]: {}}, training=[TrainingPoint(0)]),
    )


def test_the_same_figures_give_the_same_page(results, sections, tmp_path):
    for name in ("a", "b"):
        write_html(tmp_path / name, title="t", results=results, sections=sections)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_matplotlib_is_named_with_the_command(results, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(RequestError, match=r"pip install 'p5rec\[report\]'"):
        write_html(tmp_path / "page.html", title="t", results=results)
    assert not (tmp_path / "page.html").exists()


def test_a_place_that_cannot_be_written_is_named(results, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(RequestError, match="cannot be written"):
        write_html(tmp_path / "file" / "page.html", title="t", results=results)
