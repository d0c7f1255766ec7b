"""A server with the OpenAI interface over the real engine, in a process of its own, with defects that are switched on.

`python engine_server.py FOLDER` prints its port. `POST /control` with `{"defects": {name: value}}` sets what is
wrong and forgets what was asked; `GET /control` tells the bodies, paths and keys of all that was asked since.
"""

import json
import math
import os
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread

from pytest_llmval.errors import RequestRefused
from pytest_llmval.servers.engine import TransformersEngine, encoding
from pytest_llmval.servers.engine.encoding import encode_prompt
from pytest_llmval.servers.exchange import Decoding, Message, Request
from pytest_llmval.settings import ModelSettings

ENGINE = TransformersEngine(ModelSettings(name="served", model=sys.argv[-1]), batch_size=8)
RENDER, REFUSE_DOUBLE_BOS = encoding.render, encoding.refuse_double_bos
COMPUTING, COUNTING = Lock(), Lock()
STATE = {"defects": {}, "asked": [], "running": 0, "most": 0}
ENDED = Event()
LN10 = math.log(10)
KNOWN = {
    "model", "prompt", "messages", "max_tokens", "temperature", "top_p", "top_k", "stop", "seed", "n", "logprobs",
    "top_logprobs", "echo", "stream", "stream_options", "return_token_ids", "response_format",
}  # fmt: skip


class Refusal(Exception):  # noqa: N818 - says what happened
    """An answer with a status other than 200."""

    def __init__(self, status, message, headers=(), body=None):
        super().__init__(message)
        self.status, self.headers = status, dict(headers)
        self.body = json.dumps({"error": {"message": message}}) if body is None else body


def defect(name, default=None):
    """The value of a defect."""
    return STATE["defects"].get(name, default)


def spend(name):
    """Whether a defect that happens so many times is to happen now."""
    with COUNTING:
        left = STATE["defects"].get(name, 0)
        STATE["defects"][name] = left - 1
        return left > 0


@contextmanager
def counted():
    """Within it, a request is company to others: not any more once its answer is sent, when the next may come."""
    with COUNTING:
        STATE["running"] += 1
        STATE["most"] = max(STATE["most"], STATE["running"])
    try:
        yield
    finally:
        with COUNTING:
            STATE["running"] -= 1


def text_of(ids):
    """The text of token ids, special ones included."""
    return ENGINE.tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)


def render(tokenizer, prompt):
    """As the engine, or with the tokenizer's special tokens before those of the template."""
    text, special = RENDER(tokenizer, prompt)
    return text, special or bool(defect("BOS twice"))


def refuse_double_bos(tokenizer, ids, text):
    """As the engine, or not at all."""
    if not defect("BOS twice"):
        REFUSE_DOUBLE_BOS(tokenizer, ids, text)


def templated(messages):
    """A conversation whose only message is a whole conversation."""
    return (Message("user", RENDER(ENGINE.tokenizer, messages)[0]),)


def generate(body, prompt):
    """The engine's answers, `n` of them."""
    stop = body.get("stop") or ()
    logprobs = body.get("top_logprobs", 0) if body.get("logprobs") is True else body.get("logprobs")
    decoding = Decoding(
        max_tokens=body.get("max_tokens", 16),
        temperature=0.0 if defect("stays greedy") else body.get("temperature", 1.0),
        top_p=body.get("top_p", 1.0),
        top_k=0 if defect("ignores top k") else body.get("top_k", 0),
        stop=() if defect("ignores stop") else tuple([stop] if isinstance(stop, str) else stop),
        logprobs=0 if logprobs in (None, False) else logprobs,
    )
    seed = time.monotonic_ns() if defect("ignores seed") else body.get("seed", 0)
    seed = 0 if defect("one seed") else seed
    with COMPUTING:
        ENGINE.network.context_length = None if defect("no length check") else CONTEXT
        found = ENGINE.answer([Request(prompt, (), decoding, seed + at) for at in range(body.get("n", 1))])
    for response in found:
        if response.error:
            raise Refusal(400, response.error)
    return [changed(each, decoding) for each in found]


def changed(response, decoding):
    """An answer with what is wrong about it."""
    if defect("base 10") and response.logprobs:
        logprobs = [
            replace(each, logprob=each.logprob / LN10, top=tuple((token, value / LN10) for token, value in each.top))
            for each in response.logprobs
        ]
        response = replace(response, logprobs=tuple(logprobs))
    if defect("keeps stop") and decoding.stop and response.finish_reason == "stop":
        response = replace(response, text=response.text + decoding.stop[0])
    if defect("company tells") and STATE["running"] > 1:
        response = replace(response, text=response.text.swapcase())
    return response


def completion_logprobs(ids, logprobs, tops):
    """Logprobs as `completions` has them; like vLLM, BOS counts in the offsets."""
    tokens, offsets = [text_of([each]) for each in ids], [0]
    for token in tokens[:-1]:
        offsets.append(offsets[-1] + len(token))
    first = offsets[1] if defect("offsets without BOS") and len(offsets) > 1 and ids[0] == 0 else 0
    return {
        "tokens": tokens,
        "token_logprobs": logprobs,
        "top_logprobs": tops,
        "text_offset": None if defect("no offsets") else [max(0, each - first) for each in offsets],
    }


