"""Attacks on what must stay secret: tokens in arguments, addresses and logs, disguised, or cut in two."""

import base64
import time
from collections.abc import Callable
from typing import Any
from unicodedata import normalize
from urllib.parse import quote

import pytest
from tests.inference_endpoints_mcp.conftest import HostOf
from tests.support.hosts.host import serving, text_of
from tests.support.planes.log_lines import write_log
from tests.support.planes.plane_driver import TOKEN, Driver
from tests.support.service.captures import CAPTURES
from tests.support.service.scripted_upstream import Answer, Upstream

from inference_endpoints.transport.backend import local
from inference_endpoints_mcp.privacy.lent_secrets import LentSecrets
from inference_endpoints_mcp.privacy.redact import MASK, Redactor
from inference_endpoints_mcp.server.application import ServerOptions

pytestmark = pytest.mark.anyio

ENGINE_LOGS = [line for line in (CAPTURES / "engine-logs.txt").read_text().splitlines() if not line.startswith("#")]
LENT = "plain-looking-canary"
L4 = "aws-us-east-1-nvidia-l4-x1"
NEW: dict[str, Any] = {"endpoint_name": "new", "repository": "org/model-1B", "hardware": L4, "dry_run": True}

JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\n"
    + "\n".join(["MIIEpAIBAAKCAQEA7bq5" * 3] * 4)
    + "\n-----END RSA PRIVATE KEY-----"
)
IN_TEXT = {
    "a flag": ("starting: serve --api-key X1y2 --port 80", "X1y2"),
    "a flag with =": ("starting: serve --api-key=X1y2 --port 80", "X1y2"),
    "a list of arguments": ("args: ['--api-key', 'X1y2', '--port', '80']", "X1y2"),
    "a variable": ("environment: TOKEN=X1y2", "X1y2"),
    "a query": ("GET https://host.example/v1?token=X1y2&limit=5", "X1y2"),
    "a signed address": ("PUT https://x.blob.core.windows.net/c?sv=2024&sig=X1y2%3D", "X1y2"),
    "a user in an address": ("cloning https://oauth2:X1y2@host.example/repo", "X1y2"),
    "a password": ("connecting with password=X1y2", "X1y2"),
    "a member of a document": ('{"user": "bob", "password": "X1y2 z"}', "X1y2 z"),
    "an escaped member": ('body: "{\\"client_secret\\": \\"X1y2\\"}"', "X1y2"),
    "a keyword": ("Settings(api_key='X1y2', port=80)", "X1y2"),
    "a list of keys": ("non-default args: {'api_key': ['X1y2', 'X1y3']}", "X1y"),
    "a cookie": ("Cookie: theme=dark; session=X1y2", "X1y2"),
    "a new cookie": ("Set-Cookie: sid=X1y2; Path=/; HttpOnly", "X1y2"),
    "basic credentials": (f"Authorization: Basic {base64.b64encode(b'user:pass').decode()}", "dXNlcjpwYXNz"),
    "basic credentials anywhere": (f"sent basic {base64.b64encode(b'user:pass').decode()} twice", "dXNlcjpwYXNz"),
    "another scheme": ("authorization: Token X1y2", "X1y2"),
    "JWT": (f"session {JWT}.", JWT[24:]),
    "AWS by name": ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYX", "wJalrXUtnFEMI"),
    "AWS by prefix": ("using ASIAIOSFODNN7EXAMPLE in us-east-1", "ASIAIOSFODNN7EXAMPLE"),
    "GitLab": ("glpat-a1b2c3d4e5f6g7h8i9j0 is used", "a1b2c3d4"),
    "Slack": ("bot xoxb-123456789012-123456789012-abcdefABCDEF", "abcdefABCDEF"),
    "Google": ("maps AIza" + "Sy0" * 12, "Sy0Sy0"),
    "Stripe": ("charge sk_live_" + "4eC39H" * 4, "4eC39H"),
    "npm": ("publish npm_" + "a1B2c3" * 6, "a1B2c3"),
    "Azure storage": ("AccountName=x;AccountKey=X1y2/z+==;EndpointSuffix=core.windows.net", "X1y2"),
    "Azure client": ("secret is abc8Q~" + "abcdefghij" * 3 + "12345.", "abcdefghij"),
    "DigitalOcean": ("dop_v1_" + "0123456789abcdef" * 4, "0123456789abcdef"),
    "PyPI": ("pypi-AgEIcHlwaS5vcmc" + "a1" * 30, "a1a1a1"),
    "a private key": (f"key:\n{PEM}\nloaded", "MIIEpAIBAAKCAQEA"),
    "the end of a private key": (PEM.partition("\n")[2], "MIIEpAIBAAKCAQEA"),
    "the beginning of a private key": (PEM[:150], "MIIEpAIBAAKCAQEA"),
}
DISGUISES = {
    "reversed": LENT[::-1],
    "base64": base64.b64encode(LENT.encode()).decode(),
    "base64 within other text": base64.b64encode(f"x{LENT}yz".encode()).decode(),
    "base64 for addresses": base64.urlsafe_b64encode(f"ab{LENT}".encode()).decode().rstrip("="),
    "base64, reversed": base64.b64encode(LENT[::-1].encode()).decode(),
    "base85": base64.b85encode(LENT.encode()).decode(),
    "base85 within other text": base64.b85encode(f"xyz{LENT}ab".encode()).decode(),
    "Adobe's base85": base64.a85encode(LENT.encode(), adobe=True).decode(),
    "base32": base64.b32encode(LENT.encode()).decode(),
    "hexadecimal": LENT.encode().hex(),
    "hexadecimal, upper case": LENT.encode().hex(":").upper(),
    "escapes": "".join(f"\\x{code:02x}" for code in LENT.encode()),
    "percent encoding": "".join(f"%{code:02X}" for code in LENT.encode()),
    "quoted": quote(LENT, safe=""),
    "character codes": ", ".join(str(code) for code in LENT.encode()),
    "rotated by 13": "cynva-ybbxvat-pnanel",
    "upper case": LENT.upper(),
    "full width": "".join(chr(ord(letter) + 0xFEE0) for letter in LENT),
    "mathematical letters": "".join(chr(0x1D41A + ord(it) - ord("a")) if it.isalpha() else it for it in LENT),
    "circled": "".join(chr(0x24D0 + ord(letter) - ord("a")) if letter.isalpha() else letter for letter in LENT),
    "white on black": "".join(chr(0x1F150 + ord(it) - ord("a")) if it.isalpha() else it for it in LENT),
    "letters of flags": "".join(chr(0x1F1E6 + ord(it) - ord("a")) if it.isalpha() else it for it in LENT),
    "accents": "".join(normalize("NFC", f"{letter}\u0301") for letter in LENT),
    "invisible tags": "".join(chr(0xE0000 + ord(letter)) for letter in LENT),
    "variation selectors": "".join(chr(0xE0100 + ord(letter) - 16) for letter in LENT),
    "spelled": " ".join(LENT),
    "a list of characters": str([*LENT]),
    "two lines": f"{LENT[:9]}\n{LENT[9:]}",
    "its second half, where a text begins": LENT[9:] + " and more",
    "its first half, where a text ends": "the value is " + LENT[:11],
}


