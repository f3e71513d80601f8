"""Doctors' turns brought to one style by an endpoint, each rewrite checked against its original; patients' untouched.

A rewrite that loses, adds or changes a fact is asked for again with the reasons; after the last attempt the original
stays, is flagged, and goes to the review queue. Finished turns are kept in a journal beside the output, so that a
killed run goes on and ends in the same bytes, where the endpoint gives the same answers. The journal outlives a run in
which the endpoint failed at some turns: run again, only those are asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from corpus.matching import REVIEW, Review
from corpus.records import Dialogue, Message, Rewriting
from corpus.rewriting.editing import again, read_reply, request, style_of
from corpus.rewriting.facts import FactReader
from corpus.rewriting.fidelity import Fault, FidelityCheck
from corpus.rewriting.rewrites import REWRITES, Attempt, Rewrite, RewriteOptions, Task, changes
from corpus.sets import Plan, SetWriter, StageResult, plan_step, read_dialogues, run_step, stages_of
from corpus.turns import is_courtesy
from foundation.endpoint import Client, Endpoint, EndpointError, Usage
from foundation.errors import ZhongjingError
from foundation.jsonl import dump_json
from foundation.manifest import code_version
from foundation.partial import Partial

STAGE = "rewrite"
_IN_A_ROW = 20
_MOST = 2_000
_WHEN = {
    "refused": "the name of the model, --max-tokens and --seed are such as it takes",
    "nonsense": "the address is that of an OpenAI-compatible endpoint, up to /v1",
}


def rewrite(
    source: Path,
    graph: Path,
    out: Path,
    endpoint: Endpoint,
    *,
    options: RewriteOptions | None = None,
    identified: bool = False,
    reuse: bool = False,
    on_usage: Callable[[Usage], None] | None = None,
) -> StageResult:
    """Rewrite the doctors' turns of the set `source` by `endpoint`, held against the graph, and write the set `out`.

    Turns of courtesy alone stay as they are. Refuses a set that was not de-identified unless `identified`, because
    its words would leave the house. `on_usage` is told what this run asked for. Raises where the endpoint cannot be
    used at all; what is finished by then is kept for the next run.
    """
    chosen = options or RewriteOptions()
    if not identified:
        _require_deidentified(source)
    style = style_of(Path(chosen.style) if chosen.style is not None else None)
    plan = plan_step(STAGE, source, _parameters(endpoint, chosen, style), graph=graph)

    def work(writer: SetWriter) -> None:
        check = FidelityCheck(FactReader(graph))
        with Client(endpoint) as client, Partial(_journal(out), _fingerprint(plan), Rewrite) as journal:
            failed = _rewrite_all(source, client, Editor(client, check, chosen, style), journal)
            _collect(source, journal, failed, chosen, writer)
            if not failed:
                journal.remove()
        if on_usage is not None:
            on_usage(client.usage)

    return run_step(plan, out, work, reuse=reuse)


class Editor:
    """Rewrites one turn at a time; threads may share it."""

    def __init__(self, client: Client, check: FidelityCheck, options: RewriteOptions, style: str) -> None:
        self._client, self._check, self._options, self._style = client, check, options, style

    def rewrite(self, task: Task) -> Rewrite:
        """What becomes of a turn. Raises `EndpointError` where the endpoint would answer nobody."""
        before = task.dialogue.messages[max(0, task.turn - self._options.context) : task.turn]
        asked = request(self._style, before, task.original)
        attempts: list[Attempt] = []
        usage = Usage()
        for number in range(self._options.attempts):
            attempt, spent = self._attempt(task, asked, number)
            attempts.append(attempt)
            usage += spent
            if attempt.endpoint is not None or not attempt.faults:
                break
            asked = asked[:2] + again(attempt.text, attempt.faults)
        rewritten = attempts[-1].endpoint is None and not attempts[-1].faults
        return Rewrite(
            dialogue_id=task.dialogue.id,
            turn=task.turn,
            outcome="rewritten" if rewritten else "kept",
            attempts=attempts,
            changes=changes(task.original, attempts[-1].text if rewritten else task.original),
            usage=usage,
        )

    def _attempt(self, task: Task, asked: list[dict[str, str]], number: int) -> tuple[Attempt, Usage]:
        options = self._options
        try:
            reply = self._client.chat(
                asked, max_tokens=options.max_tokens, temperature=options.temperature, seed=options.seed + number
            )
        except EndpointError as error:
            if error.hopeless:
                raise
            return Attempt(endpoint=error.fault), Usage()
        text = read_reply(reply, task.original)
        if isinstance(text, Fault):
            return Attempt(text=reply.text[:_MOST], faults=[text]), reply.usage
        return Attempt(text=text, faults=self._check.faults(task.original, text)), reply.usage


def _rewrite_all(source: Path, client: Client, editor: Editor, journal: Partial[Rewrite]) -> dict[str, Rewrite]:
    """Bring every turn into the journal, but for those the endpoint failed at, which are given back."""
    failed: dict[str, Rewrite] = {}
    waiting = (task for task in _tasks(source) if journal.found(task.key) is None)
    total = sum(1 for task in _tasks(source) if journal.found(task.key) is None)
    in_a_row, answered = 0, bool(journal.records)
    for task, done in client.each(waiting, editor.rewrite, "rewriting turns", total):
        if not done.failed:
            journal.add(task.key, [done])
            in_a_row, answered = 0, True
            continue
        failed[task.key] = done
        fault = str(done.attempts[-1].endpoint)
        in_a_row += fault != "refused" or not answered  # who answers some turns is right to refuse others
        if in_a_row == _IN_A_ROW:
            raise ZhongjingError(
                f"the endpoint failed at {_IN_A_ROW} turns in a row ({fault})",
                where=client.endpoint.base_url,
                hint=f"what is finished is kept: run the same command again when {_WHEN.get(fault, 'it answers')}",
            )
    return failed


def _tasks(source: Path) -> Iterator[Task]:
    for dialogue in read_dialogues(source):
        for turn, message in enumerate(dialogue.messages):
            if message.role == "assistant" and not is_courtesy(message.content):
                yield Task(dialogue, turn)


def _collect(
    source: Path, journal: Partial[Rewrite], failed: dict[str, Rewrite], options: RewriteOptions, writer: SetWriter
) -> None:
    """Write the set, what became of each turn, and the review queue, in the order of the source."""
    usage = Usage()
    for dialogue in read_dialogues(source):
        rewrites: dict[int, Rewrite] = {}
        for turn in range(len(dialogue.messages)):
            key = Task(dialogue, turn).key
            done = failed.get(key) or next(iter(journal.found(key) or ()), None)
            if done is not None:
                rewrites[turn] = done
                usage += done.usage
        turns = sum(message.role == "assistant" for message in dialogue.messages)
        writer.details["turns_of_courtesy"] += turns - len(rewrites)
        _write_down(dialogue, rewrites, writer)
        writer.keep(_replaced(dialogue, rewrites))
    writer.details["prompt_tokens"] = usage.prompt_tokens
    writer.details["completion_tokens"] = usage.completion_tokens
    writer.details["answers_without_token_counts"] = usage.uncounted
    if options.price_in or options.price_out:
        writer.notes["cost"] = f"{usage.cost(options.price_in, options.price_out):.4f}"


def _write_down(dialogue: Dialogue, rewrites: dict[int, Rewrite], writer: SetWriter) -> None:
    for turn, done in rewrites.items():
        writer.file(REWRITES).write(dump_json(done) + b"\n")
        writer.details[f"turns_{done.outcome}"] += 1
        writer.details["turns_the_endpoint_failed_at"] += int(done.failed)
        writer.details["answers_rejected"] += sum(bool(attempt.faults) for attempt in done.attempts)
        if done.outcome == "kept":
            writer.file(REVIEW).write(dump_json(_review(dialogue, turn, done)) + b"\n")


def _review(dialogue: Dialogue, turn: int, done: Rewrite) -> Review:
    """A kept turn for the review queue: the claim is (rewrite, kind of failure, of what), the evidence all reasons."""
    last = done.attempts[-1]
    first = last.faults[0] if last.faults else None
    return Review(
        dialogue_id=dialogue.id,
        file=dialogue.meta.file,
        line=dialogue.meta.line,
        turn=turn,
        start=0,
        end=len(dialogue.messages[turn].content),
        claim=[STAGE, first.kind if first else "endpoint", first.reason() if first else str(last.endpoint)],
        evidence=[
            f"{number}. {reason}"
            for number, attempt in enumerate(done.attempts, start=1)
            for reason in ([fault.reason() for fault in attempt.faults] or [str(attempt.endpoint)])
        ],
    )


def _replaced(dialogue: Dialogue, rewrites: dict[int, Rewrite]) -> Dialogue:
    messages = [
        Message(message.role, rewrites[turn].text) if turn in rewrites else message
        for turn, message in enumerate(dialogue.messages)
    ]
    done = Rewriting(
        rewritten=[turn for turn, one in rewrites.items() if one.outcome == "rewritten"],
        kept=[turn for turn, one in rewrites.items() if one.outcome == "kept"],
    )
    return msgspec.structs.replace(dialogue, messages=messages, rewriting=done)


def _require_deidentified(source: Path) -> None:
    if not any(stage.stage == "deidentify" for stage in stages_of(source)):
        raise ZhongjingError(
            "this set was not de-identified, and its words would go to the endpoint",
            where=source,
            hint="run `corpus deidentify` first, or say --identified where nobody can be known from it",
        )


def _parameters(endpoint: Endpoint, options: RewriteOptions, style: str) -> dict[str, object]:
    """What decides the result: neither the endpoint's address nor its key."""
    chosen = {name: getattr(options, name) for name in RewriteOptions.__struct_fields__}
    return {"model": endpoint.model, **chosen, "style": hashlib.sha256(style.encode()).hexdigest()[:16]}


def _journal(out: Path) -> Path:
    return out.parent / f".{out.name}.turns"


def _fingerprint(plan: Plan) -> str:
    told = msgspec.json.encode([plan.stage, plan.inputs, plan.parameters, code_version()])
    return hashlib.sha256(told).hexdigest()
