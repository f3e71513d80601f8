"""What is measured of answers without a judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import msgspec
import numpy as np

from corpus.turns import inquires
from foundation.errors import needs_extra
from training.evaluation.answers import Answer, faults
from training.evaluation.items import Item
from training.evaluation.recipe import Measures
from training.evaluation.shares import Floats, by_prompt, interval, numbered, redraws

with needs_extra("train", "measuring answers"):
    from rouge_score.rouge_scorer import RougeScorer
    from sacrebleu.metrics.bleu import BLEU

DOCTOR = "doctor"
ROUGES = ("rouge1", "rouge2", "rougeL")
Range = tuple[float, float]


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """A measure with its 95 % bootstrap interval over dialogues."""

    value: float
    interval: Range


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one test set.

    `inquiry` is the share of answers that ask the patient something, in %; `characters` the mean length; `distinct_1`
    and `distinct_2` the share of different ones among all characters and pairs of them, in %. Against the doctor's
    reply, over `references` answers that have one: corpus BLEU-4 of characters (sacrebleu), mean ROUGE F1 of
    characters and BERTScore F1, all in %. What cannot be measured is None. `faults` are answers that are not there
    or were cut, by reason.
    """

    model: str
    test: str
    answers: int
    faults: dict[str, int]
    inquiry: Figure | None
    characters: Figure | None
    distinct_1: float | None
    distinct_2: float | None
    references: int
    bleu: Figure | None = None
    rouge1: Figure | None = None
    rouge2: Figure | None = None
    rougeL: Figure | None = None  # noqa: N815 (its name everywhere)
    bert_score: Figure | None = None


Scorer = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


class Characters:
    """Splits a text into what is compared: each Chinese character, each run of Latin letters, each number's digits."""

    def tokenize(self, text: str) -> list[str]:
        """The tokens, spaces left out."""
        tokens: list[str] = []
        joined = False
        for character in text.lower():
            latin = character.isascii() and character.isalpha()
            if latin and joined:
                tokens[-1] += character
            elif not character.isspace():
                tokens.append(character)
            joined = latin
        return tokens


def measure(
    model: str,
    items: Sequence[Item],
    answers: Mapping[str, Answer],
    options: Measures,
    seed: int,
    bert_score: Scorer | None = None,
) -> Measured:
    """Measure one model's answers to the items of one test set; `answers` by prompt id."""
    given = [(item, answers[item.id].text) for item in items if not answers[item.id].fault]
    referred = [(item, text) for item, text in given if item.prompt.reference]
    texts = [text for _, text in given]
    overlaps = _overlaps(referred, seed, bert_score) if options.overlap and referred else {}
    return Measured(
        model=model,
        test=items[0].test,
        answers=len(given),
        faults=faults({item.id: answers[item.id] for item in items}),
        inquiry=mean_of([item for item, _ in given], [100.0 * inquires(text) for text in texts], seed),
        characters=mean_of([item for item, _ in given], [float(len(text)) for text in texts], seed),
        distinct_1=distinct(texts, 1),
        distinct_2=distinct(texts, 2),
        references=len(referred),
        **overlaps,
    )


def measure_doctor(items: Sequence[Item], options: Measures, seed: int) -> Measured | None:
    """The doctors' own replies, by the measures that need no reference."""
    replies = {item.id: Answer(text=item.prompt.reference or "") for item in items if item.prompt.reference}
    replied = [item for item in items if item.id in replies]
    plain = msgspec.structs.replace(options, overlap=False)
    return measure(DOCTOR, replied, replies, plain, seed) if replied else None


def distinct(texts: Sequence[str], size: int) -> float | None:
    """Distinct-n (Li et al. 2016): different n-grams of tokens in % of all, over all texts; None without any."""
    grams: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        tokens = Characters().tokenize(text)
        grams.update(zip(*(tokens[start:] for start in range(size)), strict=False))
    return 100 * len(grams) / grams.total() if grams else None


def _overlaps(referred: Sequence[tuple[Item, str]], seed: int, bert_score: Scorer | None) -> dict[str, Figure | None]:
    items = [item for item, _ in referred]
    texts = [text for _, text in referred]
    references = [item.prompt.reference or "" for item in items]
    scorer = RougeScorer(list(ROUGES), tokenizer=Characters())
    scores = [scorer.score(reference, text) for text, reference in zip(texts, references, strict=True)]
    found: dict[str, Figure | None] = {
        name: mean_of(items, [100 * score[name].fmeasure for score in scores], seed) for name in ROUGES
    }
    found["bleu"] = _bleu(items, texts, references, seed)
    if bert_score is not None:
        found["bert_score"] = mean_of(items, [100 * score for score in bert_score(texts, references)], seed)
    return found


def _bleu(items: Sequence[Item], texts: Sequence[str], references: Sequence[str], seed: int) -> Figure:
    """Corpus BLEU from the counts of each dialogue, which add up."""
    bleu = BLEU(tokenize="zh", effective_order=True)
    scores = [bleu.sentence_score(text, [reference]) for text, reference in zip(texts, references, strict=True)]
    counts = np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores], dtype=float)
    sums = by_prompt(counts, numbered([item.cluster for item in items]))
    drawn = redraws(len(sums), seed) @ sums
    return Figure(value=_of_counts(sums.sum(0)), interval=interval(np.array([_of_counts(row) for row in drawn])))


def _of_counts(row: Floats) -> float:
    """BLEU in % of matched and all n-grams (four each), length of the answers and of the references."""
    numbers = [round(value) for value in row.tolist()]
    return float(BLEU.compute_bleu(numbers[:4], numbers[4:8], numbers[8], numbers[9], smooth_method="exp").score)


def mean_of(items: Sequence[Item], values: Sequence[float], seed: int) -> Figure | None:
    """The mean of one value an item, with its interval; None of nothing."""
    if not items:
        return None
    columns = np.stack([np.array(values), np.ones(len(values))], axis=1)
    sums = by_prompt(columns, numbered([item.cluster for item in items]))
    drawn = redraws(len(sums), seed) @ sums
    return Figure(value=float(np.mean(values)), interval=interval(drawn[:, 0] / drawn[:, 1]))