def echoed(body, prompt):
    """The prompt with its own logprobs, and what is generated after it."""
    import torch

    with COMPUTING, torch.inference_mode():
        ids = encode_prompt(ENGINE.tokenizer, prompt)
        rows = torch.tensor(ENGINE.logits(prompt)).log_softmax(-1)
    # The defect is llama.cpp's: what the model says after a token is taken for what it says of the token.
    shift = 0 if defect("echo shifted") else 1
    unit = LN10 if defect("base 10") else 1
    values = [None] + [float(rows[at - shift, ids[at]]) / unit for at in range(1, len(ids))]
    tops = [None] + [top_of(rows[at - shift], ids[at]) for at in range(1, len(ids))]
    if not body["max_tokens"] and defect("zero is no limit"):
        body = body | {"max_tokens": 7}
    if body["max_tokens"]:
        (more,) = generate(body, prompt)
        ids = [*ids, *more.token_ids]
        values += [each.logprob for each in more.logprobs]
        tops += [{each.token: each.logprob} for each in more.logprobs]
        prompt += more.text
        if defect("last token without logprob"):
            ids, values, tops = ids[:-1], values[:-1], tops[:-1]
    logprobs = completion_logprobs(ids, values, tops)
    choice = {"index": 0, "text": prompt, "finish_reason": "length", "logprobs": logprobs}
    return [choice], usage(len(rows), body["max_tokens"])


def top_of(row, chosen):
    """The most probable token and the one that stands there."""
    best = int(row.argmax())
    return {text_of([each]): float(row[each]) for each in (best, chosen)}


def usage(tokens_in, tokens_out):
    """Counted tokens."""
    tokens_in, tokens_out = tokens_in + defect("more in", 0), tokens_out + defect("more out", 0)
    return {"prompt_tokens": tokens_in, "completion_tokens": tokens_out, "total_tokens": tokens_in + tokens_out}


def chat_logprobs(response):
    """Logprobs as `chat/completions` has them."""
    entries = [
        {
            "token": each.token,
            "logprob": each.logprob,
            "top_logprobs": [{"token": text_of([token]), "logprob": value} for token, value in each.top],
        }
        for each in response.logprobs
    ]
    return {"content": entries}


def reason_of(response):
    """As the interface calls it; a text of a schema is a choice of the engine's."""
    return "stop" if response.finish_reason == "choice" else response.finish_reason


def choice_of(response, index, body, *, chat):
    """One answer in the shape of either interface."""
    choice = {"index": index, "finish_reason": defect("finish reason", reason_of(response)), "logprobs": None}
    choice |= {"message": {"role": "assistant", "content": response.text}} if chat else {"text": response.text}
    wanted = body.get("logprobs") is not None and body.get("logprobs") is not False
    if wanted and not defect("ignores logprobs"):
        tops = [{text_of([token]): value for token, value in each.top} for each in response.logprobs]
        values = [each.logprob for each in response.logprobs]
        choice["logprobs"] = (
            chat_logprobs(response) if chat else completion_logprobs(list(response.token_ids), values, tops)
        )
    if body.get("return_token_ids") and not defect("ignores token ids"):
        choice["token_ids"] = list(response.token_ids)
    return choice


def obey(schema, prompt):
    """The more probable of the two objects with one boolean field, which is all that is known of schemas."""
    (name,) = schema["properties"]
    both = tuple(json.dumps({name: value}) for value in (True, False))
    text = prompt if isinstance(prompt, str) else "\n".join(message.content for message in prompt)
    with COMPUTING:
        (found,) = ENGINE.answer([Request(text, both)])
    return [found]


def answer(path, body):
    """The body of the answer to a sound request."""
    chat = path.endswith("/chat/completions")
    for name in (set(body) - KNOWN) | (set(body) & set(defect("refuses", ()))):
        raise Refusal(400, f"unknown parameter {name}")
    if defect("chokes on", "\0") in json.dumps(body):
        raise Refusal(500, "out of memory")
    if body["model"] != "tiny":
        raise Refusal(404, f"the model {body['model']} does not exist")
    prompt = tuple(Message(**each) for each in body["messages"]) if chat else body["prompt"]
    if chat and defect("template twice"):
        prompt = templated(prompt)
    if body.get("echo") and not defect("ignores echo"):
        if body["max_tokens"] < defect("least tokens", 0):
            raise Refusal(400, "max_tokens must be at least 1")
        choices, counted = echoed(body, prompt)
    else:
        wanted = body.get("response_format") and not defect("ignores schema")
        schema = wanted and body["response_format"]["json_schema"]["schema"]
        body["max_tokens"] = body.get("max_tokens") or 1  # 0 where an echo was asked and is ignored
        found = obey(schema, prompt) if schema else generate(body, prompt)
        choices = [choice_of(each, at, body, chat=chat) for at, each in enumerate(found)]
        counted = usage(found[0].usage.prompt_tokens, sum(each.usage.completion_tokens for each in found))
    whole = {"id": "1", "object": "chat.completion" if chat else "text_completion", "choices": choices}
    return whole if defect("no usage") else whole | {"usage": counted}


