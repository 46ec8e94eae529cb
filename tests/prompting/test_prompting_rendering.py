import pytest
from hypothesis import given
from hypothesis import strategies as st

from p5rec.errors import RequestError
from p5rec.prompting.rendering import render, render_prompt
from p5rec.prompting.segments import Attribute, ItemRef, Literal, UntrustedText
from p5rec.prompting.templates import Template

WISH = Template("request", "wish", "Wish {{a}}: {request}, after {history}:", "{item}", seen=True)
ABOUT = Template("next_item", "about", "For {user}: {history}", "{item}", seen=True)


def values(**changes):
    return {
        "request": UntrustedText("tea"),
        "history": [ItemRef(1), ItemRef(2)],
        "item": ItemRef(3),
        **changes,
    }


def test_segments_keep_their_types_and_order():
    rendered = render(WISH, values())
    assert rendered.prompt == (
        Literal("Wish {a}: "),
        UntrustedText("tea"),
        Literal(", after "),
        ItemRef(1),
        ItemRef(2),
        Literal(":"),
    )
    assert rendered.target == (ItemRef(3),)


def test_an_empty_history_leaves_the_words_around_it():
    assert render(WISH, values(history=())).prompt[-2:] == (Literal(", after "), Literal(":"))


@given(st.text())
def test_braces_in_a_value_are_text(text):
    for hostile in (text, "{history}", "{{item}}", "{0.__class__}", "{% raw %}", text + "{item}"):
        prompt = render_prompt(WISH, values(request=UntrustedText(hostile)))
        assert prompt[1] == UntrustedText(hostile)
        assert len(prompt) == 6


def test_the_prompt_needs_no_answer():
    known = values()
    del known["item"]
    assert render_prompt(WISH, known) == render(WISH, values()).prompt
    with pytest.raises(RequestError, match=r"'wish': no value for {item}. Give an ItemRef"):
        render(WISH, known)


@pytest.mark.parametrize(
    ("template", "change", "expected"),
    [
        (WISH, {"request": "tea"}, "is a str. Expected an UntrustedText"),
        (WISH, {"request": Attribute("tea")}, "is a Attribute. Expected an UntrustedText"),
        (WISH, {"request": ItemRef(1)}, "is a ItemRef. Expected an UntrustedText"),
        (WISH, {"request": Literal("tea")}, "is a Literal. Expected an UntrustedText"),
        (WISH, {"history": ["tea"]}, "is a list. Expected a list of ItemRef"),
        (WISH, {"history": [1, 2]}, "is a list. Expected a list of ItemRef"),
        (WISH, {"history": "tea"}, "is a str. Expected a list of ItemRef"),
        (WISH, {"item": 3}, "is a int. Expected an ItemRef"),
        (WISH, {"item": [ItemRef(3)]}, "is a list. Expected an ItemRef"),
        (WISH, {"item": UntrustedText("<item_3>")}, "Expected an ItemRef"),
        (WISH, {"requst": UntrustedText("tea")}, "Did you mean 'request'?"),
        (ABOUT, {}, "has no value 'request'"),
    ],
)
def test_values_of_a_wrong_kind_are_refused(template, change, expected):
    with pytest.raises(RequestError) as caught:
        render(template, values(**change))
    assert expected in str(caught.value)


def test_user_attributes_are_attributes():
    known = {"user": Attribute("two adults"), "history": [ItemRef(0)], "item": ItemRef(0)}
    assert render(ABOUT, known).prompt[1] == Attribute("two adults")
    with pytest.raises(RequestError, match="Expected an Attribute"):
        render(ABOUT, {**known, "user": UntrustedText("two adults")})


def test_an_unknown_item_is_no_reference():
    with pytest.raises(RequestError, match="row -1"):
        ItemRef(-1)