@pytest.mark.parametrize("kind", IN_TEXT)
def test_a_secret_of_any_known_kind_is_masked_in_any_text(kind: str) -> None:
    text, secret = IN_TEXT[kind]
    masked = Redactor().text(text)
    assert MASK in masked
    assert secret not in masked
    assert Redactor().text(masked) == masked


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_lent_secret_is_masked_in_every_disguise(disguise: str) -> None:
    text = DISGUISES[disguise]
    assert MASK in Redactor([LENT]).text(text)
    assert MASK not in Redactor().text(text)


@pytest.mark.parametrize("zero", [0x0660, 0xFF10, 0x1D7CE, 0x1FBF0])
def test_a_lent_secret_is_masked_in_digits_of_any_form(zero: int) -> None:
    secret = "canary-9876543210"
    text = "".join(chr(zero + int(letter)) if letter.isdigit() else letter for letter in secret)
    assert Redactor([secret]).text(f"it is {text}.") == f"it is {MASK}."
    assert Redactor([secret]).text("in ٢٠٢٦, ①②③ and naïve 🇩🇪 text") == "in ٢٠٢٦, ①②③ and naïve 🇩🇪 text"


@pytest.mark.parametrize("form", [str.upper, " ".join, lambda secret: secret.replace("ü", "u").replace("ä", "a")])
def test_a_lent_secret_with_letters_beyond_ascii_is_masked_in_another_form(form: Callable[[str], str]) -> None:
    secret = "geheimes-schlüsselwörtchen-für-später"
    assert MASK in Redactor([secret]).text(f"it is {form(secret)}.")


def test_ordinary_logs_of_engines_are_shown_unchanged() -> None:
    redactor = Redactor([LENT, TOKEN])
    assert [(line, redactor.text(line)) for line in ENGINE_LOGS if redactor.text(line) != line] == []
    assert redactor.lines(ENGINE_LOGS) == ENGINE_LOGS


