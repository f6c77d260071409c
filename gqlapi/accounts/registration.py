"""Signing up."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email
from sqlalchemy.exc import IntegrityError

from gqlapi.accounts.passwords import check_password
from gqlapi.checks import check_name, invalid, required, too_long
from gqlapi.database.failures import constraint_of
from gqlapi.models import User, UserCredential, UserRole, new_id
from gqlapi.models.user import (
    MAX_DISPLAY_NAME_KEY_LENGTH,
    MAX_DISPLAY_NAME_LENGTH,
    MAX_KEY_FACTOR,
    MAX_USERNAME_KEY_LENGTH,
    MAX_USERNAME_LENGTH,
)
from gqlapi.names import normalize_nickname, normalize_username, skeleton
from gqlapi.problems import ConflictProblem, Problem, reject_if_any
from gqlapi.repositories import WriteScope
from gqlapi.repositories.accounts import AccountWriteRepository
from gqlapi.repositories.user_writes import UserWriteRepository
from gqlapi.words import fold, fold_key, is_word_character

MAX_EMAIL_LENGTH = 320
# Names of deleted users begin so.
RESERVED_PREFIX = "deleted-"
PUNCTUATION = "_-."
UNIQUE = {"uq_users_username_key", "uq_users_username_skeleton", "uq_users_email_key"}


class ReservedNames:
    """Reserved names: sign-up refuses them and names that look the same."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Reserve names."""
        self._skeletons = frozenset(map(skeleton, names))

    def __contains__(self, name: str) -> bool:
        return skeleton(name) in self._skeletons


@dataclass(frozen=True, slots=True)
class Registration:
    """What a person signs up with."""

    username: str
    email: str
    password: str
    display_name: str | None = None

    def check(self, reserved: ReservedNames | None = None) -> None:
        """Check everything; who signs up cannot take a reserved name.

        Raises:
            Rejected: for all that is wrong.
        """
        reject_if_any(self._problems(reserved or ReservedNames()))

    @property
    def email_key(self) -> str:
        """What makes the address unique; it must have been checked."""
        return fold(_normalized(self.email))

    def _problems(self, reserved: ReservedNames) -> Iterator[Problem]:
        problems = [*check_username(self.username, ("username",))]
        yield from problems
        if not problems and self.username in reserved:
            yield invalid(("username",), "This user name is reserved.")
        yield from check_email(self.email, ("email",))
        yield from check_password(self.password, ("password",))
        if self.display_name is not None:
            yield from check_display_name(self.display_name, ("displayName",))

    def to_user(self, role: UserRole = UserRole.READER) -> User:
        """Create the user's row."""
        username = normalize_username(self.username) or self.username
        return User(
            id=new_id(),
            username=username,
            username_key=fold(username),
            username_skeleton=skeleton(username),
            display_name=normalize_nickname(self.display_name or self.username),
            email=_normalized(self.email),
            email_key=self.email_key,
            role=role,
        )


def check_username(username: str, path: tuple[str, ...]) -> Iterator[Problem]:
    """Check a user name, which is stored as `normalize_username` returns it."""
    if not username:
        yield required(path)
        return
    if len(username) > MAX_USERNAME_LENGTH:
        yield too_long(path, MAX_USERNAME_LENGTH)
        return
    name = normalize_username(username)
    if name is None or not _is_name(name):
        yield invalid(path, "A user name is made of letters and digits, with `_`, `-` and `.` between.")
    elif len(name) > MAX_USERNAME_LENGTH or max(len(fold(name)), len(skeleton(name))) > MAX_USERNAME_KEY_LENGTH:
        yield too_long(path, MAX_USERNAME_LENGTH)
    elif skeleton(name).startswith(skeleton(RESERVED_PREFIX)):
        yield invalid(path, f"A user name cannot begin with {RESERVED_PREFIX!r}, or with what looks like it.")


def _is_name(text: str) -> bool:
    # With the marks that combine with letters: many scripts write vowels so.
    if not all(is_word_character(character) or character in PUNCTUATION for character in text):
        return False
    return (text[0].isalnum() or text[0] == "_") and text[-1] not in "-."


def check_display_name(name: str, path: tuple[str, ...]) -> Iterator[Problem]:
    """Check a name to show."""
    yield from check_name(name, path, MAX_DISPLAY_NAME_LENGTH, MAX_DISPLAY_NAME_KEY_LENGTH)


def check_email(email: str, path: tuple[str, ...]) -> Iterator[Problem]:
    """Check the syntax of an e-mail address; only sending a message could show whether it exists."""
    if not email:
        yield required(path)
    elif len(email) > MAX_EMAIL_LENGTH:
        yield too_long(path, MAX_EMAIL_LENGTH)
    else:
        try:
            _normalized(email)
        except EmailNotValidError:
            yield invalid(path, "This is not an e-mail address.")


def login_key(login: str) -> str:
    """Return the folded name or address that a person signs in with, as signing up made it of the same text.

    A login that is too long to be stored has an empty key, which matches no user.
    """
    login = login.strip()
    if len(login) > MAX_EMAIL_LENGTH:
        return ""
    if "@" in login:
        try:
            return fold(_normalized(login))
        except EmailNotValidError:
            pass  # it is free
    # No key is as long; a text that is longer is not folded.
    return fold_key(login, MAX_KEY_FACTOR * MAX_EMAIL_LENGTH) or ""


def _normalized(email: str) -> str:
    # Addresses under `.test` and the like are for trying the server out.
    return validate_email(email, check_deliverability=False, test_environment=True).normalized


async def register(scope: WriteScope, user: User, password_hash: str) -> None:
    """Write a new user with a password.

    Raises:
        Rejected: the name or the address is taken, or both.
    """
    repository = UserWriteRepository(scope)
    try:
        await repository.create(user)
    except IntegrityError as error:
        if constraint_of(error) not in UNIQUE:
            raise
        reject_if_any(await _conflicts(repository, user))
        await repository.create(user)  # its owner was deleted in the meantime
    await AccountWriteRepository(scope).add(UserCredential(user_id=user.id, password_hash=password_hash))


async def _conflicts(repository: UserWriteRepository, user: User) -> list[Problem]:
    """Report every value that is taken, but not by whom: the constraint that failed is only the first."""
    problems: list[Problem] = []
    others = await repository.list_by_keys(user)
    if any(other.username_key == user.username_key for other in others):
        problems.append(ConflictProblem(message="This user name is taken.", path=("username",)))
    elif any(other.username_skeleton == user.username_skeleton for other in others):
        problems.append(ConflictProblem(message="A user has a name that looks like this one.", path=("username",)))
    if any(other.email_key == user.email_key for other in others):
        problems.append(ConflictProblem(message="This e-mail address is taken.", path=("email",)))
    return problems
