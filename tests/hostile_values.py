"""The values that break formats and shells, one of each kind: what `export` and `render` are tried with."""

from __future__ import annotations

PEM = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8\nAgEAAkEAq7BF\n-----END PRIVATE KEY-----\n"

#: A byte that is not UTF-8, as Python holds it.
BAD_UTF8 = b"caf\xe9".decode("utf-8", "surrogateescape")

VALUES = (
    *("plain", "", " ", "two words", " leading", "trailing ", "\ttab\t", "a\tb"),
    *("it's", "'", "''", "'quoted'", '"', '""', 'say "hi"', '"quoted"', 'it\'s "both"', "`", "`id`", "all ' \" `"),
    *("$", "$HOME", "${HOME}", "$(id)", "a$", "$$", "100%", "%{x}", "${x:-y}", "$${x}"),
    *("\\", "\\\\", "a\\", "C:\\new\\table", "\\n", "\\'", '\\"', "\\$HOME"),
    *("a\nb", "\n", "a\n", "\na", "a\r", "a\rb", "a\r\nb", PEM),
    *("#", "a#b", "a #b", "#comment"),
    *("a=b", "=", "export X=1", "!history", "*", "~", "~/x", "{a,b}", "[x]", "&|;<>()"),
    *("a\xa0b", "\u2028", "\ufeffbom", "\x01\x1b[31m\x7f", "\x85", "日本 ü 🔑"),
    *("true", "no", "0123", "1e3", "null", '{"a": "b"}', "postgres://u:p%40@h/db?x=1&y=2"),
    BAD_UTF8,
)

UNICODE = tuple(value for value in VALUES if value != BAD_UTF8)
