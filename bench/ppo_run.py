"""One PPO run for `training_ppo.py`: ours or TRL's, in this process, on a world that is there already.

python bench/ppo_run.py ours|trl adapters|trunk|all FOLDER SETTING
Prints one line of JSON: CPU and wall seconds per episode of the training loop, peak memory in MB, memory before any
model was loaded, and the mean reward of held-out prompts before and after with the KL between.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from training.actor import Actor, load_actor
from training.drawing import LocalDrawer
from training.generate import read_prompts
from training.judge import judge_of
from training.policy import encode, hold_out, sample
from training.ppo import Trainer
from training.recipes import Lora, Model, PPORecipe
from training.runtime import prepare


def main() -> None:
    whose, how, folder, setting = sys.argv[1], sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4])
    prepare()
    recipe = recipe_of(folder, setting, how)
    idle = peak_megabytes()
    cpu, wall, trained = ours(recipe) if whose == "ours" else trl(recipe)
    peak = peak_megabytes()
    episodes = recipe.iterations * recipe.episodes
    told = {"cpu": cpu / episodes, "wall": wall / episodes, "peak": peak, "idle": idle}
    print(json.dumps(told | judged(recipe, trained)))


def recipe_of(folder: Path, setting: dict[str, Any], how: str) -> PPORecipe:
    return PPORecipe(
        prompts=folder / "prompts.jsonl",
        output=folder / "policy",
        model=Model(path=folder / "base"),
        reward_model=folder / "judge",
        held_out=0.2,
        lora=None if how == "all" else Lora(rank=setting["rank"], alpha=2.0 * setting["rank"]),
        value_adapter=how == "adapters",
        max_new_tokens=setting["tokens"],
        missing_end_score=None,
        max_grad_norm=1e9,  # TRL's PPO clips no gradient
        learning_rate=setting["learning_rate"] * (0.1 if how == "all" else 1.0),
        log_to=(),
        **{
            name: setting[name]
            for name in ("iterations", "episodes", "minibatch", "epochs", "temperature", "kl_coefficient", "seed")
        },
    )


def peak_megabytes() -> float:
    """The most memory this process itself has held: unlike `ru_maxrss`, nothing of the parent it was forked from."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def timed(work: Any) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def ours(recipe: PPORecipe) -> tuple[float, float, Actor]:
    train, _ = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    actor = load_actor(recipe.model.path, recipe)  # type: ignore[arg-type]
    trainer = Trainer(recipe, actor, judge_of(recipe.reward_model, actor), encode(actor.tokenizer, train, 1024))
    cpu, wall = timed(lambda: [trainer.iterate(iteration) for iteration in range(1, recipe.iterations + 1)])
    return cpu, wall, actor


def trl(recipe: PPORecipe) -> tuple[float, float, Any]:
    from datasets import Dataset
    from peft import LoraConfig, inject_adapter_in_model
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    base, judge = recipe.model.path, recipe.reward_model
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    policy = AutoModelForCausalLM.from_pretrained(base, dtype="float32")
    value = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1, dtype="float32")
    torch.nn.init.zeros_(value.score.weight)
    reward = AutoModelForSequenceClassification.from_pretrained(judge, num_labels=1, dtype="float32")
    normalise(reward, judge)
    adapters = None
    if recipe.lora:
        adapters = LoraConfig(r=recipe.lora.rank, lora_alpha=recipe.lora.alpha, target_modules="all-linear")
        inject_adapter_in_model(adapters, value)
        value.score.requires_grad_(True)
    train, _ = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    rows = [{"input_ids": encoded.tokens} for encoded in encode(tokenizer, train, 1024)]
    settings = PPOConfig(
        output_dir=str(recipe.output.with_name("trl")),
        per_device_train_batch_size=recipe.episodes,
        gradient_accumulation_steps=1,
        num_mini_batches=recipe.episodes // recipe.minibatch,
        num_ppo_epochs=recipe.epochs,
        total_episodes=recipe.iterations * recipe.episodes,
        local_rollout_forward_batch_size=recipe.episodes,
        response_length=recipe.max_new_tokens,
        stop_token="eos",
        temperature=recipe.temperature,
        kl_coef=recipe.kl_coefficient,
        cliprange=recipe.clip,
        cliprange_value=recipe.value_clip,
        vf_coef=recipe.value_coefficient,
        gamma=recipe.discount,
        lam=recipe.gae_lambda,
        learning_rate=recipe.learning_rate,
        adam_epsilon=recipe.adam_epsilon,
        seed=recipe.seed,
        num_sample_generations=0,
        gradient_checkpointing=False,
        bf16=False,
        use_cpu=True,
        report_to="none",
        save_strategy="no",
        logging_strategy="no",
        disable_tqdm=True,
    )
    trainer = PPOTrainer(
        args=settings,
        processing_class=tokenizer,
        model=policy,
        ref_model=None,
        reward_model=reward,
        value_model=value,
        train_dataset=Dataset.from_list(rows),
        peft_config=adapters,
    )
    cpu, wall = timed(trainer.train)
    return cpu, wall, trainer.model.policy


def normalise(reward: Any, folder: Path) -> None:
    """Let the reward model's head give what our reward model gives: mean 0, standard deviation 1."""
    told = json.loads((folder / "reward_normalisation.json").read_text())
    head = torch.nn.Linear(reward.config.hidden_size, 1)
    head.weight.data = reward.score.weight.data / told["standard_deviation"]
    head.bias.data.fill_(-told["mean"] / told["standard_deviation"])
    reward.score = head


def judged(recipe: PPORecipe, trained: Any) -> dict[str, float]:
    """Both policies answer the held-out prompts by the same code with the same seeds; KL by sampling, per answer."""
    plain = Actor.merged(trained) if isinstance(trained, Actor) else trained
    plain = plain.merge_and_unload() if hasattr(plain, "merge_and_unload") else plain
    plain.eval()
    actor = load_actor(recipe.model.path, recipe)  # type: ignore[arg-type]
    judge = judge_of(recipe.reward_model, actor)
    _, held_out = hold_out(read_prompts(recipe.prompts), recipe.held_out, recipe.seed, recipe.prompts)
    prompts = encode(actor.tokenizer, held_out, 1024)
    rewards = {}
    for name, model in (("before", actor.plain), ("after", plain)):
        found = sample(LocalDrawer(model, actor.tokenizer, recipe), actor.tokenizer, judge, prompts, recipe)
        rewards[name] = sum(map(sum, found.rewards)) / sum(map(len, found.rewards))
    return rewards | {"kl": divergence(recipe, plain, actor, [encoded.tokens for encoded in prompts])}


def divergence(recipe: PPORecipe, policy: Any, actor: Actor, prompts: list[list[int]]) -> float:
    """Mean over drawn answers of the log-ratio of policy to base, in nats."""
    from training.drawing import padded

    answers = LocalDrawer(policy, actor.tokenizer, recipe).draw(
        prompts, [(9, number) for number in range(len(prompts))]
    )
    tokens, real, mask = padded(prompts, answers, actor.tokenizer.pad_token_id)
    length = mask.shape[1]
    with torch.no_grad():
        reference, _ = actor(tokens, real, length, recipe.temperature, reference=True)
        positions = (real.cumsum(1) - 1).clamp(min=0)
        logits = policy(tokens, attention_mask=real, position_ids=positions).logits[:, -length - 1 : -1]
    logprobs = (logits / recipe.temperature).log_softmax(-1).gather(-1, tokens[:, -length:, None]).squeeze(-1)
    return ((logprobs - reference) * mask).sum(1).mean().item()


if __name__ == "__main__":
    main()
