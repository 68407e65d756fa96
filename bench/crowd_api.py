#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Many API servers that have lists, and watches that tell what they are told to: what a start at 50 clusters needs.

crowd_api.py CLUSTERS SERVICES ENDPOINTS prints a kubeconfig as one line of JSON, contexts k0 and on, and serves until its
standard input ends. Each has its own Services in namespace "ns", headless and exported, with so many endpoints each.

Lines of its standard input, each answered by one:
    count                  how many requests there were, watches and signs of life included
    change C I ADDRESS     the I-th Service of cluster C has that one endpoint from now on; the monotonic time, ns
"""

import asyncio
import json
import sys
import time

SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
LISTS = {"/api/v1/services": "ServiceList", "/api/v1/namespaces": "NamespaceList",
         "/api/v1/nodes": "NodeList", SLICES: "EndpointSliceList",
         "/apis/multicluster.x-k8s.io/v1alpha1/serviceexports": "ServiceExportList"}
PORT = {"name": "http", "port": 8080, "protocol": "TCP"}


def name_of(cluster_i, i):
    """A Service's name."""
    return f"s-{cluster_i}-{i}"


def address_of(cluster_i, number):
    """The number-th endpoint of a cluster."""
    return f"10.{cluster_i}.{number >> 8 & 255}.{number & 255}"


def item(cluster_i, i, **rest):
    """One object."""
    return {"metadata": {"name": name_of(cluster_i, i), "namespace": "ns", "resourceVersion": "7",
                         "uid": f"31ef2190-e07a-4d17-9899-{cluster_i:04d}{i:08d}",
                         **rest.pop("metadata", {})}, **rest}


def items_of(kind, cluster_i, n, n_each):
    """The list of that kind."""
    if kind == "ServiceList":
        return [item(cluster_i, i, spec={"clusterIP": "None", "ports": [
            {**PORT, "targetPort": 8080}]}) for i in range(n)]
    if kind == "ServiceExportList":
        return [item(cluster_i, i) for i in range(n)]
    if kind == "EndpointSliceList":
        return [endpoint_slice(cluster_i, i, [address_of(cluster_i, i * n_each + k) for k in range(n_each)])
                for i in range(n)]
    return []


def endpoint_slice(cluster_i, i, addresses, version="7"):
    """The one slice of a Service."""
    return item(cluster_i, i, addressType="IPv4", ports=[PORT],
                metadata={"labels": {"kubernetes.io/service-name": name_of(cluster_i, i)}, "resourceVersion": version},
                endpoints=[{"addresses": [a], "conditions": {"ready": True}} for a in addresses])


def list_text(kind, cluster_i, n, n_each):
    """The whole list as an API server writes it."""
    return json.dumps({"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": "7"},
                       "items": items_of(kind, cluster_i, n, n_each)},
                      separators=(",", ":")).encode("ascii")


def reply(status, body):
    """One whole answer."""
    return (f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode("ascii") + body


class Cluster:
    """One API server: its lists, who watches its slices, how often it was asked."""

    def __init__(self, cluster_i, n, n_each):
        self.i = cluster_i
        self.lists = {path: list_text(kind, cluster_i, n, n_each) for path, kind in LISTS.items()}
        self.watchers = set()
        self.n_requests = 0
        self.version = 7

    async def serve(self, reader, writer):
        """One connection."""
        try:
            while line := await reader.readline():
                while (await reader.readline()).strip():
                    pass
                self.n_requests += 1
                self.answer(writer, *line.split()[1].decode("ascii").partition("?")[::2])
                await writer.drain()
        except (ConnectionError, IndexError):
            pass
        finally:
            self.watchers.discard(writer)
            writer.close()

    def answer(self, writer, path, query):
        """One request."""
        if "sendInitialEvents" in query:
            writer.write(reply("400 Bad Request", b"{}"))
        elif path in self.lists and "watch=" in query:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                         b"Transfer-Encoding: chunked\r\n\r\n")
            if path == SLICES:
                self.watchers.add(writer)
        elif path in self.lists:
            writer.write(reply("200 OK", self.lists[path]))
        elif path in ("/livez", "/version"):
            writer.write(reply("200 OK", b"{}"))
        else:
            writer.write(reply("404 Not Found", b"{}"))

    def change(self, i, address):
        """Tells all watchers; the moment before."""
        self.version += 1
        event = json.dumps({"type": "MODIFIED", "object": endpoint_slice(
            self.i, i, [address], str(self.version))}, separators=(",", ":")).encode("ascii") + b"\n"
        now_ns = time.monotonic_ns()
        for writer in self.watchers:
            writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        return now_ns


async def obey(clusters):
    """Commands, until there are no more."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        words = line.decode("ascii").split()
        if words[0] == "count":
            print(sum(cluster.n_requests for cluster in clusters), flush=True)
        else:
            print(clusters[int(words[1])].change(int(words[2]), words[3]), flush=True)


async def main():
    """Listens, tells where, and obeys."""
    n_clusters, n, n_each = map(int, sys.argv[1:])
    clusters, contexts, servers = [], [], []
    for c in range(n_clusters):
        servers.append(Cluster(c, n, n_each))
        server = await asyncio.start_server(servers[-1].serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        clusters.append({"name": f"k{c}", "cluster": {"server": f"http://127.0.0.1:{port}"}})
        contexts.append({"name": f"k{c}", "context": {"cluster": f"k{c}", "user": "bench"}})
    print(json.dumps({"apiVersion": "v1", "kind": "Config", "clusters": clusters,
                      "contexts": contexts, "users": [{"name": "bench", "user": {}}]}), flush=True)
    await obey(servers)


if __name__ == "__main__":
    asyncio.run(main())
