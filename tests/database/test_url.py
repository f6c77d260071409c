import re
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

from gqlapi.database.libpq import driver_arguments
from gqlapi.database.url import normalize_url


class TestNormalizeUrl:
    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("postgres://u:p@db/blog", "postgresql+asyncpg://u:p@db/blog"),
            ("postgresql://u@db:5433/blog", "postgresql+asyncpg://u@db:5433/blog"),
            ("postgresql+asyncpg://db/blog", "postgresql+asyncpg://db/blog"),
            ("postgresql+psycopg://db/blog", "postgresql+asyncpg://db/blog"),
            ("postgres://db/blog?sslmode=require", "postgresql+asyncpg://db/blog?sslmode=require"),
            ("postgres://db/blog?ssl=require&dbname=x", "postgresql+asyncpg://db/blog?database=x&sslmode=require"),
            ("postgres://db/blog?sslmode=allow&channel_binding=require", "postgresql+asyncpg://db/blog?sslmode=allow"),
            ("postgres://db/blog?gssencmode=disable&client_encoding=UTF8", "postgresql+asyncpg://db/blog"),
            ("postgres://db/blog?connect_timeout=5", "postgresql+asyncpg://db/blog?connect_timeout=5"),
            ("postgres://db/blog?sslmode=", "postgresql+asyncpg://db/blog"),
            ("postgres://u@/blog?host=/run/pg", "postgresql+asyncpg://u@/blog?host=%2Frun%2Fpg"),
            ("postgres://u@%2Frun%2Fpg/blog", "postgresql+asyncpg://u@/blog?host=%2Frun%2Fpg"),
            ("sqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
            ("sqlite:////srv/blog.db", "sqlite+aiosqlite:////srv/blog.db"),
            ("sqlite+aiosqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
            ("sqlite+pysqlite:///blog.db", "sqlite+aiosqlite:///blog.db"),
        ],
    )
    def test_names_our_drivers(self, given: str, expected: str) -> None:
        assert normalize_url(given) == expected

    @pytest.mark.parametrize(
        "url",
        [
            *("postgres://db/blog?sslmode=require", "sqlite:///blog.db", "postgresql://u:p@db/b"),
            *("postgres://u:p@a:1,[::1]:2,c/b?options=-c%20x%3D1", "postgres://u@%2Frun/b?sslrootcert=/a b.pem"),
        ],
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

    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("postgres://db/blog?keepalives=1", "the parameter `keepalives` is not supported; remove it"),
            ("postgres://db/blog?schema=blog", "the parameter `schema` is not supported; remove it"),
            ("postgres://db/blog?gssencmode=require", "`gssencmode` must be disable or prefer"),
            ("postgres://db/blog?sslmode=full", "`sslmode` must be disable, allow, prefer, require, verify-ca or"),
            ("postgres://db/blog?connect_timeout=soon", "`connect_timeout` must be a whole number"),
            ("postgres://db/blog?statement_cache_size=-1", "`statement_cache_size` must be a whole number"),
            ("postgres://db/blog?client_encoding=latin1", "`client_encoding` must be utf8"),
            ("postgres://u@/blog?host=a,b,c&port=1,2", "`host` and `port` must name as many of each"),
            ("postgres://db/blog?port=x", "`port` must be a whole number"),
            ("sqlite:///blog.db?mode=ro", "the parameter `mode` is not supported; remove it"),
        ],
    )
    def test_refuses_a_parameter_in_one_line(self, url: str, problem: str) -> None:
        with pytest.raises(ValueError, match=re.escape(problem)) as refused:
            normalize_url(url)
        assert "\n" not in str(refused.value)

    @pytest.mark.parametrize("password", ["p@ss:secret", "p@secret/x", "p/a@secret", "p@a@secret"])
    def test_asks_to_escape_what_ends_a_password(self, password: str) -> None:
        with pytest.raises(ValueError, match="escape special characters of the password") as refused:
            normalize_url(f"postgres://u:{password}@db/blog")
        assert "secret" not in str(refused.value)


def arguments_of(url: str) -> dict[str, Any]:
    return driver_arguments(PGDialect_asyncpg().create_connect_args(sa.make_url(normalize_url(url)))[1])


class TestDriverArguments:
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ("connect_timeout=5", {"timeout": 5}),
            ("connect_timeout=0", {}),
            ("statement_cache_size=0", {"statement_cache_size": 0}),
            ("prepared_statement_cache_size=0", {"prepared_statement_cache_size": 0}),
            ("application_name=blog", {"server_settings": {"application_name": "blog"}}),
            ("options=-c%20search_path%3Dblog", {"server_settings": {"options": "-c search_path=blog"}}),
            ("target_session_attrs=primary", {"dsn": "postgresql://?target_session_attrs=primary"}),
            (
                "sslmode=verify-full&sslrootcert=/etc/ca%20%26.pem",
                {"dsn": "postgresql://?sslmode=verify-full&sslrootcert=%2Fetc%2Fca+%26.pem"},
            ),
        ],
    )
    def test_have_the_names_and_types_of_asyncpg(self, query: str, expected: dict[str, Any]) -> None:
        assert (
            arguments_of(f"postgres://u@db/blog?{query}") == {"host": "db", "user": "u", "database": "blog"} | expected
        )

    @pytest.mark.parametrize(
        ("url", "hosts", "ports"),
        [
            ("postgres://u@a:1,b,[::1]:3/blog", ["a", "b", "::1"], [1, 5432, 3]),
            ("postgres://u@/blog?host=a:1&host=b", ["a", "b"], [1, 5432]),
            ("postgres://u@/blog?host=a,b&port=7", ["a", "b"], [7, 7]),
            ("postgres://u:p,w@a,b", ["a", "b"], [5432, 5432]),
        ],
    )
    def test_have_several_hosts(self, url: str, hosts: list[str], ports: list[int]) -> None:
        arguments = arguments_of(url)
        assert (arguments["host"], arguments["port"]) == (hosts, ports)

    def test_go_before_our_own(self) -> None:
        ours = {"timeout": 3.0, "server_settings": {"application_name": "gqlapi", "jit": "off"}}
        merged = driver_arguments({**ours, "connect_timeout": "9", "application_name": "blog"})
        assert merged == {"timeout": 9, "server_settings": {"application_name": "blog", "jit": "off"}}
