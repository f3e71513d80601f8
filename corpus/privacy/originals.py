"""What de-identification replaced, sealed: the way back for whoever holds the key, and for nobody else.

The key is a file of its own. The sealed turns lie beside it, outside the set, one line a dialogue: its id and the
original turns under AES-256-SIV (RFC 5297), bound to the id. The same turns give the same bytes.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from corpus.records import Message
from corpus.sets import SetWriter, StageResult, plan_step, read_dialogues, run_step
from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_file
from foundation.jsonl import dump_json, read_records
from foundation.progress import track

STAGE = "reidentify"

_HEAD = b"zhongjing-key-1 "
_KEY_BITS = 512


class Sealed(msgspec.Struct, frozen=True):
    """A line of the file of originals."""

    id: str
    sealed: bytes


class Turn(msgspec.Struct, frozen=True):
    """A turn by its place in the dialogue: as it was, and as it is now."""

    place: int
    original: str
    replaced: str


def originals_beside(key: Path, out: Path) -> Path:
    """Where the originals of the set `out` go: beside the key, under the set's name."""
    return key.parent / f"{out.name}.originals.jsonl"


def refuse_inside(path: Path, out: Path) -> None:
    """The key and what it opens must not travel with the set."""
    if path.resolve().is_relative_to(out.resolve()):
        raise ZhongjingError("this must not lie inside the set", where=path, hint="keep it in a folder of its own")


def load_key(path: Path, *, make: bool) -> AESSIV:
    """The key in a file; a new one, readable by its owner alone, where there is none and `make` is set."""
    if make and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(_HEAD + base64.b64encode(AESSIV.generate_key(_KEY_BITS)) + b"\n")
    content = existing_file(path).read_bytes()
    try:
        return AESSIV(base64.b64decode(content.removeprefix(_HEAD).strip(), validate=True))
    except ValueError as error:
        raise ZhongjingError("this is no key of zhongjing", where=path) from error


def seal(source: Path, out: Path, key: Path, path: Path) -> int:
    """Write the turns in which the set `out` differs from its source to `path`, sealed; returns how many dialogues."""
    cipher = load_key(key, make=True)
    count = 0
    with new_file(path) as temporary, temporary.open("wb") as stream:
        pairs = zip(read_dialogues(source), read_dialogues(out), strict=True)
        for before, after in track(pairs, "sealing"):
            turns = [
                Turn(place, old.content, new.content)
                for place, (old, new) in enumerate(zip(before.messages, after.messages, strict=True))
                if old.content != new.content
            ]
            if turns:
                count += 1
                sealed = cipher.encrypt(dump_json(turns), [before.id.encode()])
                stream.write(dump_json(Sealed(before.id, sealed)) + b"\n")
    return count


def reidentify(source: Path, out: Path, *, key: Path, originals: Path) -> StageResult:
    """Put the original turns back into the set `source`; details count the turns restored and those changed since."""
    cipher = load_key(key, make=False)
    sealed = {line.id: line.sealed for line in read_records(existing_file(originals), Sealed)}

    def work(writer: SetWriter) -> None:
        for dialogue in track(read_dialogues(source), STAGE):
            turns = _opened(cipher, dialogue.id, sealed.get(dialogue.id), key)
            messages = list(_restored(dialogue.messages, turns, writer))
            writer.keep(msgspec.structs.replace(dialogue, messages=messages))

    return run_step(plan_step(STAGE, source, {}), out, work)


def _opened(cipher: AESSIV, identity: str, sealed: bytes | None, key: Path) -> dict[int, Turn]:
    if sealed is None:
        return {}
    try:
        turns = msgspec.json.decode(cipher.decrypt(sealed, [identity.encode()]), type=list[Turn])
    except InvalidTag as error:
        raise ZhongjingError("this key does not open these originals", where=key) from error
    return {turn.place: turn for turn in turns}


def _restored(messages: list[Message], turns: dict[int, Turn], writer: SetWriter) -> Iterator[Message]:
    for place, message in enumerate(messages):
        turn = turns.get(place)
        if turn is None:
            yield message
        elif turn.replaced == message.content:
            writer.details["turns_restored"] += 1
            yield Message(message.role, turn.original)
        else:
            writer.details["turns_changed_since"] += 1
            yield message
