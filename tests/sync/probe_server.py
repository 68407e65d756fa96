# SPDX-License-Identifier: Apache-2.0
"""What probes may meet: prints the ports of an HTTP, an HTTPS, a silent and a closed door, then obeys.

Paths: /NNN answers that status, /flag 200 or 503 as told on stdin ("up", "down"), /host 200 for the
Host "shop.example" alone, /silent nothing, /slow 200 after 7 s, /endless 200 and a body without end. Ends with its stdin.
"""

import http.server
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

flag = {"up": True}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def status(self):
        if self.path == "/flag":
            return 200 if flag["up"] else 503
        if self.path == "/host":
            return 200 if self.headers["Host"] == "shop.example" else 404
        return int(self.path[1:]) if self.path[1:].isdigit() else 200

    def do_GET(self):
        if self.path in ("/silent", "/slow"):
            time.sleep(60 if self.path == "/silent" else 7)
        self.send_response(self.status())
        if self.path != "/endless":
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.end_headers()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            self.close_connection = True


def certificate():
    folder = tempfile.mkdtemp(prefix="pintle-probe-")
    names = [os.path.join(folder, name) for name in ("key", "crt")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-days", "2", "-subj", "/CN=pod", "-keyout", names[0], "-out", names[1]],
        check=True, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(names[1], names[0])
    for name in names:
        os.unlink(name)
    os.rmdir(folder)
    return context


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass  # probes hang up when they know enough


def serve(wrap):
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = wrap(server.socket)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def main():
    context = certificate()
    plain = serve(lambda sock: sock)
    tls = serve(lambda sock: context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False))
    silent = socket.create_server(("127.0.0.1", 0))  # the kernel accepts, nobody speaks
    closed = socket.socket()
    closed.bind(("127.0.0.1", 0))  # never listens: refused
    print(plain, tls, silent.getsockname()[1], closed.getsockname()[1], flush=True)
    for line in sys.stdin:
        flag["up"] = line.strip() == "up"
        print("ok", flush=True)


main()
