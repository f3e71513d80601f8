"""The reward model beside TRL's RewardTrainer: the same model, rankings and pairs, each in a process of its own.

    python bench/training_reward.py                  the table
    python bench/training_reward.py ours 4 200 12 36 one measurement: who, K, tokens of a prompt, those of an answer

A prompt of P tokens with K answers of A costs TRL K (K - 1) (P + A) tokens and us P + K A: the gain grows with K and
with the prompt, and falls as answers grow. The last layer is computed for the last tokens alone, which spares
more of four layers than of forty.

Full weights, float32, AdamW, batches of four prompts, no activation checkpointing on either side, one thread. CPU
seconds are those of the training steps alone (getrusage), not of loading or tokenising; memory is the process's peak.
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPTS, BATCH = 8, 4
HIDDEN, LAYERS, VOCABULARY = 384, 4, 2000
SHORT, LONG = (12, 36), (64, 128)
TABLE = [(4, 200, SHORT), (6, 200, SHORT), (4, 200, LONG), (6, 200, LONG), (2, 200, SHORT), (4, 400, SHORT)]
Range = tuple[int, int]


def main() -> None:
    if len(sys.argv) > 1:
        who, answers, length, least, most = sys.argv[1], *map(int, sys.argv[2:])
        print(json.dumps({"ours": ours, "trl": theirs}[who](answers, length, (least, most))))
        return
    print(f"Llama of {LAYERS} layers, width {HIDDEN}; lengths in tokens; CPU seconds a prompt over {PROMPTS} prompts\n")
    heads = ("K", "pairs", "prompt", "answer", "ours", "TRL", "ratio", "our MB", "TRL MB")
    print(" ".join(f"{head:>8}" for head in heads))
    for answers, length, short in TABLE:
        mine, other = (_measured(who, answers, length, short) for who in ("ours", "trl"))
        cells = (answers, answers * (answers - 1) // 2, length, f"{short[0]}-{short[1]}")
        figures = (f"{mine['cpu']:.3f}", f"{other['cpu']:.3f}", f"{other['cpu'] / mine['cpu']:.1f} x")
        memory = (f"{mine['megabytes']:.0f}", f"{other['megabytes']:.0f}")
        print(" ".join(f"{cell:>8}" for cell in (*cells, *figures, *memory)), flush=True)


def _measured(who: str, answers: int, length: int, short: Range) -> dict[str, float]:
    command = [sys.executable, __file__, who, str(answers), str(length), *map(str, short)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stderr[-3000:]}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def ours(answers: int, length: int, short: Range) -> dict[str, float]:
    from training.fitting import Learner, batches_of
    from training.models import load_tokenizer
    from training.recipes import Model, RewardRecipe
    from training.reward import encoded
    from training.runtime import prepare

    with tempfile.TemporaryDirectory() as folder:
        prepare()
        _one_thread()
        base = Path(folder)
        _write_model(base)
        examples = _examples(answers, length, short)
        recipe = RewardRecipe(
            rankings=base,
            output=base,
            model=Model(path=base),
            lora=None,
            prompts_per_batch=BATCH,
            prompts_per_forward=BATCH,
        )
        rows = encoded(load_tokenizer(base), examples, 4096)
        batches = [places for _, places in batches_of(len(rows), recipe)]
        learner = Learner(base, recipe, len(batches))
        start = time.process_time()
        for places in batches:
            learner.step([examples[place] for place in places], [rows[place] for place in places])
        return _told(start)


def theirs(answers: int, length: int, short: Range) -> dict[str, float]:
    import msgspec
    from datasets import Dataset
    from transformers import AutoModelForSequenceClassification, AutoTokenizer
    from trl import RewardConfig, RewardTrainer

    with tempfile.TemporaryDirectory() as folder:
        _one_thread()
        _write_model(Path(folder))
        rows = [
            {
                "prompt": msgspec.to_builtins(example.prompt),
                "chosen": [{"role": "assistant", "content": example.answers[pair.better]}],
                "rejected": [{"role": "assistant", "content": example.answers[pair.worse]}],
            }
            for example in _examples(answers, length, short)
            for pair in example.pairs
        ]
        pairs = answers * (answers - 1) // 2
        arguments = RewardConfig(
            output_dir=folder,
            per_device_train_batch_size=pairs,
            gradient_accumulation_steps=BATCH,
            num_train_epochs=1,
            max_length=4096,
            gradient_checkpointing=False,
            bf16=False,
            use_cpu=True,
            report_to="none",
            logging_strategy="no",
            save_strategy="no",
            disable_tqdm=True,
        )
        model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1, dtype="float32")
        trainer = RewardTrainer(
            model,
            args=arguments,
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(folder),
        )
        start = time.process_time()
        trainer.train()
        return _told(start)


def _told(start: float) -> dict[str, float]:
    """CPU seconds a prompt since `start`, and the most memory this process held."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu": (time.process_time() - start) / PROMPTS, "megabytes": peak}


def _one_thread() -> None:
    """CPU time of waiting threads would measure the machine's other work."""
    import torch

    torch.set_num_threads(1)


def _write_model(folder: Path) -> None:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.tiny import train_tokenizer

    tokenizer = train_tokenizer([_text(random.Random(1), 20_000)], VOCABULARY)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=HIDDEN,
        intermediate_size=HIDDEN * 8 // 3 // 16 * 16,
        num_hidden_layers=LAYERS,
        num_attention_heads=HIDDEN // 64,
        max_position_embeddings=4096,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _examples(answers: int, length: int, short: Range) -> list:
    """Rankings without ties. A character of these texts is about a token."""
    from corpus.records import Message
    from training.examples import Example, Pair, ordered_pairs

    dice = random.Random(0)
    return [
        Example(
            line=number,
            prompt_id=f"p-{number}",
            prompt=[Message("user", _text(dice, length))],
            answers=[_text(dice, dice.randint(*short)) for _ in range(answers)],
            models=[""] * answers,
            pairs=[Pair(better, worse) for better, worse in ordered_pairs(range(answers))],
            tiers=list(range(answers)),
        )
        for number in range(PROMPTS)
    ]


def _text(dice: random.Random, length: int) -> str:
    return "".join(chr(0x4E00 + dice.randrange(600)) for _ in range(length))


if __name__ == "__main__":
    main()
