# SPDX-License-Identifier: Apache-2.0
"""The same names and addresses in every server's own language."""

import hashlib
import os

CLUSTERS = ("c1", "c2")
ZONE = "clusterset.local"
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

    def __init__(self, n, split=(2, 2)):
        self.n = n
        self.split = split
        self.names = [f"{service_name(i)}.{NAMESPACE}.svc.{ZONE}" for i in range(n)]

    def addresses(self, i):
        """All addresses of the i-th name."""
        return [a for c, n in enumerate(self.split) for a in endpoints_of(c, i, n)]

    def write_zone(self, path):
        """A master file, for the servers that read one."""
        lines = [ZONE_HEAD.format(ttl=TTL_S, zone=ZONE)]
        for i in range(self.n):
            owner = f"{service_name(i)}.{NAMESPACE}.svc"
            lines += [f"{owner} A {a}\n" for a in self.addresses(i)]
        write(path, "".join(lines))

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

    def __init__(self, n):
        self.n = n
        self.names = [assigned_name(f"route-{i:05d}") for i in range(n)]

    @staticmethod
    def addresses(i):
        """(the address of weight 10, the address of weight 90)."""
        return address(1, i), address(2, i)

    def write_gdnsd(self, root):
        """gdnsd's zone and its plugin_weighted resources; returns the plugins stanza."""
        zone = [ZONE_HEAD.format(ttl=TTL_S, zone=ASSIGNED_ZONE)]
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