def pieces_of(whole):
    """The answer in pieces, a few characters or one token's logprobs each, the usage last."""
    choice = whole["choices"][0]
    chat = "message" in choice
    text = choice["message"]["content"] if chat else choice["text"]
    parts = [text[at : at + 5] for at in range(0, len(text), 5)]
    if defect("strips pieces"):
        parts = [part.strip() for part in parts]
    if chat:
        yield {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    for at, part in enumerate(parts):
        last = at == len(parts) - 1
        piece = {"index": 0, "finish_reason": None, "logprobs": part_of(choice["logprobs"], at, last=last)}
        yield {"choices": [piece | ({"delta": {"content": part}} if chat else {"text": part})]}
    end = {"index": 0, "finish_reason": choice["finish_reason"], "token_ids": choice.get("token_ids")}
    yield {"choices": [end | ({"delta": {}} if chat else {"text": ""})]}
    yield {"choices": [], "usage": whole.get("usage")}


def part_of(logprobs, at, *, last):
    """The logprobs that go with one piece: one token each, the rest with the last."""
    end = None if last else at + 1
    return logprobs and {name: values[at:end] for name, values in logprobs.items() if values is not None}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        """The models, or what was asked so far."""
        if self.path == "/v1/models":
            return self.reply(200, json.dumps({"data": [{"id": name} for name in defect("models", ["tiny"])]}))
        return self.reply(200, json.dumps({"asked": STATE["asked"], "most": STATE["most"]}))

    def do_POST(self):
        """A request, or the control of the defects."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            STATE.update(defects=body["defects"], asked=[], most=0)
            return self.reply(200, "{}")
        STATE["asked"].append({"path": self.path, "body": body, "key": self.headers.get("Authorization")})
        self.fail_to_answer(body)
        try:
            self.answer(body)
        except Refusal as refusal:
            self.reply(refusal.status, refusal.body, refusal.headers)
        except RequestRefused as refusal:
            self.reply(400, Refusal(400, str(refusal)).body)

    def fail_to_answer(self, body):
        """Hold the connection, which is then no company to what is asked later."""
        if defect("never answers") or (defect("never answers to", "\0") in json.dumps(body)):
            ENDED.wait()

    def answer(self, body):
        """Answer with what is wrong now."""
        with counted():
            self.fail_first()
            if not self.path.startswith("/v1/") or self.path.split("/v1/")[1] in defect("no path", ()):
                raise Refusal(404, "Not Found")
            whole = answer(self.path, body)
            time.sleep(defect("slow", 0))
        if body.get("stream"):
            self.stream(whole)
        elif spend("hang ups"):
            self.hang_up(json.dumps(whole))
        else:
            self.reply(200, json.dumps(whole))

    def fail_first(self):
        """The faults that happen before anything is computed."""
        if spend("throttled"):
            raise Refusal(429, "slow down", {"Retry-After": str(defect("retry after", 0))})
        if spend("failing"):
            raise Refusal(defect("status", 500), "the engine is on fire")
        if defect("breaks over") in STATE["asked"][-1]["body"]:
            raise Refusal(500, "the engine fell over it")
        if spend("garbage"):
            raise Refusal(200, "", body=defect("text", "<html>it works</html>"))
        if defect("key") and self.headers.get("Authorization") != f"Bearer {defect('key')}":
            raise Refusal(401, f"Incorrect key: {self.headers.get('Authorization')}")

    def hang_up(self, text):
        """Half of the answer, and the connection ends."""
        self.head(200, {"Content-Type": "application/json", "Content-Length": str(len(text.encode()))})
        self.wfile.write(text.encode()[: len(text) // 2])
        self.close_connection = True

    def stream(self, whole):
        """Server-sent events."""
        self.head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})
        broken = spend("hang ups")
        time.sleep(defect("first token", 0))
        for at, piece in enumerate(pieces_of(whole)):
            if broken and at == 2:
                if not defect("politely"):
                    self.close_connection = True
                    return
                break
            self.chunk(f"data: {json.dumps(piece)}\n\n")
            time.sleep(defect("next token", 0))
        if not broken and not defect("no last event"):
            self.chunk("data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def chunk(self, text):
        """One chunk of the body."""
        data = text.encode()
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def head(self, status, headers):
        """Status line and headers."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reply(self, status, text, headers=None):
        """A whole answer."""
        data = text.encode()
        self.head(status, (headers or {}) | {"Content-Type": "application/json", "Content-Length": str(len(data))})
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing is printed."""


def end_with_parent():
    """The parent holds the other end of the pipe as long as it lives."""
    sys.stdin.read()
    os._exit(0)


class Server(ThreadingHTTPServer):
    """Many connections at a time."""

    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    Thread(target=end_with_parent, daemon=True).start()
    encoding.render, encoding.refuse_double_bos = render, refuse_double_bos
    CONTEXT = ENGINE.network.context_length
    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_port, flush=True)  # noqa: T201 - the parent reads it
        server.serve_forever()
