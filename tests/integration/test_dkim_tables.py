# SPDX-License-Identifier: ISC
"""Published tables of DKIM's parts: tag-lists, canonical forms, signatures,
key records.  Where we differ from them, the reason is here."""
import base64
import json
import os
import subprocess

import pytest

from conftest import shared_folder


def table(*names):
    """Of a JSON file, or of one with a JSON value a line; [] without it."""
    shared = shared_folder()
    path = shared and os.path.join(shared, "suites", "dkim", *names)
    if not path or not os.path.exists(path):
        return []
    with open(path) as f:
        if path.endswith(".jsonl"):
            return [json.loads(line) for line in f]
        return json.load(f)


@pytest.fixture
def parts(build):
    """parts("tags", octets): exit code and what was written."""
    def run(*arguments, octets):
        done = subprocess.run(
            [os.path.join(build, "tests", "tools", "dkim-parts"), *arguments],
            input=octets, capture_output=True, timeout=30, check=False)
        assert done.returncode in (0, 1), done.stderr
        return done.returncode, done.stdout
    return run


# -- tag-lists --

TAGS_OTHERWISE = {
    "Should handle empty input": "RFC 6376 3.2 asks for one tag at least",
    "Should handle literal newlines and carriage returns":
        "a backslash is none of a tag's name",
    "Should warn about duplicate tags":
        "a tag twice makes the list invalid (RFC 6376 3.2)",
    "Should parse SPF record format": "include= twice: likewise",
}


def tag_cases():
    for case in table("mailauth", "tagvalue-parse.json"):
        name = case["test"].split(" / ")[-1]
        for call in case["calls"]:
            # what is BIMI's, and their options, say nothing about lists
            if call["call"].endswith("parseTagValueRecord") and \
                    len(call["args"]) == 1 and call["args"][0] is not None:
                yield pytest.param(name, call, id=name)


@pytest.mark.parametrize("name, call", tag_cases())
def test_tag_lists(parts, name, call):
    code, out = parts("tags", octets=call["args"][0].encode())
    tags = dict(line.split("=", 1) for line in out.decode().splitlines()
                if "=" in line)
    if name in TAGS_OTHERWISE:
        assert code == 1
        return
    for key, how, expected in call["asserts"]:
        if key == "isValid":
            assert (code == 0) == (how == "to.be.true")
        elif key.startswith("tags.") and code == 0:
            assert tags[key[5:]] == expected[0]


# -- canonical forms of header fields --

def header_cases(form):
    for case in table("mailauth", f"out-header-{form}-test.json"):
        name = case["test"].split(" / ")[-1]
        for call in case["calls"]:
            # a signature's own field is theirs to make
            wanted = [a for a in call["asserts"]
                      if a[0].startswith("canonicalizedHeader.toString") and
                      "b=" not in json.dumps(a)]
            if wanted and "headers" in call["args"][1]:
                yield pytest.param(form, call["args"][1]["headers"], wanted,
                                   id=f"{form}: {name}")


@pytest.mark.parametrize("form, headers, wanted",
                         [*header_cases("simple"), *header_cases("relaxed")])
def test_header_forms(parts, form, headers, wanted):
    fields = [base64.b64decode(h["line"]["b64"]).replace(b"\r\n", b"\n")
              for h in headers]
    code, out = parts("header", form, octets=b"\n".join(fields) + b"\n")
    out = out.decode()
    assert code == 0
    for _, how, (expected,) in wanted:
        if how == "to.match":
            # /subject:Test Email\r\n/
            expected = expected["re"].strip("/").replace("\\r\\n", "\r\n")
        assert (expected in out) == (how != "not.to.include")


# -- signatures and key records --

SIGNATURES, RECORDS = table("mox", "sig.jsonl"), table("mox", "record.jsonl")
SIGNATURES_OTHERWISE = {
    102: "i= may have UTF-8 in a message of SMTPUTF8 (RFC 8616), and a "
         "signature does not tell which kind its message is of",
    152: "what SHA-1 signs is refused later on, whatever its hash",
}
RECORDS_OTHERWISE = {
    65: "blanks behind the last semicolon are in many records",
}


@pytest.mark.parametrize(
    "row", SIGNATURES, ids=[str(row["line"]) for row in SIGNATURES])
def test_signatures(parts, row):
    text = "".join(row["strings"]).replace("\r\n", "\n")
    code, out = parts("signature", octets=text.encode())
    good = row["rest"].split(", ")[2] == "nil"
    assert (code == 0) == (good or row["line"] in SIGNATURES_OTHERWISE), out


@pytest.mark.parametrize(
    "row", RECORDS, ids=[str(row["line"]) for row in RECORDS])
def test_key_records(parts, row):
    code, out = parts("key", octets="".join(row["strings"]).encode())
    good = row["rest"].split(", ")[2] == "nil"
    assert (code == 0) == (good or row["line"] in RECORDS_OTHERWISE), out
