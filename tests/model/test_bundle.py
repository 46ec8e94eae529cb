"""The bundle as a folder: wholly there and unchanged, or refused by name."""

import errno
import json
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from p5rec.errors import BundleError
from p5rec.model import bundle
from p5rec.model.bundle import MANIFEST, check_writable, open_bundle, rewrite, writing_bundle


def write(path, **contents):
    with writing_bundle(path, {"about": "a test"}) as folder:
        (folder / "sub").mkdir()
        for name, text in contents.items():
            (folder / "sub" / name).write_text(text)


def read(path):
    open_bundle(path)
    return {file.name: file.read_text() for file in (path / "sub").iterdir()}


@pytest.fixture
def place(tmp_path):
    return tmp_path / "shop" / "bundle"


def test_what_was_written_is_read(place):
    write(place, a="one", b="two")
    manifest = open_bundle(place)
    assert manifest["about"] == "a test"
    assert set(manifest["files"]) == {"sub/a", "sub/b"}
    assert {"p5rec", "torch", "transformers"} <= set(manifest["libraries"])
    assert read(place) == {"a": "one", "b": "two"}


def test_a_new_bundle_takes_the_place_of_the_old(place):
    write(place, a="one", b="two")
    write(place, a="three")
    assert read(place) == {"a": "three"}
    assert os.listdir(place.parent) == ["bundle"]


def test_a_text_is_written_anew_and_the_rest_stays(place):
    write(place, a="one", b="two")
    rewrite(place, {"sub/b": "three"})
    assert read(place) == {"a": "one", "b": "three"}
    assert open_bundle(place)["about"] == "a test"
    assert os.listdir(place.parent) == ["bundle"]
    (place / "sub" / "a").write_text("changed")
    with pytest.raises(BundleError, match="sub/a has changed"):
        rewrite(place, {"sub/b": "four"})


@pytest.mark.parametrize("make", [lambda place: None, lambda place: place.mkdir(parents=True)])
def test_a_new_or_empty_folder_will_do(place, make):
    make(place)
    check_writable(place)
    write(place, a="one")
    assert read(place) == {"a": "one"}


def test_what_is_no_bundle_is_left_alone(place):
    place.mkdir(parents=True)
    (place / "thesis.txt").write_text("years of work")
    for attempt in (check_writable, write):
        with pytest.raises(BundleError, match=r"exists and is not a bundle.*left alone"):
            attempt(place)
    assert (place / "thesis.txt").read_text() == "years of work"
    assert os.listdir(place.parent) == ["bundle"]
    with pytest.raises(BundleError, match="left alone"):
        write(place / "thesis.txt")


@pytest.mark.parametrize("attempt", [check_writable, write])
def test_a_place_that_cannot_be_written_is_named(tmp_path, attempt):
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match=r"cannot be written to .*file/bundle.*Give a folder"):
        attempt(tmp_path / "file" / "bundle")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_the_right_to_write_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "bundle")


def refuse_at(monkeypatch, owner, name, turn, error):
    """Let the ``turn``-th call of a function fail; returns the list of calls."""
    calls, original = [], getattr(owner, name)

    def instead(*args, **kwargs):
        calls.append(args)
        if len(calls) == turn:
            raise error
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, instead)
    return calls


FULL = OSError(errno.ENOSPC, "No space left on device")
RUST = SafetensorError("Error while serializing: I/O error: No space left (os error 28)")
STEPS = [
    *((Path, "mkdir", turn) for turn in (1, 2)),
    *((Path, "write_text", turn) for turn in (1, 2)),
    *((bundle, "sha256_of", turn) for turn in (1, 2)),
    *((os, "fsync", turn) for turn in (1, 2, 3)),
    *((Path, "open", turn) for turn in (1, 3, 5)),
    *((Path, "replace", turn) for turn in (1, 2)),
]


@pytest.mark.parametrize("error", [FULL, RUST, KeyboardInterrupt()], ids=["full", "rust", "Ctrl-C"])
@pytest.mark.parametrize("step", STEPS, ids=lambda step: f"{step[1]}-{step[2]}")
def test_a_failure_at_any_step_leaves_the_old_bundle_and_no_litter(place, monkeypatch, step, error):
    write(place, a="old", b="old")
    with monkeypatch.context() as patched:
        calls = refuse_at(patched, *step, error)
        expected = BundleError if isinstance(error, Exception) else KeyboardInterrupt
        if error is RUST and step[:2] == (Path, "mkdir") and step[2] == 1:
            pytest.skip("no library written in Rust makes that folder")
        with pytest.raises(expected) as caught:
            write(place, a="new", b="new")
    assert len(calls) >= step[2]
    if expected is BundleError:
        assert "what was there before is untouched" in str(caught.value)
    assert read(place) == {"a": "old", "b": "old"}
    assert os.listdir(place.parent) == ["bundle"]


def test_errors_that_are_not_of_the_system_come_through(place):
    with pytest.raises(ZeroDivisionError), writing_bundle(place, {}):
        raise ZeroDivisionError
    assert os.listdir(place.parent) == []


def change_manifest(place, **changes):
    manifest = json.loads((place / MANIFEST).read_text())
    (place / MANIFEST).write_text(json.dumps({**manifest, **changes}))


def test_no_folder_no_bundle(place):
    with pytest.raises(BundleError, match=r"is not a bundle of p5rec.*no manifest\.json"):
        open_bundle(place)


def test_another_format_is_told_from_damage(place):
    write(place, a="one")
    change_manifest(place, format=2)
    with pytest.raises(BundleError, match=r"bundle format 2; this version of p5rec reads 1"):
        open_bundle(place)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": []}', "\x00", '{"files": {}}'])
def test_a_manifest_of_anything_else_is_refused_by_name(place, text):
    write(place, a="one")
    (place / MANIFEST).write_text(text)
    with pytest.raises(BundleError, match=r"manifest\.json cannot be read"):
        open_bundle(place)


def test_a_file_and_its_digest_changed_together_are_refused(place):
    write(place, a="one")
    (place / "sub" / "a").write_text("two")
    manifest = json.loads((place / MANIFEST).read_text())
    digest = bundle.sha256_of(place / "sub" / "a")
    change_manifest(place, files={**manifest["files"], "sub/a": digest})
    with pytest.raises(BundleError, match=r"manifest\.json has changed"):
        open_bundle(place)


def test_every_problem_is_named(place):
    write(place, a="one", b="two", c="three")
    (place / "sub" / "a").unlink()
    (place / "sub" / "b").write_text("2")
    (place / "sub" / "d").write_text("")
    with pytest.raises(BundleError) as caught:
        open_bundle(place)
    for told in ("sub/a is missing", "sub/b has changed", "sub/d does not belong"):
        assert told in str(caught.value)
    assert "sub/c" not in str(caught.value)


def test_an_old_bundle_that_a_killed_writer_put_aside_is_found(place):
    write(place, a="old")
    place.replace(place.parent / f".{place.name}.0123abcd.old")
    assert read(place) == {"a": "old"}
    assert place.is_dir()
