"""A server with the OpenAI interface that takes the time it is told, in a process of its own.

`python delayed_server.py` prints its port. `POST /control` sets `delay`, the seconds that a request takes; `slow`,
those of every eighth question; and `refused`, the questions that are refused. A streamed answer has its first text
after half of the time.
"""

import json
import re
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STATE = {}
USAGE = {"prompt_tokens": 5, "completion_tokens": 10, "total_tokens": 15}


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        """A request, or the control."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/control":
            STATE.clear()
            STATE.update(body)
            return self.reply(200, {})
        number = int(re.search("[0-9]+", body["prompt"])[0])
        if number in STATE.get("refused", ()):
            return self.reply(400, {"error": {"message": "not this one"}})
        # Up to a tenth more, by the question alone.
        seconds = (STATE["slow"] if number % 8 == 0 else STATE["delay"]) * (1 + number % 10 / 100)
        if body.get("stream"):
            return self.stream(f"it is {number}", seconds)
        time.sleep(seconds)
        choice = {"index": 0, "text": f"it is {number}", "finish_reason": "stop"}
        return self.reply(200, {"choices": [choice], "usage": USAGE})

    def reply(self, status, body):
        """An answer in one piece."""
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def stream(self, text, seconds):
        """Server-sent events: the first text, the rest, the usage."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for part, reason in ((text[:2], None), (text[2:], "stop")):
            time.sleep(seconds / 2)
            self.event(json.dumps({"choices": [{"index": 0, "text": part, "finish_reason": reason}]}))
        self.event(json.dumps({"choices": [], "usage": USAGE}))
        self.event("[DONE]")
        self.close_connection = True

    def event(self, data):
        """One of them."""
        self.wfile.write(f"data: {data}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        """Stay quiet."""


class Server(ThreadingHTTPServer):
    """Takes as many connections at once as come: one that the queue drops is tried again a second later."""

    request_queue_size = 128
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)  # noqa: T201 - whom it was started by reads it
server.serve_forever()
