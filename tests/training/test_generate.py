from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import training.speakers
from corpus.records import Decoding, ModelOutput, Prompt
from foundation.endpoint import Endpoint
from foundation.errors import ZhongjingError
from foundation.jsonl import read_records, write_records
from training.drawing import decoding_config, draw_texts
from training.generate import generate, read_prompts
from training.models import encode_prompt, load_causal
from training.recipes import Answerer, GenerateRecipe


def recipe_of(prompts: Path, tiny: Path, output: Path, **changes: object) -> GenerateRecipe:
    models = [
        Answerer(name="cool", path=tiny, temperature=0.5, max_new_tokens=12),
        Answerer(name="warm", path=tiny, temperature=1.0, max_new_tokens=12, answers=2),
    ]
    recipe = GenerateRecipe(prompts=prompts, output=output, models=models, include_reference=True, batch_size=8)
    return msgspec.structs.replace(recipe, **changes)


def test_every_prompt_gets_its_answers(prompts_file: Path, tiny: Path, tmp_path: Path) -> None:
    result = generate(recipe_of(prompts_file, tiny, tmp_path / "outputs.jsonl"))
    outputs = list(read_records(tmp_path / "outputs.jsonl", ModelOutput))
    assert len(outputs) == result.outputs == 20 * 3 + 16 - result.empty
    assert result.without_reference == 4
    assert len({output.output_id for output in outputs}) == len(outputs)
    assert list(dict.fromkeys(output.prompt_id for output in outputs)) == [f"p-{number}" for number in range(20)]
    drawn = [output for output in outputs if output.model != "reference-doctor"]
    assert all(output.text == output.text.strip() != "" and output.decoding for output in drawn)
    assert {output.decoding.temperature for output in drawn if output.decoding} == {0.5, 1.0}
    assert not list(tmp_path.glob("*.partial"))


def test_interrupted_and_not_end_with_the_same_bytes(
    prompts_file: Path, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    generate(recipe_of(prompts_file, tiny, tmp_path / "whole.jsonl"))
    original, calls = training.speakers.draw_texts, []

    def failing(*arguments: object) -> list[str]:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training.speakers, "draw_texts", failing)
    recipe = recipe_of(prompts_file, tiny, tmp_path / "resumed.jsonl")
    with pytest.raises(KeyboardInterrupt):
        generate(recipe)
    assert not (tmp_path / "resumed.jsonl").exists()
    monkeypatch.undo()
    partial = tmp_path / "resumed.jsonl.partial"
    partial.write_bytes(partial.read_bytes() + b'["0/9",[{"out')
    result = generate(recipe)
    assert result.reused >= 8
    assert "interrupted run" in capsys.readouterr().err
    assert (tmp_path / "resumed.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_another_recipe_starts_afresh(
    prompts_file: Path, tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "o.jsonl.partial").write_bytes(b'"run-0"\n["0/0",[]]\n')
    result = generate(recipe_of(prompts_file, tiny, tmp_path / "o.jsonl"))
    assert result.reused == 0
    assert "started afresh" in capsys.readouterr().err


def test_near_identical_answers_are_drawn_again(prompts_file: Path, tiny: Path, tmp_path: Path) -> None:
    models = [Answerer(name="m", path=tiny, temperature=0.7, max_new_tokens=6, answers=3)]
    first = generate(recipe_of(prompts_file, tiny, tmp_path / "a.jsonl", models=models, redraws=0))
    more = generate(recipe_of(prompts_file, tiny, tmp_path / "b.jsonl", models=models, redraws=8))
    assert first.redrawn == 0 < more.redrawn
    assert more.near_identical < first.near_identical


def test_left_padding_changes_no_greedy_answer(prompts_file: Path, tiny: Path) -> None:
    model, tokenizer = load_causal(tiny)
    config = decoding_config(tokenizer, temperature=0, max_new_tokens=10)
    coded = [
        encode_prompt(tokenizer, prompt.messages[: 1 + 2 * (place % 2)], 500)[0]
        for place, prompt in enumerate(read_prompts(prompts_file))
    ]
    together = draw_texts(model, tokenizer, coded, config)
    assert together == [draw_texts(model, tokenizer, [prompt], config)[0] for prompt in coded]


def test_the_prompts_are_never_replaced_and_a_missing_model_is_said(
    prompts_file: Path, tiny: Path, tmp_path: Path
) -> None:
    before = prompts_file.read_bytes()
    with pytest.raises(ZhongjingError, match="replace the prompts"):
        generate(recipe_of(prompts_file, tiny, prompts_file))
    assert prompts_file.read_bytes() == before
    with pytest.raises(ZhongjingError, match="no model here"):
        generate(recipe_of(prompts_file, tmp_path / "none", tmp_path / "o.jsonl"))


def test_a_spoilt_model_is_one_clear_error(tiny: Path) -> None:
    model, tokenizer = load_causal(tiny)
    model.get_input_embeddings().weight.data.fill_(float("nan"))
    config = decoding_config(tokenizer, temperature=1.0, max_new_tokens=2)
    with pytest.raises(ZhongjingError, match="not finite numbers"):
        draw_texts(model, tokenizer, [[1, 5]], config)


