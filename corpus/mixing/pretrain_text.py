"""Texts to pre-train on: a graph's triples as sentences, and documents in pieces, without copies.

Documents are de-identified by rules, cut to a bounded length and freed of exact and near copies by the engine that
deduplicates dialogues; what is left out has a reason, a file and a line.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from corpus.deduplication.dedup import dedup
from corpus.mixing.card import texts_card
from corpus.mixing.documents import Document, read_documents
from corpus.mixing.pieces import pieces
from corpus.mixing.triple_text import Stated, entity_sentences
from corpus.privacy.deidentify import deidentify_texts, graph_names
from corpus.readers.base import Bad
from corpus.records import Dialogue, Message, make_id
from corpus.records import Meta as Origin
from corpus.sets import REJECTS, Plan, SetWriter, read_dialogues, run_step
from foundation.errors import ZhongjingError
from foundation.files import existing_file, new_folder
from foundation.jsonl import dump_json
from foundation.manifest import claim_folder, entry_of, read_manifest, write_manifest
from foundation.progress import track
from foundation.rejects import Reject, read_rejects, write_rejects
from foundation.text import read_wrongly

KIND = "pretrain-text"
TEXTS = "texts.jsonl"
CARD = "README.md"
STAGE = "pretrain-text"


class TextOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Texts have at most `longest` characters; pieces of documents with fewer than `shortest` are left out.

    `threshold` is the Jaccard similarity of 3-grams from which two pieces are copies. With `both_ways` a fact is said
    of its object as well as of its subject. With `identified` personal data in documents stay.
    """

    longest: Annotated[int, Meta(ge=50)] = 1_000
    shortest: Annotated[int, Meta(ge=0)] = 20
    threshold: float = 0.7
    both_ways: bool = True
    identified: bool = False


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A line of `texts.jsonl`. `about` is the entity or the document; `places` are file:line of what it was made of."""

    text: str
    kind: Literal["graph", "document"]
    about: str
    id: str
    places: list[str]


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What was written: texts and characters by kind, sources of documents, and what was left out by reason."""

    texts: dict[str, int]
    characters: dict[str, int]
    sources: dict[str, int]
    rejected: dict[str, int]
    replaced: dict[str, int]

    def lines(self) -> Iterator[str]:
        """Lines for a person."""
        for kind, count in self.texts.items():
            yield f"{kind}: {count:,} texts, {self.characters[kind]:,} characters"
        if self.replaced:
            yield "personal data replaced: " + ", ".join(f"{kind} {count:,}" for kind, count in self.replaced.items())
        if self.rejected:
            yield "left out: " + ", ".join(f"{reason} {count:,}" for reason, count in self.rejected.items())


class _Tally(msgspec.Struct):
    texts: Counter[str]
    characters: Counter[str]
    sources: Counter[str]
    replaced: Counter[str]
    rejects: list[Reject]


def write_texts(
    graph: Path | None, documents: Sequence[Path], out: Path, *, options: TextOptions | None = None
) -> Written:
    """Write the texts of a graph and of documents to the folder `out`, with rejects, card and manifest.

    A document is a file of text, Markdown or JSON, or a dialogue set. The same input gives the same bytes.
    """
    chosen = options or TextOptions()
    if graph is None and not documents:
        raise ZhongjingError("there is nothing to make texts of", hint="give --graph, documents, or both")
    for path in documents:
        read_manifest(path) if path.is_dir() else existing_file(path)
    names = _names(documents)
    claim_folder(out, KIND)
    tally = _Tally(Counter(), Counter(), Counter(), Counter(), [])
    with new_folder(out) as folder:
        with (folder / TEXTS).open("wb") as stream:
            for text in _all_texts(graph, documents, names, chosen, tally):
                stream.write(dump_json(text) + b"\n")
                tally.texts[text.kind] += 1
                tally.characters[text.kind] += len(text.text)
        if not tally.texts:
            raise _nothing(tally.rejects)
        written = _written(tally)
        write_rejects(folder / REJECTS, tally.rejects)
        card = texts_card(out.name, written.texts, written.characters, written.sources, written.rejected, TEXTS)
        (folder / CARD).write_text(card, encoding="utf-8")
        write_manifest(
            folder,
            kind=KIND,
            name=out.name,
            inputs=[
                *([entry_of(graph, "graph")] if graph is not None else []),
                *(entry_of(path, name) for path, name in zip(documents, names, strict=True)),
            ],
            parameters=msgspec.to_builtins(chosen),
            counts=msgspec.to_builtins(written),
        )
    return written


def _all_texts(
    graph: Path | None, documents: Sequence[Path], names: Sequence[str], options: TextOptions, tally: _Tally
) -> Iterator[Text]:
    """The texts of the graph and then of the documents, each once."""
    seen: set[bytes] = set()
    if graph is not None:
        for text in _graph_texts(graph, options, tally):
            if _is_new(text.text, seen):
                yield text
            else:
                tally.rejects.append(_reject("same_text", text.places, text.id))
    for text in _document_texts(graph, documents, names, options, tally):
        if _is_new(text.text, seen):
            yield text
        else:
            tally.rejects.append(_reject("same_text", text.places, text.id))


