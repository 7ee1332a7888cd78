"""What a pattern may be, and what is said of one that is wrong."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluicegate.policy.rules.pattern import pattern_of


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("*", "*"),
        ("/*", "*"),
        ("/", "/"),
        ("POST *", "POST *"),
        ("POST   /login/", "POST /login"),
        ("GET|HEAD|GET /a//b///", "GET|HEAD /a/b"),
        ("/a b/é/%", "/a b/é/%"),
        ("/100%/{id}/*", "/100%/{id}/*"),
        ("//API.Example.com./v1/*", "//api.example.com/v1/*"),
        ("POST //*.example.com/", "POST //*.example.com/"),
        ("//[::1]/*", "//[::1]/*"),
        ("//a_b.xn--bcher-kva.de/x", "//a_b.xn--bcher-kva.de/x"),
        ("M-SEARCH /", "M-SEARCH /"),
        ("/...", "/..."),
        ("/a:b;c=d,e@f", "/a:b;c=d,e@f"),
    ],
)
def test_patterns_and_how_they_are_shown(given: str, shown: str) -> None:
    assert str(pattern_of(given)) == shown


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("", "a path begins with '/'"),
        ("login", "a path begins with '/'"),
        ("GET", "a path begins with '/'"),
        ("GET login", "a path begins with '/'"),
        ("GET POST /login", "a path begins with '/'"),
        ("*.example.com/x", "a path begins with '/'"),
        ("https://example.com/x", "a path begins with '/'"),
        ("post /login", "'post' is no method: write 'POST /login' or 'GET|PUT /users/{id}'"),
        ("GET, POST /login", "'GET,' is no method"),
        ("|GET /login", "'' is no method"),
        ("GET|* /login", "'*' is no method"),
        (" /login", "leave out the space around it"),
        ("/login ", "leave out the space around it"),
        ("/login\n", "it has '\\n', which cannot be seen"),
        ("/a\tb", "it has '\\t', which cannot be seen"),
        ("/a\ud800", "it has '\\ud800', which cannot be seen"),
        ("/login\u200b", "it has '\\u200b', which cannot be seen"),
        ("/a\u202eb", "it has '\\u202e', which cannot be seen"),
        ("\ufeff/a", "it has '\\ufeff', which cannot be seen"),
        ("/a\xa0b", "it has '\\xa0', which cannot be seen"),
        ("/a\xad", "it has '\\xad', which cannot be seen"),
        ("//login", "behind a host stands a path: '//login/*', or '/login' if it is a path"),
        ("///login", "'' is no host"),
        ("//example.com:8000/x", "a host is written without its port"),
        ("//[::1]:80/x", "'[::1]:80' is no host"),
        ("//bücher.de/x", "in ASCII: 'xn--…'"),
        ("//*/login", "for any host leave it out: '/login'"),
        ("//a.*.com/x", "'a.*.com' is no host"),
        ("//*a.com/x", "'*a.com' is no host"),
        ("//{host}/x", "'{host}' is no host"),
        ("//a..b/x", "'a..b' is no host"),
        ("/a/../b", "leave out '..': write the path that it leads to"),
        ("/./a", "leave out '.': write the path that it leads to"),
        ("/a%20b", "compared with the decoded path: write '/a b'"),
        ("/%ff", "compared with the decoded path: write '/\ufffd'"),
        ("/search?q=1", "a pattern has no query"),
        ("/a/*/b", "'*' stands at the end only, behind '/'; one segment is '{name}'"),
        ("/a*", "'*' stands at the end only"),
        ("/**", "'*' stands at the end only"),
        ("/{x}/{x}", "'{x}' is there twice"),
        ("/{}", "'{}' is no parameter"),
        ("/{id:int}", "'{id:int}' is no parameter"),
        ("/{a-b}", "'{a-b}' is no parameter"),
        ("/{é}", "'{é}' is no parameter"),
        ("/{id}.json", "'{id}.json' is no parameter"),
        ("/<id>", "'<id>' is no parameter"),
        ("/<int:id>", "'<int:id>' is no parameter"),
    ],
)
def test_what_is_wrong_is_named_beside_what_is_right(given: str, why: str) -> None:
    with pytest.raises(ValueError, match="match must be a pattern such as 'POST /login'") as raised:
        pattern_of(given)
    assert repr(given) in str(raised.value)
    assert why in str(raised.value)


@pytest.mark.parametrize("given", [None, 5, b"/login", ["/login"], {"/login": 1}])
def test_what_is_no_text(given: object) -> None:
    with pytest.raises(TypeError, match=r"match must be a pattern such as 'POST /login'.* got "):
        pattern_of(given)


@given(st.one_of(st.text(), st.text(alphabet="/*{}.|GETaé%0?: <>[]\n")))
@example("/" * 10_000)
@example("GET " + "/{x" * 1_000)
def test_any_text_is_a_pattern_or_an_error(text: str) -> None:
    try:
        pattern = pattern_of(text)
    except ValueError as error:
        assert repr(text) in str(error)
    else:
        assert str(pattern_of(str(pattern))) == str(pattern)
