"""How attempts are counted: for how long, and what counts as one address."""

import tracemalloc
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from gqlapi.accounts import throttling
from gqlapi.accounts.throttling import AttemptLimits, MovingWindow, Throttle
from gqlapi.problems import RateLimitedProblem, Rejected
from gqlapi.settings import Settings
from tests.api import Api, serve, settings_for
from tests.signing_in import accounts_of


class Clock:
    """Does not move until it is set."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gqlapi.accounts.throttling.time", clock)
    return clock


def limits_of(**limits: str) -> AttemptLimits:
    names = ("sign_in", "sign_in_address", "sign_in_account", "sign_up", "refresh")
    return AttemptLimits(**{name: limits.get(name, "9/minute") for name in names})


async def refusal(throttle: Throttle, address: str, key: str = "ada") -> RateLimitedProblem | None:
    """Attempt to sign in, and return why that is refused."""
    try:
        await throttle.sign_in(address, key)
    except Rejected as rejected:
        [problem] = rejected.problems
        assert isinstance(problem, RateLimitedProblem)
        return problem
    return None


class TestMovingWindow:
    def test_lets_the_next_pass_when_the_first_is_over(self, clock: Clock) -> None:
        window = MovingWindow("2/minute")
        assert window.attempt("a") == 0
        clock.now += 20
        assert window.attempt("a") == 0
        assert window.attempt("a") == 40
        clock.now += 39
        assert window.attempt("a") == 1
        clock.now += 1
        assert window.attempt("a") == 0
        assert window.attempt("a") == 20

    def test_does_not_count_what_it_refuses(self, clock: Clock) -> None:
        window = MovingWindow("1/minute")
        assert [window.attempt("a") for _ in range(100)] == [0] + [60] * 99
        clock.now += 60
        assert window.attempt("a") == 0

    def test_counts_each_key_apart(self, clock: Clock) -> None:
        window = MovingWindow("1/minute")
        assert [window.attempt(key) for key in ("a", "b", "a")] == [0, 0, 60]
        window.clear("a")
        assert [window.attempt(key) for key in ("a", "b")] == [0, 60]

    def test_keeps_nothing_of_what_is_over(self, clock: Clock) -> None:
        window = MovingWindow("2/minute")
        for number in range(100):
            window.attempt(str(number))
        clock.now += 30
        window.attempt("0")
        clock.now += 30
        window.attempt("x")
        assert [*window._ends] == [throttling._hash(key) for key in ("0", "x")]

    def test_of_zero_lets_nothing_pass(self, clock: Clock) -> None:
        window = MovingWindow("0/hour")
        assert window.attempt("a") == 3600
        assert not window._ends

    def test_takes_a_bounded_memory_for_any_number_of_keys(self) -> None:
        """Each sign-up counts for an hour, and a client of IPv6 has thousands of networks."""
        window = MovingWindow("20/hour")
        tracemalloc.start()
        try:
            for number in range(40_000):
                window.attempt(f"2001:db8:{number:x}::/64")
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 1.1 * throttling.MAX_WINDOW_BYTES

    def test_takes_a_bounded_memory_for_many_attempts_of_long_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(throttling, "MAX_WINDOW_BYTES", 100_000)
        window = MovingWindow("1000/hour")
        tracemalloc.start()
        try:
            for number in range(30_000):
                window.attempt(f"{'x' * 10_000}{number % 300}")
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < 120_000

    def test_that_is_full_forgets_what_was_attempted_longest_ago(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(throttling, "MAX_WINDOW_BYTES", 10 * (throttling.BYTES_PER_KEY + 8))
        window = MovingWindow("1/hour")
        for number in range(25):
            assert window.attempt(str(number)) == 0
        assert all(window.attempt(str(number)) > 0 for number in range(15, 25))
        assert window.attempt("14") == 0

    def test_counts_its_memory_right(self, clock: Clock) -> None:
        window = MovingWindow("3/minute")
        for number in range(200):
            window.attempt(str(number % 7))
            window.clear(str(number % 5))
            clock.now += number % 3
        assert window._bytes == sum(map(throttling._size, window._ends.values()))
        clock.now += 60
        window._forget(clock.now)
        assert (window._bytes, len(window._ends)) == (0, 0)


class TestAddress:
    @pytest.mark.parametrize(
        ("one", "other", "is_same"),
        [
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::2", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
            ("192.0.2.1", "192.0.2.2", False),
            ("unknown", "09.9.9.7", True),
            ("unknown", "", True),
            ("", "", True),
        ],
    )
    async def test_is_a_network_where_one_customer_has_it(self, one: str, other: str, is_same: bool) -> None:  # noqa: FBT001 - a parameter of the test
        throttle = Throttle(limits_of(sign_in_address="1/minute"))
        assert await refusal(throttle, one) is None
        assert (await refusal(throttle, other, "bela") is not None) is is_same

    async def test_and_key_are_counted_together(self) -> None:
        throttle = Throttle(limits_of(sign_in="1/minute"))
        assert await refusal(throttle, "192.0.2.1", "ada") is None
        assert await refusal(throttle, "192.0.2.1", "ada") is not None
        assert await refusal(throttle, "192.0.2.1", "bela") is None
        assert await refusal(throttle, "192.0.2.2", "ada") is None


class TestProxies:
    @pytest.mark.parametrize("trusted", ["127.0.0.1", "127.0.0.0/8", "::1"])
    async def test_are_believed_when_they_are_named(self, sqlite_url: str, trusted: str) -> None:
        settings = settings_for(sqlite_url, sign_in_address_limit="1/minute", trusted_proxies=[trusted])
        async with serve(settings) as api:
            codes = [await code_from(api, f"203.0.113.{number}") for number in (1, 2, 1)]
        believed = ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]
        assert codes == (["UNAUTHENTICATED", "RATE_LIMITED", "RATE_LIMITED"] if trusted == "::1" else believed)

    async def test_are_believed_for_the_address_that_they_saw(self, sqlite_url: str) -> None:
        settings = settings_for(sqlite_url, sign_in_address_limit="1/minute", trusted_proxies=["127.0.0.1"])
        async with serve(settings) as api:
            # The client made the first address up; the proxy appended the second.
            codes = [await code_from(api, f"192.0.2.{number}, 203.0.113.1") for number in (1, 2)]
        assert codes == ["UNAUTHENTICATED", "RATE_LIMITED"]

    async def test_that_pass_on_what_is_no_address_make_one_client_of_it(self, sqlite_url: str) -> None:
        settings = settings_for(sqlite_url, sign_in_address_limit="2/minute", trusted_proxies=["127.0.0.1"])
        async with serve(settings) as api:
            codes = [await code_from(api, name) for name in ("unknown", "09.9.9.7", "_hidden")]
        assert codes == ["UNAUTHENTICATED", "UNAUTHENTICATED", "RATE_LIMITED"]

    @pytest.mark.parametrize("proxy", ["*", "proxy.example", "10.0.0.1/8", ""])
    def test_that_would_never_match_are_refused(self, proxy: str) -> None:
        with pytest.raises(ValidationError):
            Settings.model_validate({"trusted_proxies": [proxy]})


async def code_from(api: Api, forwarded_for: str) -> str:
    client = api.with_headers(**{"X-Forwarded-For": forwarded_for})
    payload = await client.payload("signIn", {"login": "ada", "password": "wrong password"})
    code: str = payload["errors"][0]["code"]
    return code


class TestForwardedClients:
    WARNING = "X-Forwarded-For comes from a peer that is not trusted"

    async def warnings(self, url: str, trusted: list[str], *forwarded: str) -> list[Any]:
        async with serve(settings_for(url, trusted_proxies=trusted)) as api:
            with capture_logs() as logs:
                for address in forwarded:
                    await api.with_headers(**{"X-Forwarded-For": address}).data("{ __typename }")
                await api.data("{ __typename }")
        return [line for line in logs if line["event"].startswith(self.WARNING)]

    @pytest.mark.parametrize("trusted", [[], ["10.0.0.1"]])
    async def test_are_warned_of_once_when_their_proxy_is_not_trusted(
        self, sqlite_url: str, trusted: list[str]
    ) -> None:
        [line] = await self.warnings(sqlite_url, trusted, "203.0.113.1", "203.0.113.2")
        assert (line["log_level"], line["peer"]) == ("warning", "127.0.0.1")

    async def test_are_not_warned_of_when_it_is(self, sqlite_url: str) -> None:
        forwarded = ("203.0.113.1", "x, 203.0.113.1", "127.0.0.1", "unknown", "203.0.113.1:80", "[2001:db8::1]:80")
        assert await self.warnings(sqlite_url, ["127.0.0.1"], *forwarded) == []

    async def test_are_not_warned_of_without_the_header(self, sqlite_url: str) -> None:
        assert await self.warnings(sqlite_url, []) == []


class TestRefusal:
    async def test_hashes_nothing(self, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        async with serve(settings_for(sqlite_url, sign_in_limit="0/minute", sign_up_limit="0/hour")) as api:
            monkeypatch.setattr(accounts_of(api).passwords, "_hasher", None)
            signed_in = await api.payload("signIn", {"login": "ada", "password": "correct horse"})
            given = {"username": "ada", "email": "ada@example.com", "password": "correct horse"}
            signed_up = await api.payload("signUp", given)
        for payload in (signed_in, signed_up):
            [error] = payload["errors"]
            assert (error["code"], error["path"]) == ("RATE_LIMITED", None)
        assert [payload["errors"][0]["retryAfterSeconds"] for payload in (signed_in, signed_up)] == [60, 3600]
