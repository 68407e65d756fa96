# SPDX-License-Identifier: Apache-2.0
"""The same names and addresses in every server's own language."""

import hashlib
import os

CLUSTERS = ("c1", "c2")
ZONE = "clusterset.local"
CLUSTER_ZONE = "cluster.local"
ASSIGNED_ZONE = "pintle.internal"
NAMESPACE = "ns"
TTL_S = 5

ZONE_HEAD = """$TTL {ttl}
@ SOA ns1.{zone}. hostmaster.{zone}. 1 3600 600 86400 5
@ NS ns1.{zone}.
ns1 A 127.0.0.1
"""

SERVICE = """apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  type: ClusterIP
  clusterIP: {cluster_ip}
  clusterIPs: [{cluster_ip}]
  ports: [{{name: http, port: 8080, targetPort: 8080, protocol: TCP}}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-1
  namespace: {namespace}
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv4
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints:
{endpoints}"""

SLICE6 = """---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: {name}-2
  namespace: {namespace}
  labels: {{kubernetes.io/service-name: {name}}}
addressType: IPv6
ports: [{{name: http, port: 8080, protocol: TCP}}]
endpoints:
{endpoints}"""

ENDPOINT = "- {{addresses: [{address}], conditions: {{ready: true}}}}\n"

EXPORT = """---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {{name: {name}, namespace: {namespace}}}
"""

GATEWAY = """apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: {namespace}}}
spec:
  gatewayClassName: bench
  listeners: [{{name: http, port: 80, protocol: HTTP}}]
"""

ROUTE = """---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
  namespace: {namespace}
  annotations: {{pintle.dev/answers: single}}
spec:
  parentRefs: [{{name: edge}}]
  rules:
  - backendRefs:
    - {{name: {blue}, port: 8080, weight: 10}}
    - {{name: {green}, port: 8080, weight: 90}}
"""


def write(path, text):
    """Writes one file whole."""
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def zone_head(zone, ttl_s=TTL_S):
    """How a master file begins."""
    return ZONE_HEAD.format(ttl=ttl_s, zone=zone)


def address(net, number):
    """The number-th address of 10.<net>.0.0/16."""
    return f"10.{net}.{number >> 8 & 255}.{number & 255}"


def service_name(i):
    """Of one width, so that all queries and all answers of a row have one size."""
    return f"svc-{i:05d}"


def endpoints_of(cluster_i, i, n):
    """The n endpoint addresses that a Service has in one cluster."""
    return [address(1 + cluster_i, i * n + k) for k in range(n)]


def service_manifest(cluster_i, i, addresses):
    """One exported Service with its endpoints, as one multi-document file."""
    fill = {"name": service_name(i), "namespace": NAMESPACE}
    endpoints = "".join(ENDPOINT.format(address=a) for a in addresses)
    return (SERVICE.format(cluster_ip=address(96 + cluster_i, i + 1), endpoints=endpoints, **fill)
            + EXPORT.format(**fill))


class Services:
    """n exported Services in two clusters; `split` says how many endpoints each has in which."""

    config = ""

    def __init__(self, n, split=(2, 2)):
        self.n = n
        self.split = split
        self.names = [f"{service_name(i)}.{NAMESPACE}.svc.{ZONE}" for i in range(n)]

    def addresses(self, i):
        """All addresses of the i-th name."""
        return [a for c, n in enumerate(self.split) for a in endpoints_of(c, i, n)]

    def questions(self):
        """The generator's input."""
        return [f"{name} A 0 {sum(self.split)}" for name in self.names]

    def zones(self):
        """Master files, for the servers that read them."""
        lines = [zone_head(ZONE)]
        for i in range(self.n):
            owner = f"{service_name(i)}.{NAMESPACE}.svc"
            lines += [f"{owner} A {a}\n" for a in self.addresses(i)]
        return {ZONE: "".join(lines)}

    def manifest_path(self, root, cluster_i, i):
        """Where write_manifests puts one cluster's part of the i-th Service."""
        return os.path.join(root, CLUSTERS[cluster_i], service_name(i) + ".yaml")

    def write_manifests(self, root):
        """A directory for --clusters-dir with one file for each Service of a cluster."""
        for c, n in enumerate(self.split):
            os.makedirs(os.path.join(root, CLUSTERS[c]))
            for i in range(self.n):
                write(self.manifest_path(root, c, i),
                      service_manifest(c, i, endpoints_of(c, i, n)))


def assigned_name(route):
    """The assigned name of an HTTPRoute of c1 (docs: names of routes)."""
    key = f"default/{CLUSTERS[0]}/HTTPRoute/{NAMESPACE}/{route}"
    digest = hashlib.sha256(key.encode("ascii")).hexdigest()[:16]
    return f"{route[:20]}-{NAMESPACE[:18]}-{digest}.{ASSIGNED_ZONE}"


