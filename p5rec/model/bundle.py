"""The bundle on disk: one directory that is wholly there and unchanged, or refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from p5rec.errors import BundleError

MANIFEST = "manifest.json"
FORMAT = 1
_WRITTEN = ("format", "libraries", "files")
"""What the manifest says of itself."""
LIBRARIES = ("p5rec", "torch", "transformers", "peft", "tokenizers", "safetensors")


@contextmanager
def writing_bundle(path: Path, about: dict[str, Any]) -> Iterator[Path]:
    """Give a folder to write the files of a bundle into; they appear at ``path`` all at once.

    The folder lies beside ``path``. When the block ends, every file's SHA-256 goes into the
    manifest and the folder takes the place of what was at ``path``; if the block fails, what was
    there stays.

    :param about: what the manifest says besides: JSON-able.
    :raises BundleError: if the place cannot be written, or holds something that is no bundle.
    """
    _refuse_others(path)
    aside = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        aside.mkdir(parents=True)
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield aside
        _write_manifest(aside, about)
        _take_place(aside, path)
    except Exception as error:
        # Libraries written in Rust put the system's error into the text of one of their own.
        if not isinstance(error, OSError) and "(os error " not in str(error):
            raise
        raise _unwritable(path, error) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_writable(path: Path) -> None:
    """Make sure before long work that a bundle can be written to ``path``.

    :raises BundleError: if it cannot.
    """
    _refuse_others(path)
    trial = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"
    try:
        trial.mkdir(parents=True)
        trial.rmdir()
    except OSError as error:
        raise _unwritable(path, error) from error


def open_bundle(path: Path) -> dict[str, Any]:
    """Check every file of a bundle against its manifest, before anything is made of it.

    An older bundle that a killed writer had put aside goes back to its place first.

    :return: the manifest.
    :raises BundleError: if there is no bundle, or a file is missing, changed or one too many.
    """
    _put_back(path)
    try:
        text = (path / MANIFEST).read_text(encoding="utf-8")
        manifest = json.loads(text)
        del manifest["seal"]
        listed = {str(name): str(digest) for name, digest in manifest["files"].items()}
        found = manifest["format"]
    except FileNotFoundError as error:
        raise BundleError(
            f"{path} is not a bundle of p5rec: it has no {MANIFEST}. "
            "Give the folder that `p5rec fit --out` or save_pretrained wrote."
        ) from error
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BundleError(
            f"{path / MANIFEST} cannot be read: {error}. Copy the bundle anew."
        ) from error
    if found != FORMAT:
        raise BundleError(
            f"{path} has bundle format {found}; this version of p5rec reads {FORMAT}. "
            "Install the version that wrote it, or fit again."
        )
    if _sealed(manifest) != text:
        raise BundleError(
            f"the bundle {path} is refused: {MANIFEST} has changed since it was written. "
            "Copy the bundle anew."
        )
    _check_files(path, listed)
    checked: dict[str, Any] = manifest
    return checked


def rewrite(path: Path, texts: Mapping[str, str]) -> None:
    """Write some text files of a bundle anew; all others stay, and the whole is sealed again.

    :raises BundleError: if there is no bundle, it has changed, or it cannot be written.
    """
    manifest = open_bundle(path)
    about = {key: value for key, value in manifest.items() if key not in _WRITTEN}
    with writing_bundle(path, about) as folder:
        shutil.copytree(path, folder, dirs_exist_ok=True)
        (folder / MANIFEST).unlink()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")


def _refuse_others(path: Path) -> None:
    if path.is_file() or (path.is_dir() and not (path / MANIFEST).is_file() and _listing(path)):
        raise BundleError(
            f"{path} exists and is not a bundle of p5rec, so it is left alone. "
            "Give a folder that is new, empty or an older bundle."
        )


def _check_files(path: Path, listed: dict[str, str]) -> None:
    present = {file.relative_to(path).as_posix() for file in _listing(path)} - {MANIFEST}
    problems = [f"{name} is missing" for name in sorted(set(listed) - present)]
    problems += [f"{name} does not belong to it" for name in sorted(present - set(listed))]
    problems += [
        f"{name} has changed since it was written"
        for name in sorted(present & set(listed))
        if sha256_of(path / name) != listed[name]
    ]
    if problems:
        raise BundleError(
            f"the bundle {path} is refused: {'; '.join(problems)}. Copy the bundle anew."
        )


def _write_manifest(folder: Path, about: dict[str, Any]) -> None:
    files = {file.relative_to(folder).as_posix(): sha256_of(file) for file in _listing(folder)}
    for name in files:
        with (folder / name).open("rb") as written:
            os.fsync(written.fileno())
    libraries = {name: version(name) for name in LIBRARIES}
    manifest = {"format": FORMAT, **about, "libraries": libraries, "files": files}
    with (folder / MANIFEST).open("w", encoding="utf-8") as file:
        file.write(_sealed(manifest))
        file.flush()
        os.fsync(file.fileno())
    for name in files:
        # Some writers keep others from reading, as if it were a temporary file.
        shutil.copymode(folder / MANIFEST, folder / name)


def _sealed(manifest: dict[str, Any]) -> str:
    """The manifest as it is written: with the SHA-256 of all that stands before it."""
    body = json.dumps(manifest, indent=2, ensure_ascii=False)
    seal = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps({**manifest, "seal": seal}, indent=2, ensure_ascii=False)


def _take_place(aside: Path, path: Path) -> None:
    """Put ``aside`` where ``path`` is; an older bundle there goes away last."""
    old = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}.old"
    if path.exists():
        path.replace(old)
    try:
        aside.replace(path)
    except BaseException:
        if old.exists():
            old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _put_back(path: Path) -> None:
    """Undo the first half of a replacement that was killed between its two halves."""
    left = sorted(path.parent.glob(f".{path.name}.*.old")) if not path.exists() else []
    if left:
        left[-1].replace(path)


def _listing(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def sha256_of(file: Path) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unwritable(path: Path, error: Exception) -> BundleError:
    return BundleError(
        f"the bundle cannot be written to {path}: {error}. Give a folder that can be written; "
        "what was there before is untouched."
    )
