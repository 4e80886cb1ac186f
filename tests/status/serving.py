"""A folder's web server, as readers of the site would have.  The rule: loopback, a free port."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from seawall.status.targets import content_type


class Site:
    """Files by path, which may be changed while they are served."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = files
        self.url = ""
        self.asked: list[str] = []


@contextmanager
def served(files: Mapping[str, bytes]) -> Iterator[Site]:
    site = Site(files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0].lstrip("/")
            site.asked.append(path)
            found = site.files.get(path)
            self.send_response(404 if found is None else 200)
            self.send_header("content-type", content_type(path))
            self.send_header("content-length", str(len(found or b"")))
            self.end_headers()
            self.wfile.write(found or b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    site.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