class Routes:
    """n HTTPRoutes that share 10 : 90 between two Services of one endpoint each."""

    config = ""

    def __init__(self, n):
        self.n = n
        self.names = [assigned_name(f"route-{i:05d}") for i in range(n)]

    def questions(self):
        """The generator's input."""
        return [f"{name} A 0 1" for name in self.names]

    @staticmethod
    def addresses(i):
        """(the address of weight 10, the address of weight 90)."""
        return address(1, i), address(2, i)

    def write_gdnsd(self, root):
        """gdnsd's zone and its plugin_weighted resources; returns the plugins stanza."""
        zone = [zone_head(ASSIGNED_ZONE)]
        resources = []
        for i in range(self.n):
            blue, green = self.addresses(i)
            zone.append(f"{self.names[i].split('.')[0]} DYNA weighted!r{i}\n")
            resources.append(f"  r{i} => {{ blue => [ {blue}, 10 ], green => [ {green}, 90 ] }}\n")
        write(os.path.join(root, "zones", ASSIGNED_ZONE), "".join(zone))
        return "plugins => { weighted => {\n  multi => false\n" + "".join(resources) + "} }\n"

    def write_manifests(self, root):
        """One cluster with the routes, their Services and the Gateway that they hang on."""
        directory = os.path.join(root, CLUSTERS[0])
        os.makedirs(directory)
        write(os.path.join(directory, "gateway.yaml"), GATEWAY.format(namespace=NAMESPACE))
        for i in range(self.n):
            text = []
            for k, colour in enumerate(("blue", "green")):
                text.append(SERVICE.format(
                    name=f"{colour}-{i:05d}", namespace=NAMESPACE,
                    cluster_ip=address(96 + k, i + 1),
                    endpoints=ENDPOINT.format(address=self.addresses(i)[k])))
            text.append(ROUTE.format(name=f"route-{i:05d}", namespace=NAMESPACE,
                                     blue=f"blue-{i:05d}", green=f"green-{i:05d}").lstrip("-\n"))
            write(os.path.join(directory, f"route-{i:05d}.yaml"), "---\n".join(text))


class PodMix(Services):
    """
    What pods ask: Services of two address families, by their whole names, by the names that a
    search path makes of those, and by their ports.
    """

    config = "defaultCluster: c1\nsteering: {address: endpoints}\n"
    SEARCH = ("default.svc.cluster.local", "svc.cluster.local", "cluster.local")

    @staticmethod
    def addresses6(cluster_i, i, n):
        """The n IPv6 endpoints that a Service has in one cluster."""
        return [f"fd00:{cluster_i + 1:x}::{i:x}:{k + 1:x}" for k in range(n)]

    def questions(self):
        """Ten questions about every name, in these shares: 3 A, 3 AAAA, 3 search path, 1 SRV."""
        lines, n = [], sum(self.split)
        for i, name in enumerate(self.names):
            search = [f"{name}.{self.SEARCH[(i + k) % 3]} {'A' if (i + k) % 2 else 'AAAA'} 3 0"
                      for k in range(3)]
            lines += 3 * [f"{name} A 0 {n}"] + 3 * [f"{name} AAAA 0 {n}"] + search
            lines.append(f"_http._tcp.{name} SRV 0 1")
        return lines

    def zones(self):
        """The same RRsets for servers that read master files."""
        lines = [zone_head(ZONE)]
        for i in range(self.n):
            owner = f"{service_name(i)}.{NAMESPACE}.svc"
            lines += [f"{owner} A {a}\n" for a in self.addresses(i)]
            lines += [f"{owner} AAAA {a}\n" for c, n in enumerate(self.split)
                      for a in self.addresses6(c, i, n)]
            lines.append(f"_http._tcp.{owner} SRV 0 100 8080 {owner}\n")
        return {ZONE: "".join(lines),
                CLUSTER_ZONE: zone_head(CLUSTER_ZONE) + "default.svc A 127.0.0.2\n"}

    def write_manifests(self, root):
        """The Services with a second EndpointSlice each."""
        for c, n in enumerate(self.split):
            os.makedirs(os.path.join(root, CLUSTERS[c]))
            for i in range(self.n):
                slice6 = SLICE6.format(
                    name=service_name(i), namespace=NAMESPACE, endpoints="".join(
                        ENDPOINT.format(address=a) for a in self.addresses6(c, i, n)))
                write(self.manifest_path(root, c, i),
                      service_manifest(c, i, endpoints_of(c, i, n)) + slice6)


class Cached:
    """n names of a zone that only the upstream has."""

    ZONE = "cached.test"
    TTL_S = 86400
    config = ""
    split = (4,)

    def __init__(self, n):
        self.n = n
        self.names = [f"{service_name(i)}.{NAMESPACE}.{self.ZONE}" for i in range(n)]

    def addresses(self, i):
        """All addresses of the i-th name."""
        return endpoints_of(0, i, self.split[0])

    def questions(self):
        """The generator's input."""
        return [f"{name} A 0 {self.split[0]}" for name in self.names]

    def zones(self):
        """The upstream's master file."""
        lines = [zone_head(self.ZONE, self.TTL_S)]
        for i in range(self.n):
            lines += [f"{service_name(i)}.{NAMESPACE} A {a}\n" for a in self.addresses(i)]
        return {self.ZONE: "".join(lines)}

    @staticmethod
    def write_manifests(root):
        """One cluster with nothing in it: all names are forwarded."""
        os.makedirs(os.path.join(root, CLUSTERS[0]))
