"""Files of documents, as the compilers of clients write them, and broken ones."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from gqlapi.documents import manifests
from gqlapi.documents.checking import find_problems
from gqlapi.documents.ids import id_problem, normalize_id, sha256_id
from gqlapi.documents.manifests import UnreadableManifest, read_manifest

TEXT = "query Hello {\n  __typename\n}"
SHA256 = hashlib.sha256(TEXT.encode()).hexdigest()
SHA1 = hashlib.sha1(TEXT.encode(), usedforsecurity=False).hexdigest()
MD5 = hashlib.md5(TEXT.encode(), usedforsecurity=False).hexdigest()


def apollo(*operations: Any, version: Any = 1) -> dict[str, Any]:
    return {"format": "apollo-persisted-query-manifest", "version": version, "operations": [*operations]}


def operation(id_: Any = SHA256, body: Any = TEXT) -> dict[str, Any]:
    return {"id": id_, "name": "Hello", "type": "query", "body": body}


class TestReading:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            pytest.param({SHA1: TEXT}, SHA1, id="graphql-codegen with sha1"),
            pytest.param({f"sha256:{SHA256}": TEXT}, f"sha256:{SHA256}", id="graphql-codegen 6"),
            pytest.param({SHA256: TEXT}, f"sha256:{SHA256}", id="graphql-codegen 5 with sha256"),
            pytest.param({MD5: TEXT}, MD5, id="Relay"),
            pytest.param(apollo(operation()), f"sha256:{SHA256}", id="Apollo"),
            pytest.param(apollo(operation("hello-1")), "hello-1", id="Apollo with ids of a project"),
            pytest.param(apollo(operation(), operation()), f"sha256:{SHA256}", id="Apollo, twice the same"),
        ],
    )
    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["", "with a mark"])
    def test_knows_each_compiler(self, tmp_path: Path, content: Any, expected: str, start: bytes) -> None:
        path = tmp_path / "manifest.json"
        path.write_bytes(start + json.dumps(content).encode())
        assert read_manifest(path) == {expected: TEXT}
        assert id_problem(expected, TEXT) is None

    def test_takes_a_document_as_it_is(self, tmp_path: Path) -> None:
        path = tmp_path / "hello.graphql"
        for text in (TEXT, TEXT + "\n", "\ufeff" + TEXT):
            path.write_text(text, encoding="utf-8")
            assert read_manifest(path) == {sha256_id(text): text}

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"", "the file is not JSON: Expecting value: line 1 column 1 (char 0)"),
            (b"\xff{}", "the file is not UTF-8"),
            (b"{", "the file is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
            (b"[" * 100_000, "the file is nested too deeply"),
            (b'{"a": ' + b"9" * 5_000 + b"}", "the file is not JSON: Exceeds the limit"),
            (b"[]", "the file is not a JSON object"),
            (b"null", "the file is not a JSON object"),
            (b"{}", "the file has no documents"),
            (b'{"a": "{b}", "a": "{b}"}', "the file has 'a' twice"),
            (b'{"a": {"b": 1, "b": 2}}', "the file has 'b' twice"),
            (b'{"a": null}', "the document 'a' is not an id with a text"),
            (b'{"a": ["{b}"]}', "the document 'a' is not an id with a text"),
            (json.dumps({SHA256: "{a}", f"sha256:{SHA256}": "{b}"}).encode(), "with two texts"),
            (json.dumps(apollo(version=2)).encode(), "the version of the manifest is not 1"),
            (json.dumps(apollo(version=None)).encode(), "the version of the manifest is not 1"),
            (json.dumps(apollo()).encode(), "the file has no documents"),
            (json.dumps(apollo("x")).encode(), "`operations` is not a list of objects"),
            (json.dumps(apollo() | {"operations": {SHA256: operation()}}).encode(), "`operations` is not a list"),
            (json.dumps(apollo({})).encode(), "the document None is not an id with a text"),
            (json.dumps(apollo(operation(1))).encode(), "the document 1 is not an id with a text"),
            (json.dumps(apollo(operation(body=None))).encode(), "is not an id with a text"),
            (json.dumps(apollo(operation("x"), operation("x", "{a}"))).encode(), "the file has 'x' with two texts"),
            (json.dumps({"x" * 1_000: 1}).encode(), f"the document '{'x' * 79}… is not an id with a text"),
            (b'{"\\u001b[31m\\n": 1}', r"the document '\x1b[31m\n' is not an id with a text"),
        ],
        ids=range(24),
    )
    def test_says_what_is_broken(self, tmp_path: Path, content: bytes, reason: str) -> None:
        path = tmp_path / "manifest.json"
        path.write_bytes(content)
        with pytest.raises(UnreadableManifest) as refused:
            read_manifest(path)
        assert reason in str(refused.value)
        assert len(str(refused.value).splitlines()) == 1

    def test_needs_a_file_of_a_sane_size(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(manifests, "MAX_FILE_BYTES", 10)
        large = tmp_path / "large.json"
        large.write_text(" " * 11)
        for path, reason in (
            (large, "the file has over 10 bytes"),
            (tmp_path, "Is a directory"),
            (tmp_path / "nothing.json", "No such file or directory"),
            (Path("a\0b"), "embedded null byte"),
        ):
            with pytest.raises(UnreadableManifest, match=reason):
                read_manifest(path)


class TestIds:
    def test_have_a_prefix_if_they_are_a_hash(self) -> None:
        assert normalize_id(SHA256) == f"sha256:{SHA256}"
        for other in (SHA256.upper(), SHA256[1:], SHA1, MD5, f"sha256:{SHA256}", "g" * 64, "", "٣" * 64):
            assert normalize_id(other) == other

    @pytest.mark.parametrize(
        ("document_id", "problem"),
        [
            ("", "an id has letters, digits"),
            ("a b", "an id has letters, digits"),
            ("a/b", "an id has letters, digits"),
            ("ä", "an id has letters, digits"),
            ("x\n", "an id has letters, digits"),
            ("x" * 201, "the id has over 200 characters"),
            ("sha256:" + "0" * 64, "the id is not the SHA-256 hash of the text"),
            (f"sha256:{SHA256.upper()}", "the id is not the SHA-256 hash of the text"),
            ("sha256:", "the id is not the SHA-256 hash of the text"),
            (f"md5:{MD5}", "the prefix md5: is reserved"),
            (":x", "the prefix : is reserved"),
        ],
        ids=range(11),
    )
    def test_that_cannot_be_kept_are_explained(self, document_id: str, problem: str) -> None:
        assert (id_problem(document_id, TEXT) or "").startswith(problem)

    @pytest.mark.parametrize("document_id", ["1", MD5, "x-blog:home", "x-:", "A._~-9", "x" * 200])
    def test_of_a_project_are_free(self, document_id: str) -> None:
        assert id_problem(document_id, TEXT) is None

    def test_are_those_of_the_specification(self) -> None:
        text = "query ($id: ID!) {\n  user(id: $id) {\n    name\n  }\n}"
        assert sha256_id(text) == "sha256:7dba4bd717b41f10434822356a93c32b1fb4907b983e854300ad839f84cdcd6e"
        assert sha256_id("query($id:ID!){user(id:$id){name}}").endswith("58f52b555286b")


class TestTexts:
    @pytest.mark.parametrize(
        ("text", "problem"), [("{ a # \0\n}", "a NUL character"), ("{ a # \ud800\n}", "half of a surrogate pair")]
    )
    def test_that_no_database_keeps_are_refused(self, text: str, problem: str) -> None:
        assert find_problems({"x": text}, None, lambda *_: []) == [f"'x': the text has {problem}."]
