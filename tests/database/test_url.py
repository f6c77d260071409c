from urllib.parse import quote

import pytest
import sqlalchemy as sa

from gqlapi.database.url import normalize_url


class TestNormalizeUrl:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("postgres://u:p@db/blog", "postgresql+asyncpg://u:p@db/blog"),
            ("postgresql://u@db:5433/blog", "postgresql+asyncpg://u@db:5433/blog"),
            ("postgresql+asyncpg://db/blog", "postgresql+asyncpg://db/blog"),
            ("postgresql+psycopg://db/blog", "postgresql+asyncpg://db/blog"),
            ("postgres://db/blog?sslmode=require", "postgresql+asyncpg://db/blog?ssl=require"),
            ("postgres://db/blog?sslmode=require&channel_binding=require", "postgresql+asyncpg://db/blog?ssl=require"),
            ("postgres://db/blog?gssencmode=disable", "postgresql+asyncpg://db/blog"),
            ("postgres://db/blog?connect_timeout=5", "postgresql+asyncpg://db/blog?timeout=5"),
            ("sqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
            ("sqlite:////srv/blog.db", "sqlite+aiosqlite:////srv/blog.db"),
            ("sqlite+aiosqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
            ("sqlite+pysqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
        ],
    )
    def test_names_our_drivers(self, given: str, expected: str) -> None:
        assert normalize_url(given) == expected

    @pytest.mark.parametrize(
        "url", ["postgres://db/blog?sslmode=require", "sqlite:///blog.db", "postgresql://u:p@db/b"]
    )
    def test_changes_nothing_the_second_time(self, url: str) -> None:
        assert normalize_url(normalize_url(url)) == normalize_url(url)

    @pytest.mark.parametrize("password", ["p@ss:w/rd", "100%", "a b+c", "ключ", "***", "?sslmode=disable"])
    def test_keeps_the_password(self, password: str) -> None:
        url = sa.make_url(normalize_url(f"postgres://u:{quote(password, safe='')}@db/blog"))
        assert (url.password, url.host, url.database, url.query) == (password, "db", "blog", {})

    @pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "sqlite+aiosqlite:///:memory:"])
    def test_refuses_a_database_in_memory(self, url: str) -> None:
        with pytest.raises(ValueError, match="SQLite needs a file"):
            normalize_url(url)

    @pytest.mark.parametrize("url", ["mysql://db/blog", "mysql+aiomysql://db/blog", "oracle://db/blog"])
    def test_refuses_another_database(self, url: str) -> None:
        with pytest.raises(ValueError, match="is not supported; use sqlite or postgresql"):
            normalize_url(url)

    @pytest.mark.parametrize("url", ["", "blog.db", "://", "postgres"])
    def test_refuses_what_is_no_url(self, url: str) -> None:
        with pytest.raises(ValueError, match="the database URL cannot be parsed"):
            normalize_url(url)

    def test_does_not_show_the_password_of_a_refused_url(self) -> None:
        with pytest.raises(ValueError, match="mysql") as refused:
            normalize_url("mysql://u:hunter2@db/blog")
        assert "hunter2" not in str(refused.value)
