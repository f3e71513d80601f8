"""The table of cues finds in a text the word that a plain search finds."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kg.linking.cues import _kinds, _sections, _traits, cue_table
from kg.linking.scopes import TRAIT_BITS, WORD, _longest

KINDS, TRAITS = _kinds(_sections()), _traits(_sections())
WORDS = sorted(KINDS.keys() | TRAITS.keys())


def longest(text: str) -> tuple[int, int]:
    codes = np.array([ord(letter) for letter in text], dtype=np.uint32)
    stop, word = _longest(codes, 0, len(codes), *cue_table())
    return int(stop), int(word)


def test_every_word_is_found_with_its_cue_and_traits() -> None:
    for word in WORDS:
        stop, found = longest(word)
        assert stop == len(word)
        assert found & (WORD - 1) == KINDS.get(word, 0)
        assert found & WORD
        assert found >> TRAIT_BITS | TRAITS.get(word, 0) == found >> TRAIT_BITS


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=2), min_size=1).map("".join).filter(bool))
def test_the_longest_word_as_a_plain_search_finds_it(text: str) -> None:
    stop, word = longest(text)
    expected = max((len(one) for one in WORDS if text.startswith(one)), default=0)
    assert (stop if word else 0) == expected
    assert word or not any(text.startswith(one, place) for place in range(stop) for one in WORDS)
