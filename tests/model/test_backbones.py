"""What every backbone promises, for each family, trained whole or with LoRA."""

import json

import numpy as np
import pytest
import torch
from tiny_worlds import BASE_SIZE, FAMILIES, item_model, mini_base
from transformers import T5Config, T5ForConditionalGeneration

from p5rec.errors import RecipeError
from p5rec.model.base_models import BaseModel
from p5rec.model.item_model import extend_base
from p5rec.model.prompt_batch import PromptBatch
from p5rec.model.recipe import Adapter

N_ROWS = 15
SIZE = BASE_SIZE + N_ROWS
CASES = [(family, method) for family in FAMILIES for method in ("full", "lora")]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def made(request):
    return item_model(*request.param, rows=N_ROWS)


@pytest.fixture
def backbone(made):
    return made.backbone


def prompts_of(*lengths, group=1, seed=0):
    """Prompts of text and item tokens, in positions of up to ``group`` tokens."""
    rng = np.random.default_rng(seed)
    prompts = []
    for length in lengths:
        prompt = rng.integers(0, SIZE, size=(length, group))
        prompt[:, 1:][rng.random((length, group - 1)) < 0.4] = -1
        prompts.append(prompt)
    return prompts


def paths_of(*shape, seed=1):
    return torch.from_numpy(np.random.default_rng(seed).integers(BASE_SIZE, SIZE, size=shape))


@torch.no_grad()
def walk(backbone, prompts, paths):
    """Hidden states of paths ``[B, S, L]`` made step by step, ``[B, S, L + 1, d]``."""
    state, hidden = backbone.begin(prompts)
    n_slots, steps = paths.shape[1:]
    states = [hidden.expand(-1, n_slots, -1)]
    parents = torch.zeros(paths.shape[:2], dtype=torch.int64)
    for step in range(steps):
        states.append(backbone.extend(state, parents, paths[:, :, step]))
        parents = torch.arange(n_slots).expand(len(paths), -1)
    return torch.stack(states, dim=2)


@torch.no_grad()
def follow_all(backbone, prompts, paths):
    n_prompts, n_slots, steps = paths.shape
    rows = torch.arange(n_prompts).repeat_interleave(n_slots)
    hidden = backbone.follow(prompts, rows, prompts.lengths[rows] - 1, paths.flatten(0, 1))
    return hidden.view(n_prompts, n_slots, steps + 1, -1)


def close(one, other, tolerance=1e-5):
    assert one.shape == other.shape
    assert float((one - other).abs().max()) <= tolerance * max(1.0, float(other.abs().max()))


@pytest.mark.parametrize("carries", [False, True])
@pytest.mark.parametrize("group", [1, 3])
def test_steps_equal_teacher_forcing(backbone, group, carries):
    backbone.carries = carries
    prompts = PromptBatch.from_prompts(prompts_of(4, 1, 6, group=group))
    paths = paths_of(3, 5, 4)
    close(walk(backbone, prompts, paths), follow_all(backbone, prompts, paths))


def test_walks_carry_the_state_that_they_began_with(backbone):
    prompts, paths = PromptBatch.from_prompts(prompts_of(4, 2)), paths_of(2, 3, 2)
    plain = walk(backbone, prompts, paths)
    backbone.carries = True
    carried = walk(backbone, prompts, paths)
    close(carried[:, :, 0], plain[:, :, 0])
    close(carried[:, :, 1:], plain[:, :, 1:] + plain[:, :, :1])


def test_slots_may_change_parents_and_number(backbone):
    prompts = PromptBatch.from_prompts(prompts_of(3, 5))
    first, second, third = paths_of(2, 3), paths_of(2, 6, seed=2), paths_of(2, 2, seed=3)
    parents = torch.tensor([[2, 0, 0, 1, 2, 2], [1, 1, 0, 0, 2, 1]])
    grandparents = torch.tensor([[5, 1], [0, 4]])
    with torch.no_grad():
        state, _ = backbone.begin(prompts)
        backbone.extend(state, torch.zeros(2, 3, dtype=torch.int64), first)
        backbone.extend(state, parents, second)
        hidden = backbone.extend(state, grandparents, third)
    second_of = second.gather(1, grandparents)
    first_of = first.gather(1, parents.gather(1, grandparents))
    paths = torch.stack([first_of, second_of, third], dim=2)
    close(hidden, follow_all(backbone, prompts, paths)[:, :, -1])


@pytest.mark.parametrize("group", [1, 3])
def test_a_batch_equals_single_prompts(backbone, group):
    several = prompts_of(7, 1, 4, group=group)
    paths = paths_of(3, 4, 3)
    together = walk(backbone, PromptBatch.from_prompts(several), paths)
    taught = follow_all(backbone, PromptBatch.from_prompts(several), paths)
    for number, prompt in enumerate(several):
        one = PromptBatch.from_prompts([prompt])
        close(together[number], walk(backbone, one, paths[number : number + 1])[0])
        close(taught[number], follow_all(backbone, one, paths[number : number + 1])[0])


