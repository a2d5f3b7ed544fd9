"""The tables and statements of the FastAPI peer, in SQLAlchemy on aiosqlite."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
from sqlalchemy import JSON, ForeignKey, and_, bindparam, event, or_, select, text, types
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

import blogsite  # noqa: F401 - replaces Python's SQLite library by that of Blogsite

DATABASE = f"sqlite+aiosqlite:///{os.environ['BLOG_DATA_DIR']}/blog.sqlite3"
PRAGMAS = (
    *("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"),
    *("temp_store=MEMORY", "journal_size_limit=67108864"),
)
READERS = 4
PAGE = 20


def make_engine(pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        DATABASE,
        pool_size=pool_size,
        max_overflow=0,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        json_serializer=lambda value: orjson.dumps(value).decode(),
        json_deserializer=orjson.loads,
        connect_args={"timeout": 5},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def set_pragmas(connection: Any, record: Any) -> None:
        cursor = connection.cursor()
        for pragma in PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


read_engine = make_engine(READERS)
write_engine = make_engine(
    1
)  # SQLite has one writer: writers wait for this connection and not in SQLite's busy handler


class Moment(types.UserDefinedType[datetime]):
    """A time as Django stores it on SQLite: text, in UTC."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        return "datetime"

    def bind_processor(self, dialect: Any) -> Callable[[datetime | None], str | None]:
        return lambda value: None if value is None else value.astimezone(UTC).replace(tzinfo=None).isoformat(" ")

    def result_processor(self, dialect: Any, coltype: object) -> Callable[[str | None], datetime | None]:
        return lambda value: None if value is None else datetime.fromisoformat(value + "+00:00")


class Base(DeclarativeBase):
    type_annotation_map = {datetime: Moment, list[str]: JSON}


class User(Base):
    __tablename__ = "accounts_user"

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    email: Mapped[str]
    full_name: Mapped[str]
    bio: Mapped[str]
    role: Mapped[str]
    is_active: Mapped[bool]
    created_at: Mapped[datetime]


class Post(Base):
    __tablename__ = "posts_post"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    slug: Mapped[str]
    content: Mapped[str]
    excerpt: Mapped[str]
    author_id: Mapped[int] = mapped_column(ForeignKey(User.id))
    tags: Mapped[list[str]]
    published: Mapped[bool]
    published_at: Mapped[datetime | None]
    trashed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    version: Mapped[int]
    content_html: Mapped[str]
    derived_excerpt: Mapped[str]
    reading_minutes: Mapped[int]


SUMMARY = select(
    *(Post.id, Post.title, Post.slug, Post.excerpt, Post.derived_excerpt, Post.tags, Post.published),
    *(Post.published_at, Post.reading_minutes, Post.created_at, Post.updated_at, Post.version),
    *(User.id, User.username, User.full_name),
).join(User, User.id == Post.author_id)
# Plain SQL, because SQLAlchemy writes the boolean as `= 1`, for which SQLite does not use the partial index.
PUBLIC = and_(
    text("posts_post.published"), Post.trashed_at.is_(None), Post.published_at <= bindparam("now", type_=Moment)
)
NEWEST = SUMMARY.where(PUBLIC).order_by(Post.published_at.desc(), Post.id.desc()).limit(PAGE + 1)
ONE = SUMMARY.add_columns(Post.content, Post.content_html).where(Post.id == bindparam("post_id"))
ONE_PUBLIC = ONE.where(PUBLIC)
ONE_PUBLIC_OR_OWN = ONE.where(or_(PUBLIC, Post.author_id == bindparam("viewer_id")))
ACCOUNT = select(
    *(User.id, User.username, User.email, User.full_name, User.bio, User.role, User.is_active, User.created_at)
).where(User.is_active, User.id == bindparam("user_id"))
