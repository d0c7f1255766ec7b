"""A server with the OpenAI interface that fails as it is told, in a process of its own.

`python faulty_server.py --port PORT FAULT [TIMES]` has a fault so many times, over all its processes: what reaches it
is written to `asked.jsonl` in the working directory, one line a request with the process that got it.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock

PORT, FAULT, TIMES = int(sys.argv[2]), sys.argv[3], int((sys.argv[4:] or ["0"])[0])
ASKED, STARTED = Path("asked.jsonl"), Path("started.txt")
PAUSES = {"nothing": 60, "slow": 1.5, "busy": 0.2}
"""Seconds that an answer is kept back."""
COUNTING = Lock()
RUNNING = []
"""One entry for each request under way."""


def count(path, line):
    """Add a line to a file; how many were there before."""
    with COUNTING, path.open("a+", encoding="utf-8") as stream:
        stream.seek(0)
        before = len(stream.readlines())
        stream.write(line + "\n")
    return before


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        """Whether it is well."""
        self.reply(503 if FAULT == "never healthy" else 200, "{}")

    def do_POST(self):
        """A request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        RUNNING.append(body["prompt"])
        try:
            self.answer(body)
        finally:
            RUNNING.pop()

    def answer(self, body):
        """An answer, or the fault."""
        facts = {
            "prompt": body["prompt"],
            "pid": os.getpid(),
            "running": len(RUNNING),
            "key": self.headers["Authorization"],
        }
        before = count(ASKED, json.dumps(facts))
        fault = FAULT if before < TIMES else ""
        print(f"asked {body['prompt']!r}, {fault or 'answered'}", flush=True)  # noqa: T201 - its log
        if fault == "crash":
            os._exit(13)
        if fault == "throttled":
            return self.reply(429, '{"error": {"message": "slow down"}}', {"Retry-After": "1"})
        if fault == "failing":
            return self.reply(500, '{"error": {"message": "on fire"}}')
        if fault == "garbage":
            return self.reply(200, "<html>it works</html>")
        if fault in PAUSES:
            time.sleep(PAUSES[fault])
        text = f"it is {body['prompt'].split()[-1]}"
        if body.get("stream"):
            return self.stream(text, breaks=fault == "hang up")
        choice = {"index": 0, "text": text, "finish_reason": "stop"}
        usage = {"prompt_tokens": 3, "completion_tokens": 3}
        return self.reply(200, json.dumps({"choices": [choice], "usage": usage}))

    def stream(self, text, *, breaks):
        """Server-sent events, the last of them missing when it breaks."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for part, reason in ((text[:2], None), (text[2:], "stop")):
            piece = {"choices": [{"index": 0, "text": part, "finish_reason": reason}]}
            self.wfile.write(f"data: {json.dumps(piece)}\n\n".encode())
            if breaks:
                return
        self.wfile.write(b"data: [DONE]\n\n")

    def reply(self, status, text, headers=None):
        """An answer in one piece."""
        data = text.encode()
        self.send_response(status)
        for name, value in ((headers or {}) | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Nothing but what is asked is printed."""


class Server(ThreadingHTTPServer):
    """Many connections at a time."""

    daemon_threads = True

    def handle_error(self, *_):
        """Clients that hang up are no news."""


if __name__ == "__main__":
    starts = count(STARTED, str(os.getpid()))
    print(f"start {starts + 1}", flush=True)  # noqa: T201 - its log
    if FAULT == "ends":
        sys.exit("there is no such device")
    Server(("127.0.0.1", PORT), Handler).serve_forever()