@pytest.mark.parametrize("carries", [False, True])
def test_what_prompts_share_is_encoded_once_to_the_same_states_and_gradients(backbone, carries):
    head = prompts_of(5, seed=3)[0]
    several = [np.concatenate([head, events]) for events in prompts_of(4, 2, 1)]
    rows, positions = torch.tensor([0, 1, 2, 0]), torch.tensor([6, 6, 5, 8])
    paths = paths_of(4, 2)
    backbone.eval()
    backbone.carries = carries

    def taught(prompts, chosen):
        batch = PromptBatch.from_prompts(prompts)
        numbers = rows[chosen] if len(prompts) > 1 else torch.zeros(len(chosen), dtype=torch.int64)
        return backbone.follow(batch, numbers, positions[chosen], paths[chosen])

    together = taught(several, torch.arange(4))
    alone = torch.cat([taught([several[rows[at]]], torch.tensor([at])) for at in range(4)])
    close(together.detach(), alone.detach())
    weights = [weight for weight in backbone.parameters() if weight.requires_grad]
    weighed = torch.linspace(-1, 1, together.shape[-1])
    found, expected = (
        torch.autograd.grad((hidden * weighed).sum(), weights, allow_unused=True)
        for hidden in (together, alone)
    )
    for one, other in zip(found, expected, strict=True):
        if other is not None:
            close(one, other, tolerance=1e-4)


def test_a_walk_is_untouched_by_the_walks_beside_it(backbone):
    prompts = PromptBatch.from_prompts(prompts_of(4))
    paths = paths_of(1, 6, 3)
    together = walk(backbone, prompts, paths)
    for slot in range(6):
        close(together[:, slot : slot + 1], walk(backbone, prompts, paths[:, slot : slot + 1]))


def test_a_causal_walk_may_start_inside_a_prompt(backbone):
    if not backbone.one_pass:
        pytest.skip("an encoder-decoder always looks at the whole prompt")
    prompts = prompts_of(6, 3)
    rows, positions = torch.tensor([0, 1, 0, 0]), torch.tensor([2, 2, 5, 0])
    paths = paths_of(4, 3)
    with torch.no_grad():
        hidden = backbone.follow(PromptBatch.from_prompts(prompts), rows, positions, paths)
    for number in range(4):
        cut = prompts[int(rows[number])][: int(positions[number]) + 1]
        one = PromptBatch.from_prompts([cut])
        close(hidden[number], follow_all(backbone, one, paths[None, number : number + 1])[0, 0])


def test_a_walk_of_no_steps_is_the_prompt_itself(backbone):
    prompts = PromptBatch.from_prompts(prompts_of(2, 5))
    with torch.no_grad():
        _, hidden = backbone.begin(prompts)
    close(hidden, follow_all(backbone, prompts, paths_of(2, 1, 0))[:, :, 0])


@torch.no_grad()
def test_hugging_face_computes_the_same_logits(made):
    backbone = made.backbone
    prompt, path = prompts_of(5)[0], paths_of(1, 1, 3)
    hidden = walk(backbone, PromptBatch.from_prompts([prompt]), path)[0, 0]
    ours = torch.cat(
        [
            backbone.text_logits(hidden),
            hidden @ backbone.table.rows(torch.arange(BASE_SIZE, SIZE)).T,
        ],
        dim=1,
    )
    tokens = torch.from_numpy(prompt).T
    model = made.adapted or backbone.model
    if backbone.one_pass:
        theirs = model(input_ids=torch.cat([tokens, path[0]], dim=1)).logits[0, -4:]
    else:
        start = torch.full((1, 1), model.config.decoder_start_token_id)
        decoded = torch.cat([start, path[0]], dim=1)
        theirs = model(input_ids=tokens, decoder_input_ids=decoded).logits[0]
    close(ours, theirs)


def test_merging_changes_nothing_but_speed(made):
    prompts, paths = PromptBatch.from_prompts(prompts_of(4, 2, group=3)), paths_of(2, 3, 3)
    before = walk(made.backbone, prompts, paths)
    rows = made.backbone.table.rows(torch.arange(SIZE)).clone()
    merged = made.merge()
    close(walk(merged.backbone, prompts, paths), before, 1e-4)
    assert torch.equal(merged.backbone.table.rows(torch.arange(SIZE)), rows)
    assert merged.adapted is None
    assert not [name for name, _ in merged.backbone.named_parameters() if "lora" in name]


