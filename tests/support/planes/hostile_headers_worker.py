"""A worker that answers with a page, and with every header by which a page gets power over an address."""

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from inference_endpoints_local.workers.worker_server import WorkerConfig, serve

HEADERS = {
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Allow-Origin": "*",
    "Alt-Svc": 'h2="evil.example:443"',
    "Clear-Site-Data": '"*"',
    "Content-Security-Policy": "default-src *",
    "Link": "<https://evil.example/>; rel=preload",
    "Location": "https://evil.example/",
    "Refresh": "0; url=https://evil.example/",
    "Service-Worker-Allowed": "/",
    "Set-Cookie": "session=evil; Path=/",
    "SourceMap": "https://evil.example/",
    "Strict-Transport-Security": "max-age=31536000",
    "WWW-Authenticate": "Basic realm=evil",
    "X-Content-Type-Options": "off",
    "X-Engine-Time": "7",
}


async def page(_: Request) -> Response:
    response = HTMLResponse("<script>alert(1)</script>", headers=HEADERS)
    response.headers["Content-Type"] = "text/html"
    return response


def load(_: WorkerConfig) -> list[Route]:
    return [Route("/", page, methods=["POST"])]


if __name__ == "__main__":
    serve(load)
