"""A server with the OpenAI interface that answers at once, so that nothing but the client takes time.

`uvicorn` runs `app`, which gives every completion the same sixteen tokens.
"""

import json

TEXT = " the same sixteen tokens over and over again, whatever was asked of this server"
ANSWER = json.dumps(
    {
        "id": "1",
        "object": "text_completion",
        "choices": [{"index": 0, "text": TEXT, "finish_reason": "length", "logprobs": None}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 16, "total_tokens": 28},
    }
).encode()
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]


async def app(scope, receive, send):
    """Answer a request of any kind."""
    if scope["type"] != "http":
        return
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})
