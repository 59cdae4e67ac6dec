"""The one redactor: by value, by shape, by name."""

import logging
import sys

import pytest

from inference_endpoints_mcp.privacy.redact import MASK, MOST_REMEMBERED, RedactingFilter, Redactor

TOKEN = "hf_" + "a1B2" * 9


@pytest.mark.parametrize(
    "text",
    [
        f"token {TOKEN} in a sentence",
        f"Authorization: Bearer {'x' * 30}",
        f"bearer {'eyJh.b-c_d~e+f/g' * 2}==",
        "https://user:password1@example.com/x",
        "api_org_" + "Z" * 30,
        f"two {TOKEN} and {TOKEN}",
        "sk-proj-" + "Z" * 30,
        "key=sk-ant-api03-" + "Z" * 30,
        "AKIA" + "ZZZZ" * 4,
        "ghp_" + "Z" * 36,
        "github_pat_" + "Z" * 40,
    ],
)
def test_a_value_with_the_pattern_of_a_secret_is_masked_in_any_text(text: str) -> None:
    masked = Redactor().text(text)
    assert MASK in masked
    for secret in (TOKEN, "x" * 30, "eyJh", "password1", "Z" * 16):
        assert secret not in masked


def test_a_known_value_is_masked_whatever_its_pattern() -> None:
    redactor = Redactor(["correct horse"])
    assert redactor.text("my correct horse!") == f"my {MASK}!"
    redactor.add("battery staple")
    assert redactor.data({"a": ["battery staple"]}) == {"a": [MASK]}


def test_a_text_that_was_harmless_is_masked_once_its_value_is_known_to_be_secret() -> None:
    redactor = Redactor()
    assert redactor.text("chat-of-acme") == redactor.text("chat-of-acme") == "chat-of-acme"
    assert redactor.data({"name": "chat-of-acme"}) == {"name": "chat-of-acme"}
    redactor.add("chat-of-acme")
    assert redactor.text("chat-of-acme") == redactor.text("chat-of-acme") == MASK
    assert redactor.data({"name": "chat-of-acme"}) == {"name": MASK}


def test_masking_is_the_same_however_many_texts_came_before() -> None:
    redactor = Redactor()
    for number in range(2 * MOST_REMEMBERED):
        redactor.text(f"endpoint-{number}")
    for _ in range(2):
        assert redactor.text("endpoint-0") == "endpoint-0"
        assert redactor.text(f"token {TOKEN}") == f"token {MASK}"


def test_the_secret_of_one_caller_is_masked_for_that_caller_and_what_all_know_for_each() -> None:
    common = Redactor()
    one, other = Redactor(["first caller's canary"], parent=common), Redactor(["second caller's canary"], parent=common)
    text = "first caller's canary, second caller's canary, common canary"
    assert one.text(text) == "***, second caller's canary, common canary"
    common.add("common canary")
    assert one.text(text) == "***, second caller's canary, ***"
    assert other.text(text) == "first caller's canary, ***, ***"


def test_a_value_is_forgotten_when_nobody_needs_it_masked_any_more() -> None:
    redactor = Redactor(["another canary"])
    for _ in range(2):
        redactor.add("a canary of two")
    redactor.forget("a canary of two")
    assert redactor.text("a canary of two, another canary") == "***, ***"
    redactor.forget("a canary of two")
    redactor.forget("never known at all")
    assert redactor.text("a canary of two, another canary") == "a canary of two, ***"


def test_a_value_too_short_to_be_a_secret_is_not_masked_in_any_text() -> None:
    assert Redactor(["local"]).text("local is local") == "local is local"


@pytest.mark.parametrize(
    "name",
    [
        "HF_TOKEN",
        "OPENAI_API_KEY",
        "API_KEYS",
        "DB_PASSWORD",
        "SECRET",
        "secret-key",
        "AWS_SECRET_ACCESS_KEY",
        "WANDB_KEY",
        "SIGNING_KEY",
        "apiKey",
        "accessToken",
        "X_AUTH",
        "PGPASSWORD",
        "DB_PASS",
        "HUB_CREDENTIALS",
    ],
)
def test_a_value_with_the_name_of_a_secret_is_masked(name: str) -> None:
    assert Redactor().data({"env": {name: "whatever"}}) == {"env": {name: MASK}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOTAL_TOKENS", "4096"),
        ("TOKENIZERS_PARALLELISM", "false"),
        ("completion_tokens", 12),
        ("MONKEY", "banana"),
        ("AUTHOR", "someone"),
        ("KEYBOARD", "qwerty"),
        ("COMPASS", "north"),
        ("HF_TOKEN", ""),
        ("USE_AUTH", "false"),
        ("plan_token", "abcdefgh" * 13),
        ("NOTE", "a risk-averse task-oriented model"),
        ("COMMIT", "a1b2c3d4" * 5),
    ],
)
def test_other_values_are_shown(name: str, value: object) -> None:
    assert Redactor().data({name: value}) == {name: value}


def test_a_name_that_is_a_secret_itself_is_masked() -> None:
    assert TOKEN not in str(Redactor().data({TOKEN: 1}))


def test_log_records_are_masked_with_their_arguments_and_tracebacks() -> None:
    try:
        raise ValueError(TOKEN)
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "x.py", 1, "saw %s", (TOKEN,), sys.exc_info())
    RedactingFilter(Redactor()).filter(record)
    output = logging.Formatter().format(record)
    assert TOKEN not in output
    assert "ValueError" in output
