"""Send a request and read the whole response. A batch that is too large for the engine is sent in parts."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from inference_endpoints.errors import BadRequest
from inference_endpoints.inference.calls.batches import join_answers, split_request
from inference_endpoints.inference.calls.cold_start import CallDeadline
from inference_endpoints.inference.calls.engine_caller import BuildRequest, EngineCaller, EngineTarget
from inference_endpoints.inference.calls.responses import InferenceResponse, read_response
from inference_endpoints.inference.tasks.engine_request import EngineRequest
from inference_endpoints.models import Endpoint


class WholeCalls:
    """Calls of one endpoint with one deadline."""

    def __init__(self, engines: EngineCaller, target: EngineTarget, deadline: CallDeadline) -> None:
        self._engines = engines
        self._target = target
        self._deadline = deadline

    async def send(
        self, build_request: BuildRequest, headers: Mapping[str, str], method: str = "POST"
    ) -> InferenceResponse:
        """The response; to a batch that was sent in parts, the joined one. The limit of the engine is learned where it
        is not known."""
        facts, endpoint = self._target.facts, self._target.endpoint
        while True:
            limit = facts.max_batch(endpoint)
            try:
                return await self._send_parts(build_request, limit, headers, method)
            except BadRequest as error:
                if error.status != 413 or not facts.learn_max_batch(error.upstream, endpoint):
                    raise

    async def _send_parts(
        self, build_request: BuildRequest, limit: int | None, headers: Mapping[str, str], method: str
    ) -> InferenceResponse:
        target = self._target

        @cache  # a large batch is split once, not once for each part
        def split(model: str) -> list[EngineRequest]:
            return split_request(build_request(target.endpoint, model), limit)

        model = target.facts.model(target.endpoint)
        responses: list[InferenceResponse] = []
        for index in range(len(split(model))):

            def build_part(_: Endpoint, model: str, index: int = index) -> EngineRequest:
                return split(model)[index]

            if responses and responses[-1].woke:
                name, namespace = self._target.endpoint.name, self._target.namespace
                self._target = await self._engines.find(name, namespace, self._deadline)
            async with self._engines.open(self._target, build_part, self._deadline, method, headers) as opened:
                responses.append(await read_response(opened, self._deadline))
        if len(responses) == 1:
            return responses[0]
        content = join_answers(split(model)[0], [response.content for response in responses])
        woke = any(response.woke for response in responses)
        return replace(responses[0], content=content, seconds=self._deadline.elapsed, woke=woke)
