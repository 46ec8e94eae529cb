import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from p5rec.errors import TemplateError
from p5rec.prompting.dumping import dump_templates
from p5rec.prompting.placeholders import TASKS, parse
from p5rec.prompting.segments import Literal
from p5rec.prompting.templates import (
    Template,
    TemplateSet,
    load_templates,
    parse_templates,
    require_minimum,
)

GOOD = """
task = "next_item"

[[template]]
name = "plain"
seen = true
source = "Picked: {history}"
target = "{item}"
"""


def next_item(source: str, target: str = "{item}", name: str = "plain") -> Template:
    return Template("next_item", name, source, target, seen=True)


def test_a_good_file_loads():
    (template,) = parse_templates(GOOD, file="next_item.toml")
    assert template == next_item("Picked: {history}")
    assert template.history_last
    assert template.needs == {"history"}
    assert template.answer == "item"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("{history}", "{histroy}"), "unknown placeholder {histroy}. Known: history, item, user. "
         "Did you mean {history}?"),
        (("{history}", "{user_id}"), "unknown placeholder {user_id}"),
        (("{history}", "{item}"), "{item} cannot stand in a source"),
        (("{history}", "these"), "missing placeholder {history} in the source"),
        (("Picked: {history}", "{history}. Next:"), "{history} is not the last thing"),
        (("Picked: {history}", "{history}{history}"), "{history} stands more than once"),
        (("{history}", "{history.__class__}"), "more than a name"),
        (("{history}", "{history[0]}"), "more than a name"),
        (("{history}", "{history!r}"), "more than a name"),
        (("{history}", "{history:>9}"), "more than a name"),
        (("{history}", "{}"), "more than a name"),
        (("{history}", "{history"), "cannot be read"),
        (("{history}", "{history}}"), "cannot be read"),
        (("{history}", "{history} "), "begins or ends with a space"),
        (("Picked:", "Picked:\\n"), "control character U+000A"),
        (("Picked:", "Picked:\\u202e"), "control character U+202E"),
        (("Picked: {history}", ""), "is empty"),
        (('"{item}"', '"The {item}"'), "Expected {item} and nothing else"),
        (('"{item}"', '"{history}"'), "Expected {item} and nothing else"),
        (('"plain"', '" "'), "the name is empty"),
        (('name = "plain"\n', ""), "the key 'name' is missing"),
        (("seen = true", 'seen = "yes"'), "template 1: seen = 'yes' is not a bool"),
        (("seen = true", "seen = 1"), "template 1: seen = 1 is not a bool"),
        (("seen", "sene"), "unknown key 'sene'. Known: name, seen, source, target. "
         "Did you mean 'seen'?"),
        (('task = "next_item"', 'task = "next_itm"'), "Did you mean 'next_item'?"),
        (('task = "next_item"', 'task = ["next_item"]'), "unknown task"),
        (('task = "next_item"', ""), "the key 'task' is missing"),
        (("[[template]]", "[template]"), "not a list of tables"),
        (("[[template]]", "[[template"), "not valid TOML"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_file(change, expected):
    text = GOOD.replace(*change)
    assert text != GOOD
    with pytest.raises(TemplateError) as caught:
        parse_templates(text, file="prompts/next_item.toml")
    assert str(caught.value).startswith("prompts/next_item.toml")
    assert expected in str(caught.value)


def test_the_message_names_file_template_placeholder_and_suggestion():
    with pytest.raises(TemplateError) as caught:
        parse_templates(GOOD.replace("{history}", "{histroy}"), file="prompts/next_item.toml")
    assert str(caught.value) == (
        "prompts/next_item.toml, 'plain': unknown placeholder {histroy}. "
        "Known: history, item, user. Did you mean {history}?"
    )


def test_a_name_is_used_once_a_task():
    twice = GOOD + GOOD.split("\n\n")[1]
    with pytest.raises(TemplateError, match="'plain': the name is used twice"):
        parse_templates(twice, file="next_item.toml")


def test_a_name_is_used_once_across_files(tmp_path):
    for name in ("one.toml", "two.toml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    with pytest.raises(TemplateError, match="used twice in next_item"):
        load_templates(tmp_path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_folder_without_readable_templates_is_refused(tmp_path, content):
    if content is not None:
        (tmp_path / "next_item.toml").write_bytes(content)
    with pytest.raises(TemplateError, match=r"no template files|cannot be read as UTF-8"):
        load_templates(tmp_path)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(TemplateError, match="no template files"):
        load_templates(tmp_path / "absent")


def test_other_tasks_may_place_placeholders_anywhere():
    template = Template("request", "first", "{request} after {history}:", "{item}", seen=True)
    assert not template.history_last


def test_the_target_tells_the_direction_of_item_text():
    assert Template("item_text", "a", "{item}:", "{words}", seen=True).answer == "words"
    assert Template("item_text", "a", "{words}:", "{item}", seen=True).answer == "item"
    with pytest.raises(TemplateError, match=r"{words} cannot stand in a source whose target"):
        Template("item_text", "a", "{words} {item}:", "{words}", seen=True)


def test_an_explanation_must_see_its_evidence():
    with pytest.raises(TemplateError, match=r"missing placeholder {evidence}"):
        Template("explanation", "a", "Why {item}? {shared}", "{explanation}", seen=True)


def test_of_chooses_by_wording_answer_and_values():
    shipped = load_templates()
    bare = shipped.of("next_item", seen=True, given={"history"})
    assert bare
    assert all(template.needs == {"history"} and template.seen for template in bare)
    assert set(bare) < set(shipped.of("next_item", given={"history", "user"}))
    assert {t.answer for t in shipped.of("item_text", given={"item"})} == {"words"}


def test_get_suggests_a_name():
    shipped = load_templates()
    assert shipped.get("request", "wanted").name == "wanted"
    with pytest.raises(TemplateError, match=r"Did you mean 'wanted'\?"):
        shipped.get("request", "wnated")


def test_too_few_templates_are_named():
    with pytest.raises(TemplateError, match="next_item has 1 templates with seen = true"):
        require_minimum(TemplateSet((next_item("Picked: {history}"),)))


def test_dumped_templates_load_as_equals(tmp_path: Path):
    odd = Template("item_text", 'q"\\', 'Say "{{" \\ {words}', "{item}", seen=False)
    templates = TemplateSet((*load_templates(), odd))
    for name, text in dump_templates(templates).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    loaded = load_templates(tmp_path)
    assert all(loaded.of(task) == templates.of(task) for task in TASKS)


@given(st.text(string.ascii_letters + "{}! :.[]"))
def test_parse_gives_parts_or_a_template_error(text):
    try:
        parts = parse(text)
    except TemplateError:
        return
    rebuilt = "".join(
        part.text.replace("{", "{{").replace("}", "}}")
        if isinstance(part, Literal)
        else f"{{{part.name}}}"
        for part in parts
    )
    assert parse(rebuilt) == parts
