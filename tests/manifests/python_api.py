"""`API.md`: every public name of the model layer with its signature and docstring."""

import ast
import inspect
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from types import ModuleType
from typing import Any, get_args

import inference_endpoints
from inference_endpoints import InferenceEndpointError
from inference_endpoints.inference.tasks.parameters import CallParameters

SECTIONS = {
    "Functions": "get_inference_endpoint list_inference_endpoints create_inference_endpoint update_inference_endpoint "
    "delete_inference_endpoint pause_inference_endpoint resume_inference_endpoint scale_to_zero_inference_endpoint "
    "EndpointList aio",
    "One endpoint": "InferenceEndpoint AsyncInferenceEndpoint StatusChange",
    "Calling a model": "InferenceClient AsyncInferenceClient AsyncInference Label InferenceResponse",
    "A control plane": "EndpointsClient AsyncEndpointsClient Backend default_backend hugging_face local",
    "Requests and answers": "EndpointSpec EndpointChange Hardware CreateRequest UpdateRequest Endpoint "
    "InferenceEndpointStatus InferenceEndpointType",
    "Plans and costs": "plan_create plan_update Plan cost_of",
    "Diagnosis": "collect_evidence diagnose Diagnosis",
    "Watching": "Watcher Goal",
    "Errors": "InferenceEndpointError NotConfigured BadRequest Unauthorized Forbidden PaymentRequired Refused NotFound "
    "Conflict AlreadyExists AlreadyRunning QuotaExceeded NoCapacity NotDeployed Paused ScaledToZero DeploymentFailed "
    "RateLimited InvalidResponse Unavailable OutcomeUnknown InferenceEndpointTimeoutError",
}
"""Every entry of `inference_endpoints.__all__`, in the order in which a reader needs them."""

TWINS = {
    "AsyncInferenceEndpoint": "InferenceEndpoint",
    "AsyncInferenceClient": "InferenceClient",
    "AsyncEndpointsClient": "EndpointsClient",
}
"""Classes whose methods are those of a blocking class, to be awaited."""

INTRODUCTION = """\
# Python API

Generated from signatures and docstrings by `make manifests`; every example runs as a test. All names are imported from
`inference_endpoints`. The examples use an embedded control plane with two endpoints: `chat` runs, and `broken` failed
to start. A method's example continues the example of its class. Code with `await` at the top level
runs in a coroutine.

`Token` is a string, None or True for the token of this machine, or False for none. `Api` is a client of either kind.
Other types that are not listed are in `inference_endpoints.models`, `inference_endpoints.deploy` and
`inference_endpoints.inference`.
"""

LINE_WIDTH = 116
_NO_BREAK = "\N{NO-BREAK SPACE}"
_HANDLE = "[InferenceEndpoint]"


@dataclass(frozen=True)
class PublicName:
    """A public name, with its owner before a dot: `get_inference_endpoint`, `EndpointsClient.get`."""

    path: str
    value: Any

    @property
    def docstring(self) -> str:
        return inspect.cleandoc(getattr(self.value, "__doc__", None) or "")


def public_names() -> Iterator[PublicName]:
    """Every entry of `__all__`, and after each class or module what is public in it."""
    for name in inference_endpoints.__all__:
        yield from _with_members(name)


def render_api_page() -> str:
    """The text of `API.md`."""
    lines = INTRODUCTION.splitlines()
    shown: set[Any] = set()
    for title, names in SECTIONS.items():
        lines += ["", f"## {title}"]
        for name in names.split():
            lines += _entries(name, shown)
    return "\n".join(lines) + "\n"


def _with_members(name: str) -> Iterator[PublicName]:
    value = getattr(inference_endpoints, name)
    yield PublicName(name, value)
    for member, inner in _members(value).items():
        yield PublicName(f"{name}.{member}", inner)


def _members(owner: Any) -> dict[str, Any]:
    """Public functions, methods and properties, as far as they are written in the model layer."""
    if isinstance(owner, ModuleType):
        return {name: value for name, value in vars(owner).items() if name.endswith("_inference_endpoint")}
    if not inspect.isclass(owner):
        return {}
    ours = (base for base in owner.__mro__ if base.__module__.startswith(f"{inference_endpoints.__name__}."))
    names = (name for base in ours for name, value in vars(base).items() if _is_public(name, value))
    return {name: getattr(owner, name) for name in names}


def _is_public(name: str, value: Any) -> bool:
    is_function = isinstance(value, classmethod | staticmethod | property) or inspect.isfunction(value)
    return is_function and not name.startswith("_") and name != "model_post_init"


def _entries(name: str, shown: set[Any]) -> list[str]:
    """The entries of a name and its members. An inherited method is listed once, in the first class that has it."""
    owner, *members = _with_members(name)
    lines = [f"### {name}", *_body(owner)]
    if name in TWINS:
        return [*lines, f"Its methods are those of `{TWINS[name]}`, to be awaited."]
    if isinstance(owner.value, ModuleType):
        return [*lines, "Its functions are the eight above."]
    if properties := [member for member in members if isinstance(member.value, property)]:
        lines += map(_property, properties)
    for member in members:
        function = getattr(member.value, "__func__", member.value)
        if not isinstance(member.value, property) and function not in shown:
            shown.add(function)
            lines += [f"#### {member.path}", *_body(member)]
    return lines


