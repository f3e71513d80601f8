"""A tiny Llama and its tokenizer, made from a data set version: a stand-in where no model can be downloaded.

It makes the road real, not the answers good.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from corpus.records import Message
from corpus.sets import read_dialogues
from foundation.cli import warn
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import new_folder
from foundation.manifest import claim_folder, entry_of, read_manifest, write_manifest
from foundation.progress import progress, track
from training.models import save
from training.recipes import Tiny, parameters
from training.runtime import descend, device, prepare, seeded

with needs_extra("train", "building a tiny model"):
    import torch
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

KIND = "tiny-model"
NOTICE = "not a real model: what it writes looks like Chinese and means nothing"
DIALOGUES = 4_000
WINDOW, BATCH, LEARNING_RATE, CONTEXT = 160, 8, 3e-3, 2048
PAD, BOS, EOS, UNKNOWN = "<pad>", "<s>", "</s>", "<unk>"
SPECIAL = [PAD, BOS, EOS, UNKNOWN, "<|system|>", "<|user|>", "<|assistant|>"]
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{{ '<|' + message.role + '|>' }}"
    "{% if message.role == 'assistant' %}{% generation %}{{ message.content + eos_token }}{% endgeneration %}"
    "{% else %}{{ message.content + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


class TinyResult(msgspec.Struct, frozen=True, kw_only=True):
    """What was built. Losses are mean cross-entropies per doctor's token in nats, first and last tenth of the steps."""

    folder: Path
    parameters: int
    vocabulary: int
    dialogues: int
    loss_first: float
    loss_last: float


