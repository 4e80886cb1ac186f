"""Texts to try.  The rule: a strategy of texts names its characters.

Without, Hypothesis first lists what UTF-8 can encode, which is the same and takes half a minute of
each worker in a fresh checkout.
"""

from typing import Final

from hypothesis import strategies as st

CHARACTERS: Final = st.characters(exclude_categories=["Cs"])
"""All but surrogates, which no text on the wire has."""
