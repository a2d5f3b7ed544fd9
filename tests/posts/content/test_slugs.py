"""Slugs made from titles in any script, and the alternatives when a slug is taken."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posts.content import slugs


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Rye and time", "rye-and-time"),
        ("  Rye,   and: time!  ", "rye-and-time"),
        ("Rye -- and - time", "rye-and-time"),
        ("C++ & C#", "c-c"),
        ("snake_case", "snake_case"),
        ("_-edges-_", "edges"),
        ("Été à Ürümqi", "été-à-ürümqi"),
        ("E\u0301te\u0301", "été"),
        ("Привет, мир", "привет-мир"),
        ("パンを焼く", "パンを焼く"),
        ("हिन्दी भाषा", "हिन्दी-भाषा"),
        ("２０２６", "2026"),
        ("🍞", "post"),
        ("...", "post"),
        ("", "post"),
        ("a/b?c#d%e", "abcde"),
        ("<script>", "script"),
        ("nul\x00", "nul"),
    ],
)
def test_the_slug_of_a_title(title: str, slug: str) -> None:
    assert slugs.slug_from(title) == slug


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("a" * 101, "a" * 100),
        ("a" * 98 + " bc", "a" * 98),
        ("a" * 97 + " bc", "a" * 97 + "-bc"),
        ("a" * 100 + " b", "a" * 100),
    ],
)
def test_a_long_slug_is_cut_between_words_if_possible(title: str, slug: str) -> None:
    assert slugs.slug_from(title) == slug


@pytest.mark.parametrize("slug", ["a", "rye-2", "a_b", "été", "привет", "2026", "a" * 100])
def test_valid_slugs(slug: str) -> None:
    assert slugs.is_slug(slug)


@pytest.mark.parametrize(
    "text", ["", "A", "a b", "a--b", "-a", "a-", "_a", "a/b", "a.b", "e\u0301", "É", "a" * 101, "a\n", "\x00", "🍞"]
)
def test_invalid_slugs(text: str) -> None:
    assert not slugs.is_slug(text)


@settings(deadline=None)
@given(st.text(max_size=250))
def test_every_title_has_a_slug_and_distinct_candidates(title: str) -> None:
    slug = slugs.slug_from(title)
    candidates = list(islice(slugs.candidates(slug), 12))
    assert candidates[0] == slug
    assert all(slugs.is_slug(candidate) for candidate in candidates)
    assert len(set(candidates)) == 12


def test_candidates_are_numbered_and_then_random() -> None:
    candidates = list(islice(slugs.candidates("rye"), 11))
    assert candidates[:9] == ["rye", *(f"rye-{count}" for count in range(2, 10))]
    assert candidates[9] != candidates[10]
    assert list(islice(slugs.candidates("rye"), 11))[9:] != candidates[9:]


def test_candidates_of_the_longest_slug_have_the_maximum_length() -> None:
    candidates = list(islice(slugs.candidates("a" * 92 + "-" + "b" * 7), 11))
    assert max(map(len, candidates)) == 100
    assert candidates[1] == "a" * 92 + "-2"