def _body(name: PublicName) -> list[str]:
    """Prose, signature and example; of an error the prose alone, since all have the signature of their root."""
    prose, example = _split(name.docstring)
    if inspect.isclass(name.value) and InferenceEndpointError in name.value.__mro__[1:]:
        return [prose]
    return [prose, "```python", *_signature(name), *example, "```"]


def _property(name: PublicName) -> str:
    return f"- `.{name.path.rpartition('.')[2]}: {_returned(name)}`: {_split(name.docstring)[0]}"


def _split(docstring: str) -> tuple[str, list[str]]:
    """The prose of a docstring, a line for each paragraph, and the lines of its example."""
    prose, prompt, example = docstring.partition(">>>")
    paragraphs = [" ".join(paragraph.split()) for paragraph in prose.strip().split("\n\n")]
    return "\n\n".join(paragraphs), (prompt + example).splitlines()


def _signature(name: PublicName) -> list[str]:
    if isinstance(name.value, ModuleType):
        return []
    if inspect.isclass(name.value):
        return _class_signature(name.value)
    prefix = "async " if inspect.iscoroutinefunction(name.value) else ""
    definition = _definition(name.value).args
    arguments = _arguments(definition)
    if definition.kwarg and "Unpack[" in arguments[-1]:
        star = [] if "*" in arguments else ["*"]
        arguments[-1:] = [*star, *_named_parameters(name.value, definition.kwarg.arg)]
    return _wrapped(prefix + name.path.rpartition(".")[2], arguments, f" -> {_returned(name)}")


def _class_signature(kind: type) -> list[str]:
    initializer = getattr(kind, "__init__", None)
    written = inspect.isfunction(initializer) and initializer.__code__.co_filename.endswith(".py")
    if written and initializer.__module__.startswith(f"{inference_endpoints.__name__}."):
        return _wrapped(kind.__name__, _arguments(_definition(initializer).args))
    return _wrapped(kind.__name__, [member.name for member in kind] if issubclass(kind, Enum) else _fields(kind))


def _fields(kind: type) -> list[str]:
    """The fields of a dataclass or a pydantic model, as they are written."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base.__module__.startswith(f"{inference_endpoints.__name__}."):
            found |= _members_of(base)
    return [f"{name}: {kind}" for name, kind in found.items()]


def _members_of(kind: type) -> dict[str, str]:
    """The annotated members of one class, as they are written."""
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(node, ast.ClassDef)
    members = (statement for statement in node.body if isinstance(statement, ast.AnnAssign))
    named = {ast.unparse(member.target): _type(member.annotation) for member in members}
    return {name: text for name, text in named.items() if not name.startswith("_")}


def _definition(value: Any) -> ast.FunctionDef | ast.AsyncFunctionDef:
    value = value.fget if isinstance(value, property) else value
    function = inspect.unwrap(getattr(value, "__func__", value))
    (node,) = ast.parse(textwrap.dedent(inspect.getsource(getattr(function, "__func__", function)))).body
    assert isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    return node


def _arguments(arguments: ast.arguments) -> list[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_argument(one, default) for one, default in zip(positional, defaults, strict=True)]
    if positional and positional[0].arg in {"self", "cls"}:
        del shown[0]
    if arguments.vararg:
        shown.append("*" + _argument(arguments.vararg))
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [_argument(*pair) for pair in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    if arguments.kwarg:
        shown.append("**" + _argument(arguments.kwarg))
    return shown


def _named_parameters(value: Any, kwarg: str) -> list[str]:
    """The parameters that `**kwarg: Unpack[…]` stands for, by name and in the order of the signature."""
    function = inspect.unwrap(value)
    (kind,) = get_args(function.__annotations__[kwarg])
    types = {name: text for base in (CallParameters, kind) for name, text in _members_of(base).items()}
    return [f"{name}: {types[name]} = None" for name in inspect.signature(function).parameters if name in types]


def _argument(argument: ast.arg, default: ast.expr | None = None) -> str:
    text = argument.arg
    if argument.annotation is not None:
        text += f": {_type(argument.annotation)}"
    return text if default is None else f"{text} = {ast.unparse(default)}"


def _type(annotation: ast.expr) -> str:
    """An annotation as it is written, without quotes, and without what `Annotated` adds to a type."""
    return ast.unparse(_WithoutAnnotated().visit(annotation)).strip("'\"")


class _WithoutAnnotated(ast.NodeTransformer):
    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        if isinstance(node.slice, ast.Tuple) and ast.unparse(node.value) == "Annotated":
            return node.slice.elts[0]
        return node


def _returned(name: PublicName) -> str:
    """The annotation of what is returned, as a caller of this name gets it."""
    node = _definition(name.value)
    text = _type(node.returns) if node.returns else "None"
    if isinstance(node, ast.AsyncFunctionDef) and not inspect.isasyncgenfunction(name.value):
        text = text.replace("AsyncGenerator", "Generator").replace("AsyncIterator", "Generator")
    owner = name.path.partition(".")[0] if "." in name.path else "InferenceEndpoint"
    return owner if text in {"H", "Self"} else text


def _wrapped(name: str, arguments: list[str], rest: str = "") -> list[str]:
    """A signature in lines, which are broken between arguments only."""
    kept = [argument.replace(" ", _NO_BREAK) for argument in arguments]
    text = f"{name.replace(' ', _NO_BREAK)}({', '.join(kept)}){rest.replace(' ', _NO_BREAK)}".replace("[H]", _HANDLE)
    lines = textwrap.wrap(text, LINE_WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)
    return [line.replace(_NO_BREAK, " ") for line in lines]
