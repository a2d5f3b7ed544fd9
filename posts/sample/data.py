"""The sample data: five users and a dozen posts, in every state that a post can have."""

from dataclasses import dataclass
from datetime import timedelta

from accounts.models import Role


@dataclass(frozen=True)
class SampleUser:
    """A user of the sample data."""

    username: str
    full_name: str
    role: Role
    bio: str

    @property
    def email(self) -> str:
        return f"{self.username}@example.com"


@dataclass(frozen=True)
class SamplePost:
    """A post of the sample data.

    `age` is the time since its publication. A negative age means that it is scheduled, None that it is a draft.
    """

    author: str
    title: str
    tags: tuple[str, ...]
    age: timedelta | None
    content: str
    trashed: bool = False


USERS = (
    SampleUser("admin", "Ada Okafor", Role.ADMIN, "Keeps the lights on and the backups fresh."),
    SampleUser("editor", "Emil Sandberg", Role.EDITOR, "Cuts every text by a third. It always gets better."),
    SampleUser("author", "Ines Moreau", Role.AUTHOR, "Writes about bread, bicycles and databases."),
    SampleUser("coauthor", "Tomás Rivera", Role.AUTHOR, "Cooks, runs, and reads query plans for fun."),
    SampleUser("reader", "Mei Tanaka", Role.READER, "Reads everything twice."),
)

POSTS = (
    SamplePost(
        "author",
        "Why our bread got better when we stopped kneading it",
        ("baking", "bread", "patience"),
        timedelta(days=90),
        """Kneading builds gluten quickly. *Time* builds it too, only slowly, and it asks for nothing but a bowl and
a lid.

## The dough

| what | how much |
| --- | ---: |
| bread flour | 500 g |
| water | 370 g |
| salt | 10 g |
| yeast | 1 g |

1. Stir everything until no dry flour is left.
2. Cover it and go to bed.
3. Fold it, shape it, and bake it in a hot pot at 250 °C: 30 minutes with the lid, 15 without.

> The best tool in the kitchen is a night's sleep.
""",
    ),
    SamplePost(
        "coauthor",
        "Reading a query plan without fear",
        ("databases", "sqlite", "performance"),
        timedelta(days=75),
        """A query plan is a recipe that the database wrote for itself. You only need three words to start:

- **SCAN**: it reads the whole table. Fine for ten rows, sad for ten million.
- **SEARCH**: it jumps to the rows by an index. This is what you want.
- **TEMP B-TREE**: it sorts by hand, because no index has the order that you asked for.

```sql
EXPLAIN QUERY PLAN
SELECT title FROM posts_post WHERE published ORDER BY published_at DESC, id DESC LIMIT 20;
```

If the answer says `SEARCH … USING INDEX`, go home early.
""",
    ),
    SamplePost(
        "author",
        "A hundred kilometres on a fixed gear",
        ("cycling", "slow travel"),
        timedelta(days=60),
        """There is no coasting. Every descent is a negotiation between your legs and the hill, and the hill has done
this before.

I left at six with two sandwiches and came back at four with none. In between: *three rivers, one puncture, and a dog
named Kilo* who ran beside me for most of a village.
""",
    ),
    SamplePost(
        "editor",
        "Cut the first paragraph",
        ("writing", "editing"),
        timedelta(days=48),
        """Most drafts begin by clearing their throat. The writer is walking up to the subject, and takes the reader
along
for the walk.

Try this: delete the first paragraph and read on. If nothing is missing, nothing was there.
""",
    ),
    SamplePost(
        "coauthor",
        "Soup for a week of rain",
        ("cooking", "soup"),
        timedelta(days=33),
        """Onions first, always, and slower than you think. Then carrots, lentils, a spoon of cumin, a tin of
tomatoes, water.

Forty minutes later you have dinner for today, lunch for tomorrow, and a kitchen that smells like somebody cares.
""",
    ),
    SamplePost(
        "author",
        "Der Zug nach Süden",
        ("slow travel", "trains", "deutsch"),
        timedelta(days=21),
        """Um sieben Uhr früh fährt der Zug durch den Nebel, und niemand spricht. Hinter Rosenheim reißt der Himmel
auf, und
plötzlich stehen die Berge da, als hätten sie die ganze Zeit gewartet.
""",
    ),
    SamplePost(
        "coauthor",
        "京都の朝ごはん",
        ("cooking", "slow travel", "日本語"),
        timedelta(days=14),
        """朝六時、川沿いの小さな食堂。焼き魚、味噌汁、卵焼き、それから静けさ。急ぐ人は誰もいない。
""",
    ),
    SamplePost(
        "editor",
        "Seven words we no longer print",
        ("writing", "editing", "lists"),
        timedelta(days=9),
        """1. ~~very~~
2. ~~utilise~~
3. ~~leverage~~
4. ~~seamless~~
5. ~~robust~~
6. ~~simply~~
7. ~~journey~~, unless there was a train
""",
    ),
    SamplePost(
        "author",
        "What a backup is, and what it is not",
        ("databases", "backups", "patience"),
        timedelta(days=2),
        """A backup is a copy that you have *restored*. Everything else is a wish.

Copying the file of a running database is not a backup either: the newest rows may live in the log beside it. Ask the
database for a copy, open the copy, count the rows, and only then sleep.
""",
    ),
    SamplePost(
        "admin",
        "Welcome",
        ("meta",),
        timedelta(hours=1),
        """This is a sample blog. Everything here came from `manage.py seed`: five people, one of each role and one
author
more, and posts that are published, scheduled or still drafts.

Log in to the [admin site](/admin/), or try the API from its [documentation](/api/v1/docs).
""",
    ),
    SamplePost(
        "author",
        "Next week: the great rye experiment",
        ("baking", "bread", "experiments"),
        timedelta(days=-7),
        """Four loaves, four amounts of rye, one very patient family. The results appear here when the week is over.
""",
    ),
    SamplePost(
        "coauthor",
        "Notes towards a theory of leftovers",
        ("cooking", "drafts"),
        None,
        """Unfinished. The thesis: a meal is not over until its second form has been eaten.

- rice becomes fried rice
- bread becomes soup
- soup becomes *more* soup
""",
    ),
    SamplePost(
        "author",
        "An apology to my rear brake",
        ("cycling",),
        None,
        """I said things on that descent that I would like to take back.
""",
    ),
    SamplePost(
        "coauthor",
        "Ten reasons to wash a cast-iron pan with soap",
        ("cooking", "lists"),
        timedelta(days=12),
        """I have been told, at length, that there are none. The pan is in the trash, and so is this post.
""",
        trashed=True,
    ),
)
