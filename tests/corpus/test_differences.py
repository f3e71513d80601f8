from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from corpus.deduplication.differences import differences

texts = st.text("每次两三片，天", max_size=12)


@given(texts, texts)
def test_pieces_join_to_the_texts_and_what_is_shared_is_the_same(one: str, other: str) -> None:
    left, right = differences(one, other)
    assert "".join(text for text, _ in left) == one
    assert "".join(text for text, _ in right) == other
    shared = ["".join(text for text, differs in pieces if not differs) for pieces in (left, right)]
    assert shared[0] == shared[1]
    assert all(one[1] != two[1] for pieces in (left, right) for one, two in pairwise(pieces))
