"""What people may write.  The rule: a name is never empty, and no text is without an end."""

from seawall.model import limits


def wrong_person(person: str) -> str:
    """Say what is wrong with a person's name, or nothing."""
    if not same_name(person):
        return "person"
    return "" if len(person) <= limits.PERSON_CHARS else "person is too long"


def wrong_words(*texts: str) -> str:
    """Say whether one of the texts is too long, or nothing."""
    longest = max(map(len, texts))
    return "" if longest <= limits.WORDS_CHARS else f"words: more than {limits.WORDS_CHARS}"


def same_name(person: str) -> str:
    """Return a name as it is compared: spaces and case make nobody another person."""
    return "".join(person.split()).casefold()
