"""The MCP server: connects the tools, prompts, resources and subscriptions to the SDK."""

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any
from weakref import WeakSet

from mcp import MCPError
from mcp.server.caching import CacheHint
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.helper_types import ReadResourceContents
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.request_state import RequestStateSecurity
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.types import (
    INTERNAL_ERROR,
    CallToolResult,
    CompleteRequestParams,
    GetPromptResult,
    InputRequiredResult,
    ListResourcesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Prompt,
    ResourceTemplate,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    UnsubscribeRequestParams,
)
from mcp.types import Tool as ListedTool
from pydantic import ValidationError
from pydantic.networks import AnyUrl

from inference_endpoints.errors import InferenceEndpointError
from inference_endpoints_mcp import __version__
from inference_endpoints_mcp.approval.approvals import Approvals
from inference_endpoints_mcp.approval.plan_ledger import PlanLedger, ReplicaLedger, open_ledger
from inference_endpoints_mcp.policy.caller import caller_id, request_id
from inference_endpoints_mcp.policy.policy import Policy
from inference_endpoints_mcp.privacy.redact import Redactor
from inference_endpoints_mcp.privacy.untrusted_text import FENCE_NOTICE
from inference_endpoints_mcp.replicas.account_state import AccountState
from inference_endpoints_mcp.server.answers import rendering
from inference_endpoints_mcp.server.application import RunningApplication, ServerOptions
from inference_endpoints_mcp.server.caller_identity import track_caller
from inference_endpoints_mcp.server.common_parts import CommonParts
from inference_endpoints_mcp.server.features.completion import ArgumentCompleter
from inference_endpoints_mcp.server.features.mcp_app import APP_URI, AppExtension, read_app, shows_app
from inference_endpoints_mcp.server.features.prompts import Prompts
from inference_endpoints_mcp.server.features.skills import SCHEME, SkillsExtension
from inference_endpoints_mcp.server.holding.held_call import note_time
from inference_endpoints_mcp.server.http.header_limits import apply_header_limits
from inference_endpoints_mcp.server.resources.endpoint_resources import JSON, EndpointResources
from inference_endpoints_mcp.server.resources.output_resources import (
    is_output,
    list_outputs,
    output_templates,
    read_output,
)
from inference_endpoints_mcp.server.resources.subscriptions import Subscriptions
from inference_endpoints_mcp.server.resources.uris import EndpointUri
from inference_endpoints_mcp.server.scopes import apply_scopes
from inference_endpoints_mcp.server.stdio import stdio_messages
from inference_endpoints_mcp.server.tool_calls import ToolCalls
from inference_endpoints_mcp.tools.call_context import Application
from inference_endpoints_mcp.tools.running_calls import RunningCalls

log = logging.getLogger(__name__)

LIST_TTL_MS = 60_000
_ACCOUNT_NAME = 12
"""Characters of an account's name."""
NOT_COUNTED = frozenset({"initialize", "server/discover", "ping", "tools/call", "subscriptions/listen"})
"""Requests that use nothing, and two that are counted elsewhere: calls of tools with their waits, and subscriptions."""

INSTRUCTIONS = f"""\
Manages Hugging Face Inference Endpoints: dedicated, billed model deployments. Use it to deploy a model, see what \
runs and what it costs, call it, and stop paying for it.
A call that starts something returns once it is accepted; then wait_for_endpoint waits and reports progress. If it \
returns reached=false, make the call under `next`. To stop the billing: pause_endpoint (until resumed) or \
scale_endpoint_to_zero (until called). dry_run=true shows a change with its price and changes nothing.
The operator decides what needs approval, by a person or by a plan in two calls. A result with plan_token has changed \
nothing: show the plan to the user, and only if they agree make the same call with that plan_token.
`backend` shows where an endpoint runs: huggingface is billed, local is your own hardware, simulated runs nothing.
{FENCE_NOTICE}"""