def test_a_hundred_thousand_lines_are_masked_in_seconds() -> None:
    redactor = Redactor([LENT, TOKEN])
    lines = (ENGINE_LOGS * (10_000 // len(ENGINE_LOGS) + 1))[:10_000]
    redactor.text(lines[0])
    began = time.process_time()
    redactor.lines(lines)
    assert time.process_time() - began < 2, "a tenth of them takes longer than two seconds"


async def test_a_private_key_is_masked_across_the_lines_of_a_log(driver: Driver, host_of: HostOf) -> None:
    await driver.create()
    printed = [f"cert {PEM.splitlines()[0]}", *PEM.splitlines()[1:], LENT[:9], LENT[9:], "ready", "--api-key X1y2"]
    write_log(driver, [(len(printed) - number, None, line) for number, line in enumerate(printed)])
    async with host_of(lent=LentSecrets({"CANARY": LENT})) as host:
        lines = (await host.call("get_endpoint_logs", endpoint_name="chat"))["lines"]
    assert "ready" in lines
    for secret in ("MIIEpAIBAAKCAQEA", LENT[:9], LENT[9:], "X1y2"):
        assert secret not in lines


@pytest.mark.parametrize(
    "setting",
    [
        {"args": ["--api-key", "X1y2"]},
        {"args": ["--api-key=X1y2"]},
        {"args": ["TOKEN=X1y2"]},
        {"command": ["sh", "-c", "serve --api-key X1y2"]},
        {"command": ["curl", "-H", "Authorization: Token X1y2", "https://host.example"]},
        {"args": ["--webhook", "https://host.example/hook?token=X1y2"]},
        {"image": {"custom": {"url": "https://X1y2X1y2@registry.example/engine:1"}}},
        {"args": [DISGUISES["base64"]]},
    ],
    ids=str,
)
async def test_a_secret_in_arguments_or_addresses_is_refused_before_it_is_sent(
    driver: Driver, host_of: HostOf, setting: dict[str, Any]
) -> None:
    await driver.create()
    async with host_of(lent=LentSecrets({"CANARY": LENT})) as host:
        for tool, arguments in (("create_endpoint", NEW), ("update_endpoint", {"endpoint_name": "chat"})):
            text = await host.refused(tool, "BAD_REQUEST", **arguments, config={"model": setting})
            assert "secret_names" in text
            assert "--lend" in text
            assert "X1y2" not in text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--max-num-batched-tokens", "8192", "--tokenizer", "org/model", "--served-model-name", "chat"],
        [
            "--api-key",
            "$VLLM_API_KEY",
            "--ssl-key-file",
            "/run/tls.pem",
            "--return-tokens-as-token-ids",
            "--port",
            "80",
        ],
        ["--revision", "5f3ab7f6a1b2c3d4e5f60718293a4b5c6d7e8f90", "--stop-token", "<|im_end|>"],
    ],
)
async def test_ordinary_arguments_are_taken(driver: Driver, host_of: HostOf, arguments: list[str]) -> None:
    async with host_of() as host:
        facts = await host.call("create_endpoint", **NEW, config={"model": {"args": arguments}})
    assert facts["plan"]["payload"]["model"]["args"] == arguments


async def test_a_secret_that_others_put_into_arguments_is_shown_nowhere(upstream: Upstream) -> None:
    document = upstream.endpoint("running")
    document["model"] |= {"args": ["--api-key", "X1y2", "--port", "80"], "command": ["serve", "TOKEN=X1y2"]}
    document["status"] |= {"message": "pulled with password=X1y2"}
    upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(body=document))
    change = {
        "before": {"args": ["--api-key", "X1y2"], "env": {"API_KEY": "X1y2"}},
        "after": {"args": ["--port", "80"]},
    }
    entry = {"endpoint": "chat", "reason": {"endpointUpdated": {"model": change}}}
    upstream.answers("GET", "/v2/audit-logs/acme", Answer(body={"list": [entry]}))
    upstream.answers("GET", "/v2/provider/acme", Answer(body={"vendors": []}))
    async with scripted_host(upstream) as host:
        for tool, arguments in (
            ("get_endpoint", {"endpoint_name": "chat", "response_format": "detailed"}),
            ("update_endpoint", {"endpoint_name": "chat", "config": {"model": {"args": []}}, "dry_run": True}),
            ("get_audit_logs", {"namespace": "acme"}),
        ):
            result = await host.send(tool, **arguments)
            assert not result.is_error, text_of(result)
            assert "--port" in text_of(result)
            assert "X1y2" not in result.model_dump_json()


@pytest.mark.parametrize("before", range(1_960, 2_000, 4))
async def test_no_half_of_a_token_is_left_where_the_text_of_an_error_is_cut(upstream: Upstream, before: int) -> None:
    token = "hf_" + "QwErTyUiOp" * 3
    text = ("word " * 400)[:before] + f" {token} " + "tail " * 100
    upstream.answers("GET", "/v2/endpoint/acme/chat", Answer(400, {"error": text}))
    async with scripted_host(upstream) as host:
        result = await host.send("get_endpoint", endpoint_name="chat")
    assert result.is_error
    assert "QwEr" not in result.model_dump_json()


def scripted_host(upstream: Upstream) -> Any:
    async def open_backend(_: Any) -> Any:
        return local(upstream.url, TOKEN)

    return serving(ServerOptions(open_backend=open_backend, namespace="acme"))