def test_text_logits_never_reach_item_tokens(backbone):
    hidden = torch.randn(2, 3, 16)
    before = backbone.text_logits(hidden)
    assert before.shape == (2, 3, BASE_SIZE)
    with torch.no_grad():
        rows = backbone.table.items if backbone.table.items is not None else backbone.table.weight
        rows[-N_ROWS:] += 100
    assert torch.equal(backbone.text_logits(hidden), before)


def take_steps(backbone, steps=3):
    weights = [weight for weight in backbone.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=0.01)
    prompts, paths = PromptBatch.from_prompts(prompts_of(4, 2)), paths_of(2, 3)
    for _ in range(steps):
        optimizer.zero_grad()
        hidden = backbone.follow(prompts, torch.arange(2), prompts.lengths - 1, paths)
        targets = backbone.table.rows(paths)
        loss = -(hidden[:, :-1] * targets).sum() - backbone.text_logits(hidden).mean()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_leaves_the_base_as_it_is_and_learns_item_rows(family):
    backbone = item_model(family, "lora", rows=N_ROWS).backbone
    before = {name: weight.detach().clone() for name, weight in backbone.named_parameters()}
    take_steps(backbone)
    for name, weight in backbone.named_parameters():
        learnt = "lora_" in name or name.endswith("trainable_tokens_delta.default")
        assert weight.requires_grad == learnt
        if not learnt:
            assert torch.equal(weight, before[name]), name
    assert backbone.table.items.requires_grad
    moved = (backbone.table.items - before_items(before)).abs().sum(1)
    used = paths_of(2, 3).unique() - BASE_SIZE
    assert (moved[used] > 0).all()


def before_items(before):
    [name] = [name for name in before if name.endswith("trainable_tokens_delta.default")]
    return before[name]


@pytest.mark.parametrize("family", FAMILIES)
def test_training_whole_moves_text_and_item_rows(family):
    backbone = item_model(family, "full", rows=N_ROWS).backbone
    before = backbone.table.weight.detach().clone()
    take_steps(backbone)
    moved = (backbone.table.weight - before).abs().sum(1)
    assert (moved[:BASE_SIZE] > 0).all()
    assert (moved[paths_of(2, 3).unique()] > 0).all()
    # A bias of the head is never met.
    weights = backbone.named_parameters()
    assert all(one.requires_grad or name.endswith("predictions.bias") for name, one in weights)


def test_item_rows_begin_as_they_are_given():
    rows = torch.randn(N_ROWS, 8)
    for family in FAMILIES:
        base = mini_base(family)
        text = base.get_input_embeddings().weight.detach().clone()
        table = extend_base(BaseModel(base, None), rows, Adapter(method="full")).backbone.table
        assert torch.equal(table.rows(torch.arange(BASE_SIZE, SIZE)), rows)
        assert torch.equal(table.text_rows(), text)


def t5_of_the_other_kind():
    """T5 v1.1 says that its head is not tied; transformers ties it where no other is stored."""
    config = T5Config(
        vocab_size=BASE_SIZE, d_model=16, d_kv=8, d_ff=32, num_layers=1, num_heads=2,
        tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0,
    )  # fmt: skip
    return T5ForConditionalGeneration(config).eval()


def test_a_t5_with_a_head_of_its_own_is_refused_as_loaded_from_disk(tmp_path):
    model = t5_of_the_other_kind()
    model.lm_head.weight = torch.nn.Parameter(torch.randn(BASE_SIZE, 16))
    model.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    settings["tie_word_embeddings"] = False
    (tmp_path / "config.json").write_text(json.dumps(settings))
    loaded = T5ForConditionalGeneration.from_pretrained(tmp_path)
    with pytest.raises(RecipeError, match=r"not tied.*t5-small"):
        extend_base(BaseModel(loaded, None), torch.zeros(3, 16), Adapter(method="full"))


def test_a_tied_t5_without_scaling_of_its_head_computes_what_hugging_face_does():
    made = extend_base(
        BaseModel(t5_of_the_other_kind(), None), torch.randn(N_ROWS, 16), Adapter(method="full")
    )
    test_hugging_face_computes_the_same_logits(made)


def test_a_t5_whose_head_is_another_matrix_is_refused_whatever_its_settings_say():
    model = mini_base("t5")
    model.lm_head.weight = torch.nn.Parameter(torch.randn(BASE_SIZE, 8))
    with pytest.raises(RecipeError, match=r"not tied.*t5-small"):
        extend_base(BaseModel(model, None), torch.zeros(3, 8), Adapter(method="full"))


def test_lora_on_layers_that_are_not_there_names_the_setting():
    adapter = Adapter(method="lora", targets=("no_such_layer",))
    with pytest.raises(RecipeError, match=r"gpt2.*adapter\.targets"):
        extend_base(BaseModel(mini_base("gpt2"), None), torch.zeros(3, 8), adapter)