class EndpointsServer(MCPServer[Application]):
    """Serves what policy allows. `common` is of the server that this one is an account of.

    Raises `AuditError` if the audit file cannot be written.
    """

    def __init__(self, options: ServerOptions, redactor: Redactor, common: CommonParts | None = None) -> None:
        common = self._common = common or CommonParts.of(options, redactor)
        audit, shared = self.audit, self._shared = common.audit, common.shared
        policy = Policy(options.limits, audit)

        def ledger() -> PlanLedger:
            if not options.sealing_keys:
                return open_ledger(options.data_folder)
            return ReplicaLedger(lambda: self._options.sealing_keys, shared)

        self._options = options
        self._approvals = Approvals(options.approval, audit, ledger, options.clock)
        for value in options.lent.values.values():
            redactor.add(value)
        self.before_request: Callable[[], None] = lambda: None
        self._application: RunningApplication | None = None
        self._redactor, self._policy = redactor, policy
        self._concurrency = common.concurrency
        self._requests = 0
        self._accounts = WeakSet[EndpointsServer]()
        self._tool_calls = ToolCalls(policy, self._concurrency, redactor, options.telemetry)
        self._endpoint_resources = EndpointResources(policy, redactor)
        self._prompts = Prompts(policy, redactor)

        @asynccontextmanager
        async def lifespan(_: MCPServer[Application]) -> AsyncIterator[RunningApplication]:
            outputs, calls = common.outputs, RunningCalls(common.running_calls)
            application = RunningApplication(self._options, redactor, policy, self._approvals, shared, outputs, calls)
            async with common.lifetime.used(), aclosing(application):
                self._application = application
                yield application

        bus = InMemorySubscriptionBus()
        self._skills = SkillsExtension(policy)
        super().__init__(
            "inference-endpoints-mcp",
            title="Inference Endpoints",
            version=__version__,
            instructions=INSTRUCTIONS,
            lifespan=lifespan,
            cache_hints={method: CacheHint(LIST_TTL_MS, "private") for method in ("tools/list", "prompts/list")},
            middleware=[
                note_time,
                self._keep_limits,
                track_caller,
                apply_header_limits,
                apply_scopes,
                self._render_failures,
                self._count_request,
            ],
            # The state outlives the question, so that a late answer gets an error in our own words.
            request_state_security=RequestStateSecurity(
                codec=self._approvals.tokens, ttl=2 * options.approval.answer_timeout_s
            ),
            log_level="WARNING",
            subscriptions=bus if options.max_subscriptions else False,
            extensions=[AppExtension(), self._skills],
        )
        # The SDK has no public way to serve these: tools by what the host can show, pages of resources, completion with
        # the caller's context, and the subscriptions of the older protocol.
        self._lowlevel_server.add_request_handler("tools/list", PaginatedRequestParams, self._list_tools_of_host)
        self._lowlevel_server.add_request_handler("resources/list", PaginatedRequestParams, self._list_resource_page)
        self._lowlevel_server.add_request_handler(
            "completion/complete", CompleteRequestParams, ArgumentCompleter(policy).complete
        )
        self._endpoint_subscriptions: Subscriptions | None = None
        if options.max_subscriptions:
            self._serve_subscriptions(bus, options)

    @property
    def options(self) -> ServerOptions:
        return self._options

    def take(self, new: ServerOptions) -> None:
        """Requests that begin from now on have the new options; those that run go on under what they began with."""
        for value in new.lent.values.values():
            self._redactor.add(value)
        self._options = self._options.taking(new)
        self._policy.take(new.limits)
        self._approvals = self._approvals.with_policy(new.approval)
        self._concurrency.max_calls, self._concurrency.max_waits = new.max_calls, new.max_waits
        if self._application is not None:
            self._application.take(self._options, self._approvals)
        for account in self._accounts:
            account.take(new)

    def name_of(self, caller: str, token: str) -> str:
        """A name for an account under which log and audit trail have it. It tells nothing of a token."""
        return self._approvals.tokens.names_of(json.dumps([caller, token]))[0][:_ACCOUNT_NAME]

    def for_account(self, caller: str, token: str) -> "EndpointsServer":
        """A server for this caller with this token alone. It has clients, caches, sessions and plans of its own, takes
        what this one takes, and counts a caller's calls with it."""
        account = json.dumps([caller, token])
        redactor = Redactor([token], parent=self._redactor)
        common = replace(
            self._common,
            audit=self.audit.masked_by(redactor),
            shared=AccountState(self._shared, lambda: self._approvals.tokens.names_of(account)),
        )
        server = EndpointsServer(self._options.for_account(caller, token), redactor, common)
        self._accounts.add(server)
        return server

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs here, also no call that goes on without its host."""
        return not self._requests and not (self._application and self._application.has_running_calls)

    def end_waits(self) -> None:
        """Let each wait that runs answer now, with how to go on, and end subscriptions: the server is about to end."""
        if self._endpoint_subscriptions is not None:
            self._endpoint_subscriptions.end()
        if self._application is not None:
            self._application.end_waits()

    async def is_ready(self) -> bool:
        """Whether the control plane can be reached now."""
        return self._application is not None and await self._application.is_ready()

    async def shares(self) -> bool:
        """Whether what replicas share can be reached now."""
        return await self._shared.is_reachable()

    async def run_stdio_async(self) -> None:
        async with stdio_messages() as (messages, answers):
            await self._lowlevel_server.run(messages, answers, self._lowlevel_server.create_initialization_options())

    async def list_tools(self) -> list[ListedTool]:
        return list(self._tool_calls.list_tools())

    async def _list_tools_of_host(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> ListToolsResult:
        return ListToolsResult(tools=list(self._tool_calls.list_tools(with_app=shows_app(ctx))))

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Application, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        return await self._tool_calls.call_tool(name, arguments, context or Context(mcp_server=self))

    async def list_resource_templates(self) -> list[ResourceTemplate]:
        own = [*self._endpoint_resources.templates, *output_templates(self._policy)]
        return [*own, *await super().list_resource_templates()]

    async def read_resource(
        self, uri: AnyUrl | str, context: Context[Application, Any] | None = None
    ) -> Iterable[ReadResourceContents] | InputRequiredResult:
        if str(uri) == APP_URI:
            return [read_app()]
        if str(uri).startswith(SCHEME):
            return [self._skills.read_file(str(uri))]
        if is_output(str(uri)):
            return [await read_output(context or Context(mcp_server=self), str(uri))]
        endpoint_uri = EndpointUri.parse(str(uri))
        if endpoint_uri is None:
            return await super().read_resource(uri, context)
        text = await self._endpoint_resources.read(context or Context(mcp_server=self), endpoint_uri)
        return [ReadResourceContents(text, JSON)]

    async def list_prompts(self) -> list[Prompt]:
        return [*self._prompts.list_prompts(), *await super().list_prompts()]

    async def get_prompt(
        self, name: str, arguments: dict[str, Any] | None = None, context: Context[Application, Any] | None = None
    ) -> GetPromptResult | InputRequiredResult:
        if name in [prompt.name for prompt in await super().list_prompts()]:
            return await super().get_prompt(name, arguments, context)
        return await self._prompts.get_prompt(name, arguments or {}, context or Context(mcp_server=self))

    async def _list_resource_page(
        self, ctx: ServerRequestContext[Any, Any], params: PaginatedRequestParams
    ) -> ListResourcesResult:
        page = await self._endpoint_resources.list_page(ctx, params.cursor)
        if page.next_cursor is None:
            page.resources += [
                *await list_outputs(ctx, self._policy),
                *self._skills.list_files(),
                *await self.list_resources(),
            ]
        return page

    def _serve_subscriptions(self, bus: InMemorySubscriptionBus, options: ServerOptions) -> None:
        self._endpoint_subscriptions = subscriptions = Subscriptions(
            bus,
            self._endpoint_resources,
            self._common.subscriptions,
            options.max_subscriptions,
            options.poll_interval,
        )
        add_handler = self._lowlevel_server.add_request_handler
        add_handler("subscriptions/listen", SubscriptionsListenRequestParams, subscriptions.listen)
        add_handler("resources/subscribe", SubscribeRequestParams, subscriptions.subscribe)
        add_handler("resources/unsubscribe", UnsubscribeRequestParams, subscriptions.unsubscribe)

    async def _keep_limits(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware: a request has the operator's limits of its begin until it ends."""
        self.before_request()
        self._requests += 1
        try:
            with self._policy.kept():
                return await call_next(ctx)
        finally:
            self._requests -= 1

    async def _count_request(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware: count a request against its caller's limit. Raises `RateLimited`."""
        if ctx.request_id is None or ctx.method in NOT_COUNTED:
            return await call_next(ctx)
        async with self._concurrency.counted(caller_id(), waits=False):
            return await call_next(ctx)

    async def _render_failures(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Middleware: turn every error into a message of ours that reveals nothing internal."""
        try:
            return await call_next(ctx)
        except (MCPError, ValidationError):
            raise
        except InferenceEndpointError as error:
            raise rendering.to_protocol_error(error, self._redactor) from error
        except Exception as error:
            crashed = request_id()
            log.exception("%s crashed [%s]", ctx.method, crashed)
            raise MCPError(INTERNAL_ERROR, rendering.describe_crash(ctx.method, crashed)) from error