def _graph_texts(folder: Path, options: TextOptions, tally: _Tally) -> Iterator[Text]:
    from kg.graph import KnowledgeGraph

    graph = KnowledgeGraph.open(folder)
    for name in track(list(graph.names), "texts of the graph"):
        sentences = entity_sentences(graph, name, both_ways=options.both_ways)
        if not any(letter.isalpha() for letter in name):
            tally.rejects += [_reject("not_a_name", sentence.places, None) for sentence in sentences if sentence.places]
            continue
        for number, held in enumerate(_packed(sentences, options.longest, tally)):
            places = dict.fromkeys(place for sentence in held for place in sentence.places)
            text = "".join(sentence.text for sentence in held)
            identity = make_id("t", name, number, text)
            yield Text(text=text, kind="graph", about=name, id=identity, places=list(places))


def _packed(sentences: Iterator[Stated], longest: int, tally: _Tally) -> Iterator[list[Stated]]:
    """Neighbouring sentences put together as long as they are short enough."""
    held: list[Stated] = []
    size = 0
    for sentence in sentences:
        if len(sentence.text) > longest:
            tally.rejects.append(_reject("too_long", sentence.places, None))
            continue
        if held and size + len(sentence.text) > longest:
            yield held
            held, size = [], 0
        held.append(sentence)
        size += len(sentence.text)
    if any(sentence.places for sentence in held):
        yield held


def _document_texts(
    graph: Path | None, documents: Sequence[Path], names: Sequence[str], options: TextOptions, tally: _Tally
) -> Iterator[Text]:
    if not documents:
        return
    with tempfile.TemporaryDirectory() as place:
        raw, unique = Path(place) / "raw", Path(place) / "unique"
        plan = Plan(stage=STAGE, inputs=[], parameters={})
        run_step(plan, raw, lambda writer: _cut(graph, documents, names, options, tally, writer))
        dedup(raw, unique, threshold=options.threshold)
        tally.rejects += read_rejects(unique / REJECTS)
        for piece in read_dialogues(unique):
            tally.sources[piece.source] += 1
            where = f"{piece.meta.file}:{piece.meta.line}"
            text = piece.messages[0].content
            yield Text(text=text, kind="document", about=piece.source, id=piece.id, places=[where])


def _cut(
    graph: Path | None,
    documents: Sequence[Path],
    names: Sequence[str],
    options: TextOptions,
    tally: _Tally,
    writer: SetWriter,
) -> None:
    """The pieces of all documents as a set that can be deduplicated: each is one turn."""
    known = graph_names(graph) if graph is not None else None
    hide = None if options.identified else lambda texts: deidentify_texts(texts, known=known)
    for path, name in zip(documents, names, strict=True):
        for document in track(read_documents(path, name), f"reading {name}"):
            if isinstance(document, Bad):
                writer.reject(
                    Reject(stage=STAGE, reason=document.reason, file=name, line=document.line, detail=document.detail)
                )
            else:
                _cut_one(document, name, hide, options, tally, writer)


Hide = Callable[[list[str]], tuple[list[str], dict[str, int]]]


def _cut_one(
    document: Document, name: str, hide: Hide | None, options: TextOptions, tally: _Tally, writer: SetWriter
) -> None:
    paragraphs = document.paragraphs
    if hide is not None:
        hidden, counts = hide([paragraph.text for paragraph in paragraphs])
        paragraphs = [msgspec.structs.replace(one, text=text) for one, text in zip(paragraphs, hidden, strict=True)]
        tally.replaced.update(counts)
    for piece in pieces(paragraphs, options.longest):
        reason = _unfit(piece.text, options)
        identity = make_id("t", document.file, piece.line, piece.text)
        if reason is not None:
            writer.reject(Reject(stage=STAGE, reason=reason, file=document.file, line=piece.line, id=identity))
            continue
        writer.keep(
            Dialogue(
                id=identity,
                messages=[Message("user", piece.text)],
                source=name,
                meta=Origin(file=document.file, line=piece.line, format="document"),
            )
        )


def _unfit(text: str, options: TextOptions) -> str | None:
    if len(text) < options.shortest:
        return "too_short"
    return "garbled" if "\x00" in text or read_wrongly(text) else None


def _is_new(text: str, seen: set[bytes]) -> bool:
    digest = hashlib.blake2b("".join(text.split()).encode(), digest_size=16).digest()
    fresh = digest not in seen
    seen.add(digest)
    return fresh


def _names(documents: Sequence[Path]) -> list[str]:
    """What documents are called: their file names, with the folder before them where two are alike."""
    names = [path.name for path in documents]
    return [
        name if names.count(name) == 1 else f"{path.resolve().parent.name}/{name}"
        for path, name in zip(documents, names, strict=True)
    ]


def _reject(reason: str, places: Sequence[str], identity: str | None) -> Reject:
    file, _, line = (places[0] if places else "graph:0").rpartition(":")
    return Reject(stage=STAGE, reason=reason, file=file, line=int(line), id=identity)


def _written(tally: _Tally) -> Written:
    reasons = Counter(reject.reason for reject in tally.rejects)
    return Written(
        texts=dict(tally.texts),
        characters=dict(tally.characters),
        sources=dict(sorted(tally.sources.items())),
        rejected=dict(sorted(reasons.items())),
        replaced=dict(sorted(tally.replaced.items())),
    )


def _nothing(rejects: Sequence[Reject]) -> ZhongjingError:
    if not rejects:
        return ZhongjingError("there is no text in any of this", hint="is the graph empty?")
    first = rejects[0]
    why = f"{first.reason}: {first.detail}" if first.detail else first.reason
    return ZhongjingError(
        "no text could be made; this is the first fault", where=f"{first.file}:{first.line}", hint=why
    )
