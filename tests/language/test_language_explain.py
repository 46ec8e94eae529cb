"""Evidence, writing and explaining with a tiny GPT-2 and a tiny T5 of random weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from language_worlds import GREEK, HISTORY, HOUSE, OAT, SOY, STRAWBERRY, shop
from tiny_worlds import item_counts

from p5rec.data.events import Histories
from p5rec.decoding.history_index import Forgetting
from p5rec.decoding.history_prior import HistoryPrior
from p5rec.decoding.next_item import NextItemRanker
from p5rec.decoding.scorer import ItemScorer
from p5rec.decoding.trie import Trie
from p5rec.errors import DecodingError, RequestError, TemplateError
from p5rec.ids.semantic_ids import SemanticIDs
from p5rec.language import evidence as evidence_module
from p5rec.language import explain, free_writer, statement_writer
from p5rec.language.evidence import measure_evidence, without
from p5rec.language.explain import Explainer
from p5rec.language.explanation import Explanation
from p5rec.language.explanation_tools import Tools
from p5rec.language.faithfulness import measure_faithfulness
from p5rec.language.generate import write
from p5rec.language.phrases import load_phrases
from p5rec.language.sentences import Sentence
from p5rec.language.verify import Verifier
from p5rec.model.base_models import BaseModel
from p5rec.model.item_model import extend_base
from p5rec.model.minis import make_mini
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.prompt_encoding import PromptEncoder
from p5rec.model.recipe import Adapter, Base, Mini
from p5rec.model.vocabulary import Vocabulary
from p5rec.prompting.templates import TemplateSet, load_templates
from p5rec.prompting.tokenizer_training import train_tokenizer
from p5rec.prompting.tokenizing import TextTokenizer

SHOP = shop()
N = len(SHOP)


@dataclass
class Tiny:
    ranker: NextItemRanker
    end: int


def make(family: str, positions: int = 64) -> Tiny:
    """A ranker whose prior favours what the history has, so that evidence is there."""
    tokenizer = train_tokenizer([*SHOP.texts, "You chose it before."], kind=family, vocab_size=600)
    codes = np.stack([np.arange(N) % 3, np.arange(N)], axis=1).astype(np.int32)
    labels = (("a", "b", "c"), tuple(map(str, range(N))))
    ids = SemanticIDs(("group", "item"), codes, labels)
    trie = Trie.from_semantic_ids(ids)
    base = Base(family=family, mini=Mini(width=32, positions=positions))
    size = len(tokenizer)
    vocabulary = Vocabulary.from_semantic_ids(size, ids)
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(vocabulary.n_item_tokens, 32, generator=generator) * 0.3
    model = extend_base(
        BaseModel(make_mini(base, size, seed=0), tokenizer), rows, Adapter(method="full")
    )
    prior = HistoryPrior(
        trie, Forgetting((1, 5), (2, 7)), item_counts(np.ones(N, dtype=np.int64)), width=0
    )
    with torch.no_grad():
        prior.history.fill_(0.5)
    scorer = ItemScorer(model.backbone, vocabulary, trie, prior).eval()
    paths = scorer.path_tokens(torch.arange(N)).numpy()
    encoder = PromptEncoder(
        TextTokenizer(tokenizer),
        paths,
        one_position=True,
        end=tokenizer.eos_token_id,
        longest_text=24,
    )
    head = encoder.text(encoder.tokenizer.encode_literal("Chosen:"))
    return Tiny(NextItemRanker(scorer, encoder, head, history=16, beams=8), tokenizer.eos_token_id)


@pytest.fixture(scope="module")
def gpt2() -> Tiny:
    return make("gpt2")


@pytest.fixture(scope="module", params=["gpt2", "t5"])
def tiny(request: pytest.FixtureRequest) -> Tiny:
    return make(request.param, positions=256)


def histories(*users: list[int]) -> Histories:
    events = [[SHOP.item_ids[row] for row in user] for user in users]
    return Histories.from_events(events, SHOP)[0]


def tools_of(tiny: Tiny) -> Tools:
    return Tools(tiny.ranker, SHOP, load_templates(), end=tiny.end)


def test_weights_are_what_the_score_loses(tiny: Tiny) -> None:
    people = histories(HISTORY, [], [SOY, OAT])
    items = np.array([STRAWBERRY, OAT, SOY])
    found = measure_evidence(tiny.ranker, people, items, SHOP, most=10)
    scores = tiny.ranker.score(people, items)
    for user, (evidence, score) in enumerate(zip(found, scores, strict=True)):
        assert evidence.log_probability == pytest.approx(score, abs=1e-4)
        one = people.take(np.array([user]))
        history = people.items[people.slice(user)]
        for event in evidence.events:
            less = tiny.ranker.score(one.where(one.items != event.item), items[[user]])
            assert event.weight == pytest.approx(score - less[0], abs=1e-4)
            assert event.weight > 0
            assert history[event.position] == event.item
            assert event.count == (history == event.item).sum()
            assert event.ago == len(history) - event.position
        weights = [event.weight for event in evidence.events]
        assert weights == sorted(weights, reverse=True)
    assert found[1].events == found[1].shared == ()


def test_several_items_of_one_history_are_explained_from_one_reading(
    gpt2: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = np.array([STRAWBERRY, OAT, GREEK, STRAWBERRY])
    several = histories(HISTORY, HISTORY, HISTORY, HISTORY[:-1])
    single = [
        measure_evidence(gpt2.ranker, several.take(np.array([at])), items[[at]], SHOP)[0]
        for at in range(4)
    ]
    read: list[int] = []
    contexts = NextItemRanker.contexts

    def counted(ranker: NextItemRanker, part: Histories, *, prior_alone: bool) -> object:
        read.append(len(part))
        return contexts(ranker, part, prior_alone=prior_alone)

    monkeypatch.setattr(NextItemRanker, "contexts", counted)
    together = measure_evidence(gpt2.ranker, several, items, SHOP)
    for one, other in zip(together, single, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-4)
        assert [event.item for event in one.events] == [event.item for event in other.events]
    # Whole, and without each of the distinct items; groups differ from item to item.
    assert sum(read) < 2 * (1 + len(set(HISTORY))) + 12


def test_an_item_bought_again_is_carried_by_itself(gpt2: Tiny) -> None:
    (evidence,) = measure_evidence(gpt2.ranker, histories(HISTORY), np.array([GREEK]), SHOP)
    assert evidence.events[0].item == GREEK
    assert (evidence.events[0].count, evidence.events[0].ago) == (3, 3)
    assert evidence.shared[0].attribute == "again"
    assert evidence.shared[0].value == "3"


def test_of_a_long_history_some_items_are_tried(
    gpt2: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    score = NextItemRanker.score

    def counting(self, histories, items, **how):
        tried.append(len(histories))
        return score(self, histories, items, **how)

    monkeypatch.setattr(NextItemRanker, "score", counting)
    long = histories([GREEK, *HISTORY, *([HOUSE, OAT] * 500)])
    found = measure_evidence(gpt2.ranker, long, np.array([STRAWBERRY]), SHOP, most=9, considered=2)
    assert tried == [3]
    # The most recent one, and the one that shares most.
    assert {event.item for event in found[0].events} <= {OAT, GREEK}


def test_taking_an_item_out_leaves_sessions_and_days() -> None:
    people = Histories(
        ("u", "v"),
        np.array([0, 3, 4]),
        np.array([1, 2, 1, 1]),
        np.arange(4.0),
        np.array([0, 1, 2, 0]),
    )
    less = without(people, [np.array([1]), np.array([], dtype=np.int64)])
    assert less.items.tolist() == [2, 1]
    assert less.offsets.tolist() == [0, 1, 2]
    assert less.sessions.tolist() == [1, 0]
    assert less.days is not None
    assert less.days.tolist() == [1.0, 3.0]


def test_writing_gives_text_alone_and_the_same_in_a_batch(tiny: Tiny) -> None:
    encoder, backbone = tiny.ranker.encoder, tiny.ranker.scorer.backbone
    prompts = [
        encoder.text(encoder.tokenizer.encode_literal(text)) for text in ("Why", "You chose it")
    ]
    options = {"tokenizer": encoder.tokenizer, "end": tiny.end, "longest": 8}
    together = write(backbone, PromptBatch.from_prompts(prompts), **options)
    apart = [write(backbone, PromptBatch.from_prompts([p]), **options)[0] for p in prompts]
    assert together == apart
    assert all("<" not in text for text in together)


def test_writing_stops_where_the_positions_end(gpt2: Tiny) -> None:
    encoder, backbone = gpt2.ranker.encoder, gpt2.ranker.scorer.backbone
    full = np.repeat(encoder.items(np.array([0])), 62, axis=0)
    assert write(
        backbone, PromptBatch.from_prompts([full]), tokenizer=encoder.tokenizer, end=gpt2.end
    )


def test_damaged_weights_are_an_error() -> None:
    damaged = make("gpt2")
    encoder, backbone = damaged.ranker.encoder, damaged.ranker.scorer.backbone
    with torch.no_grad():
        backbone.table.weight.fill_(torch.nan)
    prompts = PromptBatch.from_prompts([encoder.items(np.array([0]))])
    with pytest.raises(DecodingError, match="not finite"):
        write(backbone, prompts, tokenizer=encoder.tokenizer, end=damaged.end)


def test_every_explanation_holds(tiny: Tiny) -> None:
    explainer = Explainer(tools_of(tiny))
    people = histories(HISTORY, [], HISTORY, [SOY])
    items = np.array([STRAWBERRY, OAT, GREEK, OAT])
    found = explainer.explain(people, items)
    assert [explanation.item_id for explanation in found] == ["sku-3", "sku-0", "sku-2", "sku-0"]
    verifier = Verifier(SHOP)
    for user, explanation in enumerate(found):
        assert explanation.text
        assert explanation.claims
        assert all(claim.supported for claim in explanation.claims)
        verdict = verifier.verify(
            explanation.text, item=int(items[user]), history_rows=people.items[people.slice(user)]
        )
        assert verdict.text == explanation.text
        # The model chooses among statements that hold, so even random weights write what is true.
        assert explanation.refused == ()
    assert "generated" in {explanation.source for explanation in found}


def test_explaining_a_batch_gives_what_single_calls_give(gpt2: Tiny) -> None:
    explainer = Explainer(tools_of(gpt2))
    people, items = histories(HISTORY, [SOY, OAT]), np.array([STRAWBERRY, SOY])
    together = explainer.explain(people, items, generate=False)
    apart = [
        explainer.explain(people.take(np.array([u])), items[[u]], generate=False)[0] for u in (0, 1)
    ]
    assert [e.text for e in together] == [e.text for e in apart]
    assert explainer.explain(histories(), np.empty(0, np.int64)) == []


def test_generated_sentences_that_hold_are_returned(
    gpt2: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer(tools_of(gpt2))
    text = "it is by chobani. it is by lindt."
    monkeypatch.setattr(free_writer, "write", lambda backbone, prompts, **_: [text])
    (explanation,) = explainer.explain(histories(HISTORY), np.array([GREEK]), generate="freely")
    assert explanation.source == "generated"
    assert explanation.text == "It is by chobani."
    assert explanation.refused == ("it is by lindt.",)


def test_without_evidence_what_is_written_freely_is_plain_and_measured_once(
    gpt2: Tiny, monkeypatch: pytest.MonkeyPatch
) -> None:
    explainer = Explainer(tools_of(gpt2))
    measured: list[int] = []

    def measure(*given: object, **more: object) -> object:
        measured.append(1)
        return measure_evidence(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(explain, "measure_evidence", measure)
    *pieces, whole = explainer.stream(histories([]), np.array([GREEK]), generate="freely")
    assert measured == [1]
    assert isinstance(whole, Explanation)
    assert "".join(map(str, pieces)) == whole.text
    assert whole == explainer.explain(histories([]), np.array([GREEK]), generate=False)[0]


def test_with_nothing_to_say_it_says_so(gpt2: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    explainer = Explainer(tools_of(gpt2))
    untrue = Sentence("You chose Oatly.", "You chose Oatly.")
    monkeypatch.setattr(statement_writer, "statements", lambda *_, **__: iter([[untrue]]))
    (explanation,) = explainer.explain(histories([]), np.array([STRAWBERRY]))
    assert explanation.text == load_phrases().none


def test_a_template_for_explanations_is_needed(gpt2: Tiny) -> None:
    with pytest.raises(TemplateError, match="explanation"):
        Tools(gpt2.ranker, SHOP, TemplateSet(()), end=gpt2.end)


def test_groups_are_weighed_together(gpt2: Tiny) -> None:
    people, item = histories(HISTORY), np.array([OAT])
    (evidence,) = measure_evidence(gpt2.ranker, people, item, SHOP)
    full = gpt2.ranker.score(people, item)[0]
    assert len(evidence.tried) == len(set(HISTORY))
    assert [event.position for event in evidence.tried] == sorted(
        event.position for event in evidence.tried
    )
    for group in evidence.groups:
        assert len(group.items) > 1
        less = gpt2.ranker.score(without(people, [np.array(group.items)]), item)[0]
        assert group.weight == pytest.approx(full - less, abs=1e-4)
        assert group.count == sum(row in group.items for row in HISTORY)


def test_what_weighs_little_beside_the_heaviest_is_not_named(gpt2: Tiny) -> None:
    (evidence,) = measure_evidence(gpt2.ranker, histories(HISTORY), np.array([GREEK]), SHOP, most=9)
    heaviest = evidence.events[0].weight
    assert all(event.weight > 0.2 * heaviest for event in evidence.events)


@pytest.mark.parametrize(("weight", "named"), [(0.5, False), (0.7, True)])
def test_a_group_is_named_where_it_weighs_a_fifth_of_the_heaviest_item(
    gpt2: Tiny, monkeypatch: pytest.MonkeyPatch, weight: float, named: bool
) -> None:
    """Without the item itself the score falls by 3, without any group by ``weight``."""

    def scores(
        _: NextItemRanker, people: Histories, items: np.ndarray, users: np.ndarray, removed: list
    ) -> np.ndarray:
        falls = [3.0 if rows.tolist() == [OAT] else weight * (len(rows) > 1) for rows in removed]
        return -np.array(falls)

    monkeypatch.setattr(evidence_module, "score_without", scores)
    (evidence,) = measure_evidence(gpt2.ranker, histories([*HISTORY, OAT]), np.array([OAT]), SHOP)
    assert [event.item for event in evidence.events] == [OAT]
    assert bool(evidence.groups) == named


def test_faithfulness_is_the_drop_without_what_is_named(gpt2: Tiny) -> None:
    people = histories(HISTORY, [], HISTORY, [SOY])
    items = np.array([GREEK, OAT, STRAWBERRY, OAT])
    evidence = measure_evidence(gpt2.ranker, people, items, SHOP, most=1)
    measured = measure_faithfulness(gpt2.ranker, people, evidence, draws=4)
    # No history, and a history of one item that is all of the evidence, say nothing.
    kept = [one for one in (evidence[0], evidence[2]) if one.events]
    assert len(measured.named) == len(measured.random) == len(kept)
    assert measured.named[0] == pytest.approx(evidence[0].events[0].weight, abs=1e-4)
    low, high = measured.interval(draws=50)
    assert low <= measured.ratio <= high
    assert measured.ratio > 1


@pytest.mark.parametrize("language", ["de", "es", "fr"])
def test_explanations_in_another_language_have_claims_that_hold(tiny: Tiny, language: str) -> None:
    explainer = Explainer(tools_of(tiny))
    people, items = histories(HISTORY, [SOY]), np.array([GREEK, OAT])
    english = explainer.explain(people, items, generate=False)
    for generate in (True, False):
        found = explainer.explain(people, items, generate=generate, language=language, sentences=3)
        for one, other in zip(found, english, strict=True):
            assert one.text != other.text
            assert one.claims
            assert all(claim.supported for claim in one.claims)


def test_as_many_sentences_as_asked_for(gpt2: Tiny) -> None:
    explainer = Explainer(tools_of(gpt2))
    for most in (1, 2, 3):
        (found,) = explainer.explain(
            histories(HISTORY), np.array([GREEK]), generate=False, sentences=most
        )
        assert 1 <= found.text.count(".") <= most + found.text.count("5.3")
    with pytest.raises(RequestError, match="expected at least 1"):
        explainer.explain(histories(HISTORY), np.array([GREEK]), sentences=0)
    with pytest.raises(RequestError, match="no phrases for the language 'xx'"):
        explainer.explain(histories(HISTORY), np.array([GREEK]), language="xx")


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"sentence": 1}, "no keyword 'sentence'. Did you mean 'sentences'"),
        ({"about": ["likes tea"]}, "about has 1 texts for 2 pairs"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(gpt2: Tiny, how: dict, message: str) -> None:
    people, items = histories(HISTORY, [SOY]), np.array([GREEK, OAT])
    with pytest.raises(RequestError, match=message):
        Explainer(tools_of(gpt2)).explain(people, items, **how)
