"""The texts of the posts that are measured: about 1 KB of Markdown each, the same in every run."""

import random

SEED = 20260101
BODIES = 500
COMMON_TAG = "weblog"
LONE_TAG = "hapax"
COMMON_WORD = "server"
SELDOM_WORD = "zephyr"
SELDOM = 100
TAGS = ("asyncio", "baking", "benchmarks", "cycling", "databases", "django", "editing", "python", "sqlite", "trains")

_PROSE = """
the server answers every request from an index and a page of the log while writers wait for one lock and readers never
do so a list of twenty posts costs one query with one join and nothing is rendered when it is read
"""
_WORDS = _PROSE.split()


def body_of(number: int) -> str:
    """The n-th of an endless row of texts: a heading, paragraphs with emphasis and a link, a list, and a quotation.

    `COMMON_WORD` is in nearly all of them, like most words, and `SELDOM_WORD` in one of `SELDOM`.
    """
    chance = random.Random(SEED + number)  # noqa: S311 - the same texts each time, not a secret
    return "\n\n".join(
        [
            f"## {_sentence(chance, 5)}",
            f"{_sentence(chance, 14)} *{_sentence(chance, 4)}* {_sentence(chance, 28)}",
            "\n".join(f"- {_sentence(chance, 8)}" for _ in range(4)),
            f"{_sentence(chance, 18)} [{_sentence(chance, 3)}](https://example.org/{number}) {_sentence(chance, 22)}",
            f"> {_sentence(chance, 16)}",
            f"{_sentence(chance, 42)} `{SELDOM_WORD if number % SELDOM == 1 else chance.choice(_WORDS)}`.",
        ]
    )


def _sentence(chance: random.Random, words: int) -> str:
    return " ".join(chance.choices(_WORDS, k=words)).capitalize()
