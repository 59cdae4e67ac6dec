"""Download a file that the program names itself, with nothing of its own: no token and no cookie.

What others name, such as the arguments of a tool, goes through `file_fetcher` instead.
"""

from inference_endpoints.errors import BadRequest, Unavailable
from inference_endpoints.transport.http import httpx, read_up_to

CONNECT_TIMEOUT_S = 10.0


async def download(url: str, max_bytes: int) -> bytes:
    """The content at a URL, behind redirects too. The caller limits the time.

    Raises `BadRequest` for an invalid URL and for a larger file, `Unavailable` if it cannot be read.
    """
    try:
        async with (
            httpx.AsyncClient(follow_redirects=True, timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S)) as client,
            client.stream("GET", url) as response,
        ):
            if not response.is_success:
                raise Unavailable(f"The file cannot be fetched: its host answered {response.status_code}.")
            announced = response.headers.get("content-length", "")
            if announced.isdecimal() and (len(announced) > 18 or int(announced) > max_bytes):
                raise _too_large(max_bytes)
            content = await read_up_to(response, max_bytes + 1)
    except httpx.InvalidURL as error:
        raise BadRequest("The file's URL is not valid. Nothing was sent to the endpoint.") from error
    except httpx.RequestError as error:
        raise Unavailable("The file cannot be fetched: its host cannot be reached.", hint="Try again.") from error
    if len(content) > max_bytes:
        raise _too_large(max_bytes)
    return content


def _too_large(max_bytes: int) -> BadRequest:
    return BadRequest(f"The file is larger than {max_bytes // 1024 // 1024} MiB.", hint="Use a smaller one.")
