"""The content of the measured posts: about 1 KB of Markdown each, the same in every run."""

import random

SEED = 20260101
BODIES = 500
COMMON_TAG = "weblog"
UNIQUE_TAG = "hapax"
COMMON_WORD = "server"
RARE_WORD = "zephyr"
RARE_INTERVAL = 100
TAGS = ("asyncio", "baking", "benchmarks", "cycling", "databases", "django", "editing", "python", "sqlite", "trains")

_PROSE = """
the server answers every request from an index and a page of the log while writers wait for one lock and readers never
do so a list of twenty posts costs one query with one join and nothing is rendered when it is read
"""
_WORDS = _PROSE.split()


def markdown_body(number: int) -> str:
    """Return the content of a post: a heading, paragraphs with emphasis and a link, a list, and a quotation.

    `COMMON_WORD` occurs in nearly all contents, and `RARE_WORD` in one of `RARE_INTERVAL`.
    """
    rng = random.Random(SEED + number)  # noqa: S311 - reproducible content, not a secret
    return "\n\n".join(
        [
            f"## {_sentence(rng, 5)}",
            f"{_sentence(rng, 14)} *{_sentence(rng, 4)}* {_sentence(rng, 28)}",
            "\n".join(f"- {_sentence(rng, 8)}" for _ in range(4)),
            f"{_sentence(rng, 18)} [{_sentence(rng, 3)}](https://example.org/{number}) {_sentence(rng, 22)}",
            f"> {_sentence(rng, 16)}",
            f"{_sentence(rng, 42)} `{RARE_WORD if number % RARE_INTERVAL == 1 else rng.choice(_WORDS)}`.",
        ]
    )


def _sentence(rng: random.Random, words: int) -> str:
    return " ".join(rng.choices(_WORDS, k=words)).capitalize()