@pytest.fixture
def answering(scripted: Any, prompts_file: Path, tmp_path: Path) -> Callable[..., GenerateRecipe]:
    """A recipe that asks the scripted service for three answers to each prompt."""

    def make(**changes: Any) -> GenerateRecipe:
        endpoint = Endpoint(base_url=scripted.url, model="qwen", backoff=0.001, retries=1, timeout=30.0, connections=4)
        asked = Answerer(name="served", endpoint=endpoint, answers=3, temperature=0.8, top_p=0.9, max_new_tokens=20)
        recipe = GenerateRecipe(prompts=prompts_file, output=tmp_path / "o.jsonl", models=[asked], batch_size=8)
        return msgspec.structs.replace(recipe, **changes)

    return make


def test_an_endpoint_answers_with_the_decoding_that_is_stated(
    scripted: Any, answering: Callable[..., GenerateRecipe], prompts_file: Path
) -> None:
    scripted.script = lambda asked: f"请多喝水{asked['seed']}，{asked['messages'][-1]['content']}"
    result = generate(answering())
    outputs = list(read_records(result.output, ModelOutput))
    assert len(outputs) == result.outputs == 60 and result.redrawn == 0
    assert {output.model for output in outputs} == {"served"}
    assert all(output.decoding == Decoding(temperature=0.8, top_p=0.9, max_new_tokens=20, seed=0) for output in outputs)
    asked = scripted.asked[0]
    assert (asked["model"], asked["temperature"], asked["top_p"], asked["max_tokens"]) == ("qwen", 0.8, 0.9, 20)
    assert len({request["seed"] for request in scripted.asked}) == 60
    prompts = read_prompts(prompts_file)
    assert {json.dumps(request["messages"]) for request in scripted.asked} == {
        json.dumps(msgspec.to_builtins(prompt.messages)) for prompt in prompts
    }
    for output in outputs:
        asking = next(prompt for prompt in prompts if prompt.prompt_id == output.prompt_id).messages[-1].content
        assert output.text.endswith(asking)


def test_an_endpoint_that_repeats_itself_is_asked_again(
    scripted: Any, answering: Callable[..., GenerateRecipe]
) -> None:
    result = generate(answering(redraws=2))
    assert result.redrawn == 20 * 2 * 2
    assert (result.outputs, result.near_identical, result.empty) == (60, 40, 0)
    assert len(scripted.asked) == 60 + 80


def test_what_an_endpoint_refuses_is_counted_and_the_rest_goes_on(
    scripted: Any, answering: Callable[..., GenerateRecipe]
) -> None:
    def script(asked: dict[str, Any]) -> Any:
        texts = asked["messages"][0]["content"]
        return 400 if "第3次" in texts else " " if "第4次" in texts else f"多喝水{asked['seed']}"

    scripted.script = script
    result = generate(answering(redraws=1))
    assert result.failed == {"refused": 3}
    assert (result.empty, result.outputs) == (6, 54)


def test_an_endpoint_that_goes_away_is_gone_on_with(
    scripted: Any, answering: Callable[..., GenerateRecipe], capsys: pytest.CaptureFixture[str]
) -> None:
    """Two batches are answered, then the key is refused; the second run asks for what is missing alone."""
    scripted.script = lambda asked: 401 if len(scripted.asked) > 48 else f"多喝水{asked['seed']}"
    with pytest.raises(ZhongjingError, match="401"):
        generate(answering())
    assert "多喝水" not in capsys.readouterr().err
    scripted.asked.clear()
    scripted.script = lambda asked: f"多喝水{asked['seed']}"
    result = generate(answering())
    assert (result.reused, result.outputs) == (48, 60)
    assert len({asked["seed"] for asked in scripted.asked}) == 12, "requests of the first run may still be under way"


def test_a_model_is_here_or_behind_an_endpoint(scripted: Any, tiny: Path) -> None:
    endpoint = Endpoint(base_url=scripted.url, model="qwen")
    for changes in ({}, {"endpoint": endpoint, "path": tiny}):
        with pytest.raises(ValueError, match="path"):
            Answerer(name="m", **changes)


def test_several_models_answer_in_their_order(
    scripted: Any, answering: Callable[..., GenerateRecipe], tiny: Path
) -> None:
    served = answering().models
    scripted.script = lambda asked: f"多喝水{asked['seed']}"
    here = Answerer(name="here", path=tiny, temperature=0.9, max_new_tokens=6)
    result = generate(answering(models=[here, *served]))
    outputs = list(read_records(result.output, ModelOutput))
    first = [output.model for output in outputs if output.prompt_id == "p-0"]
    assert first == ["here"] * (first.count("here")) + ["served"] * 3


def test_bad_prompts_are_refused(prompts_file: Path, tmp_path: Path) -> None:
    good = next(read_records(prompts_file, Prompt))
    path = tmp_path / "p.jsonl"
    for records in ([], [good, good], [msgspec.structs.replace(good, messages=[])]):
        write_records(path, records)
        with pytest.raises(ZhongjingError):
            read_prompts(path)
    path.write_text('{"prompt_id": "x", "messages": [{"role": "nurse", "content": "秘密"}]}\n', "utf-8")
    with pytest.raises(ZhongjingError) as caught:
        read_prompts(path)
    assert f"{path}:1" in str(caught.value) and "秘密" not in str(caught.value)