def build_tiny(
    version: Path,
    out: Path,
    *,
    seed: int = 0,
    steps: int = 240,
    vocabulary: int = 2400,
    hidden: int = 128,
    layers: int = 3,
) -> TinyResult:
    """Train a BPE tokenizer and a Llama of about a million weights on a version's first 4,000 dialogues.

    The loss counts the doctors' turns alone. The folder is what `from_pretrained` reads, with a manifest of kind
    "tiny-model".
    """
    prepare()
    claim_folder(out, KIND)
    dialogues = [dialogue.messages for dialogue in itertools.islice(read_dialogues(version), DIALOGUES)]
    if not dialogues:
        raise ZhongjingError("this version holds no dialogue", where=version)
    tokenizer = train_tokenizer([message.content for dialogue in dialogues for message in dialogue], vocabulary)
    with seeded(seed, 1):
        model = LlamaForCausalLM(_config(tokenizer, hidden, layers)).to(device())
    losses = _fine_tune(model, tokenizer, dialogues, steps, seed)
    tenth = max(1, len(losses) // 10)
    result = TinyResult(
        folder=out,
        parameters=model.num_parameters(),
        vocabulary=len(tokenizer),
        dialogues=len(dialogues),
        loss_first=_mean(losses[:tenth]),
        loss_last=_mean(losses[-tenth:]),
    )
    options = {"vocabulary": vocabulary, "hidden": hidden, "layers": layers, "steps": steps, "seed": seed}
    _write(model, tokenizer, result, options, version)
    return result


def ensure_tiny(tiny: Tiny, folder: Path) -> None:
    """Build the stand-in at `folder` unless the same one is already there."""
    if (folder / "manifest.json").is_file():
        manifest = read_manifest(folder, KIND)
        if manifest.parameters == parameters(tiny) and manifest.inputs == [entry_of(tiny.corpus)]:
            warn(f"{folder}: going on with the tiny stand-in that is there, {NOTICE}")
            return
    warn(f"{folder}: building a tiny stand-in, {NOTICE}")
    build_tiny(
        tiny.corpus,
        folder,
        seed=tiny.seed,
        steps=tiny.steps,
        vocabulary=tiny.vocabulary,
        hidden=tiny.hidden,
        layers=tiny.layers,
    )


def _write(model: Any, tokenizer: Any, result: TinyResult, options: dict[str, int], version: Path) -> None:
    with new_folder(result.folder) as folder:
        save(model, tokenizer, folder)
        (folder / "README.md").write_text(f"A tiny stand-in, {NOTICE}.\n", "utf-8")
        write_manifest(
            folder,
            kind=KIND,
            name=result.folder.name,
            inputs=[entry_of(version)],
            parameters=options,
            counts={"parameters": result.parameters, "vocabulary": result.vocabulary, "dialogues": result.dialogues},
        )


def train_tokenizer(texts: Sequence[str], vocabulary: int) -> Any:
    """A BPE tokenizer over characters, every other character as its UTF-8 bytes, so that any text encodes and
    decodes to itself. Pad, begin, end, unknown and the three roles are special tokens of their own."""
    alphabet = _alphabet(texts, (vocabulary - 256) // 2)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary - 256,
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        max_token_length=6,
        show_progress=False,
    )
    learner = Tokenizer(models.BPE(unk_token=UNKNOWN))
    learner.pre_tokenizer = _words()
    learner.train_from_iterator(texts, trainer)
    learned = json.loads(learner.to_str())["model"]
    entries: dict[str, int] = learned["vocab"]
    for byte in range(256):
        entries.setdefault(f"<0x{byte:02X}>", len(entries))
    merges = [tuple(pair) for pair in learned["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=entries, merges=merges, unk_token=UNKNOWN, byte_fallback=True))
    tokenizer.pre_tokenizer = _words()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(SPECIAL)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        unk_token=UNKNOWN,
        additional_special_tokens=SPECIAL[4:],
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
        padding_side="left",
        model_max_length=CONTEXT,
    )


def _words() -> Any:
    return pre_tokenizers.Split(Regex(r"\s+|[\p{P}\p{S}]|\d|[^\s\p{P}\p{S}\d]+"), "isolated")


def _alphabet(texts: Sequence[str], size: int) -> list[str]:
    counts = Counter(character for text in texts for character in text)
    return sorted(sorted(counts, key=lambda character: (-counts[character], character))[:size])


def _config(tokenizer: Any, hidden: int, layers: int) -> Any:
    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=hidden * 5 // 2,
        num_hidden_layers=layers,
        num_attention_heads=max(1, hidden // 32),
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )


def _fine_tune(
    model: Any, tokenizer: Any, dialogues: Sequence[Sequence[Message]], steps: int, seed: int
) -> list[float]:
    tokens, labels = _windows(tokenizer, dialogues)
    weights = list(model.parameters())
    optimizer = torch.optim.AdamW(weights, lr=LEARNING_RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps + 1, pct_start=0.1)
    losses = []
    with seeded(seed, 2), progress("building a tiny stand-in", steps) as bar:
        model.train()
        for _ in range(steps):
            rows = torch.randint(len(tokens), (BATCH,))
            batch, wanted = tokens[rows].to(device()), labels[rows].to(device())
            loss = model(input_ids=batch, attention_mask=batch.ne(tokenizer.pad_token_id).long(), labels=wanted).loss
            descend(loss, optimizer, weights, 1.0)
            schedule.step()
            losses.append(loss.item())
            bar.advance()
        model.eval()
    return losses


def _windows(tokenizer: Any, dialogues: Sequence[Sequence[Message]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pieces of dialogues as (rows, WINDOW) tokens and labels; -100 where a patient speaks or nobody does."""
    pieces = []
    for dialogue in track(dialogues, "reading dialogues"):
        plain = [{"role": message.role, "content": message.content} for message in dialogue]
        coded = tokenizer.apply_chat_template(plain, return_dict=True, return_assistant_tokens_mask=True)
        pairs = list(zip(coded["input_ids"], coded["assistant_masks"], strict=True))
        pieces += [pairs[start : start + WINDOW] for start in range(0, len(pairs), WINDOW)]
    pieces = [piece for piece in pieces if any(doctor for _, doctor in piece[1:])]
    if not pieces:
        raise ZhongjingError("no doctor says anything in these dialogues")
    tokens = torch.full((len(pieces), WINDOW), tokenizer.pad_token_id)
    labels = torch.full((len(pieces), WINDOW), -100)
    for row, piece in enumerate(pieces):
        tokens[row, : len(piece)] = torch.tensor([token for token, _ in piece])
        labels[row, : len(piece)] = torch.tensor([token if doctor else -100 for token, doctor in piece])
    return tokens, labels


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 6) if values else 0.0
