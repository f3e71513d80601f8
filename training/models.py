"""Models and tokenizers from folders, and messages to tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from corpus.records import Message
from foundation.errors import ZhongjingError, needs_extra
from foundation.files import existing_file
from foundation.manifest import FileEntry, entry_of, read_manifest
from training.attention import KERNELS
from training.recipes import Model
from training.runtime import device

with needs_extra("train", "loading a model"):
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

PAD = "<|pad|>"


def load_causal(folder: Path, chat_template: Path | None = None, *, dtype: str = "float32") -> tuple[Any, Any]:
    """Language model (evaluation mode) and tokenizer; pad is never the end of sequence."""
    return _load(folder, AutoModelForCausalLM, chat_template, dtype=dtype)


def load_classifier(
    folder: Path, attention: str, *, dtype: str = "float32", chat_template: Path | None = None
) -> tuple[Any, Any]:
    """The model with one linear output per sequence in float32: the head is new where the folder has none.

    `attention` names one of the kernels of packed rows.
    """
    options = {"num_labels": 1, "attn_implementation": KERNELS[attention], "dtype": dtype}
    model, tokenizer = _load(folder, AutoModelForSequenceClassification, chat_template, **options)
    if not hasattr(model, "score") or not model._supports_attention_backend:
        raise ZhongjingError(
            "no linear score head, or an attention that cannot be exchanged; Llama and Qwen have both",
            where=folder,
        )
    model.score.float()
    return model, tokenizer


def load_tokenizer(folder: Path, chat_template: Path | None = None) -> Any:
    """The tokenizer of a model, with a chat template of its own or the one given."""
    existing_model(folder)
    with loading(folder):
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if chat_template is not None:
        tokenizer.chat_template = existing_file(chat_template).read_text("utf-8")
    if not tokenizer.chat_template:
        raise ZhongjingError(
            "this tokenizer has no chat template", where=folder, hint="name one in the recipe: model: chat_template: …"
        )
    return tokenizer


def save(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write what `from_pretrained` reads, readable by whoever may read the folder."""
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    as_readable(folder)


def as_readable(folder: Path) -> None:
    """Give all files here the rights of the JSON among them: safetensors keeps its own to their owner."""
    mode = next(folder.glob("*.json")).stat().st_mode
    for file in folder.iterdir():
        file.chmod(mode)


def entry_of_model(folder: Path) -> FileEntry:
    """How a manifest names a model: by its own manifest, else by its configuration."""
    return entry_of(folder if (folder / "manifest.json").is_file() else folder / "config.json")


def model_folder(model: Model, beside: Path) -> Path:
    """The folder of `model`, where a tiny stand-in is built first if the recipe says so and it is not there yet.

    Without a path the stand-in is `tiny_model` beside the output.
    """
    folder = model.path or beside.parent / "tiny_model"
    if model.tiny is not None and not _is_real(folder):
        from training.tiny import ensure_tiny

        ensure_tiny(model.tiny, folder)
    return existing_model(folder)


def existing_model(folder: Path) -> Path:
    """`folder` itself where a model is in it; a clear error otherwise."""
    if not (folder / "config.json").is_file():
        raise ZhongjingError(
            "no model here (config.json is missing)", where=folder, hint="give the folder of a downloaded model"
        )
    return folder


def encode_prompt(tokenizer: Any, messages: Sequence[Message], limit: int) -> tuple[list[int], bool]:
    """Tokens up to where the answer starts, and whether they were cut.

    Over `limit` the oldest turns go first (a system message stays), then the first tokens of the last turn.
    """
    for kept in shorter(messages):
        tokens = render(tokenizer, kept)
        if len(tokens) <= limit:
            return tokens, len(kept) < len(messages)
    return tokens[-limit:], True


def shorter(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """All messages, then fewer and fewer of the newest, each time starting with the patient."""
    system = [message for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    yield list(messages)
    for start in range(1, len(turns)):
        if turns[start].role == "user":
            yield system + turns[start:]


def newest(tokenizer: Any, messages: Sequence[Message], limit: int, *answers: str) -> list[Message]:
    """The newest turns that fit the limit together with each of the answers; the last one at least."""
    kept = list(messages)
    for kept in shorter(messages):
        if max(len(render(tokenizer, kept, answer)) for answer in answers or (None,)) <= limit:
            break
    return kept


def render(tokenizer: Any, messages: Sequence[Message], answer: str | None = None) -> list[int]:
    """Tokens of a conversation in the model's own chat template, ready for an answer or with one."""
    plain = [{"role": message.role, "content": message.content} for message in messages]
    if answer is not None:
        plain.append({"role": "assistant", "content": answer})
    tokens = tokenizer.apply_chat_template(plain, add_generation_prompt=answer is None, return_dict=False)
    return list(tokens)


def _load(folder: Path, kind: Any, chat_template: Path | None, **options: Any) -> tuple[Any, Any]:
    tokenizer = load_tokenizer(folder, chat_template)
    with loading(folder):
        model = kind.from_pretrained(folder, local_files_only=True, **options)
    _distinct_pad(model, tokenizer)
    return model.to(device()).eval(), tokenizer


def _distinct_pad(model: Any, tokenizer: Any) -> None:
    """A pad that is also the end of sequence would hide where an answer ends."""
    if tokenizer.pad_token_id is None or tokenizer.pad_token_id == tokenizer.eos_token_id:
        tokenizer.add_special_tokens({"pad_token": PAD})
        if len(tokenizer) > model.get_input_embeddings().num_embeddings:
            model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    tokenizer.padding_side = "left"
    model.config.pad_token_id = tokenizer.pad_token_id


def _is_real(folder: Path) -> bool:
    """A model that we did not build: never to be replaced."""
    if not (folder / "config.json").is_file():
        return False
    return not (folder / "manifest.json").is_file() or read_manifest(folder).kind != "tiny-model"


@contextmanager
def loading(folder: Path) -> Iterator[None]:
    """Whatever a damaged model makes the libraries raise becomes one clear error."""
    try:
        yield
    except Exception as error:
        raise ZhongjingError(f"this model cannot be loaded ({type(error).__name__})", where=folder) from error
