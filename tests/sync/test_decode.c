/* SPDX-License-Identifier: Apache-2.0 */

/* What Pintle reads of each kind, as manifests and as API objects, and what it says of wrong ones.
 */

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

#include "show.h"
#include "sync/decode.h"

#define ARENA_BYTES   ((size_t)16 << 20)
#define SERVICE(rest) "apiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop" rest
#define ANNOTATED(a)  SERVICE(", annotations: {" a "}}\n")
#define SLICE(rest)                                                                                \
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-x, namespace: "    \
    "shop, labels: {kubernetes.io/service-name: web}}\naddressType: IPv4\n" rest
#define ROUTE(rest)                                                                                \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {name: inventory}\n"     \
    "spec:\n" rest
#define BACKENDS "    backendRefs:\n    - {name: inventory-ver1, port: 80, weight: 10}\n"

static struct decode_case {
    const char *name;
    const char *text;
    const char *want; /* The object, or the reason when want_err is not PIN_OK. */
    enum pin_err want_err;
    const char *want_log; /* Part of the one warning, or NULL: none. */
} cases[] = {
    /* Service */
    {"a Service has addresses, ports and target ports",
        SERVICE("}\nspec:\n  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 'fd00::1']\n"
                "  sessionAffinity: ClientIP\n  ports:\n"
                "  - {name: http, port: 80, targetPort: 8080, appProtocol: kubernetes.io/h2c}\n"
                "  - {name: dns, port: 53, protocol: UDP, targetPort: dns}\n  - {port: 443}\n"),
        "Service shop/web ip=10.96.0.1 ip=fd00::1 port=http:80>8080/TCP app=kubernetes.io/h2c "
        "port=dns:53>dns/UDP port=:443/TCP clientIP",
        PIN_OK, NULL},
    {"a Service without a namespace is in default",
        "{apiVersion: v1, kind: Service, metadata: "
        "{name: web}}",
        "Service default/web", PIN_OK, NULL},
    {"clusterIP None is headless", SERVICE("}\nspec: {clusterIP: None, clusterIPs: [None]}\n"),
        "Service shop/web headless", PIN_OK, NULL},
    {"a lone clusterIP counts", SERVICE("}\nspec: {clusterIP: 10.96.0.9}\n"),
        "Service shop/web ip=10.96.0.9", PIN_OK, NULL},
    {"an ExternalName has no address",
        SERVICE("}\nspec: {type: ExternalName, externalName: "
                "db.example.com, clusterIP: ''}\n"),
        "Service shop/web external=db.example.com", PIN_OK, NULL},
    {"load-balancer addresses are read and host names are not",
        SERVICE("}\nspec: {type: LoadBalancer, publishNotReadyAddresses: true}\n"
                "status: {loadBalancer: {ingress: [{ip: 192.0.2.7}, {hostname: lb.example}]}}\n"),
        "Service shop/web lb=192.0.2.7 publishNotReady", PIN_OK, NULL},
    {"a port out of range is an error with its place",
        SERVICE("}\nspec:\n  ports:\n  - {port: 80}\n  - {port: 70000}\n"),
        "7:12: Service shop/web: spec.ports[1].port: '70000' is out of range, use 1 to 65535",
        PIN_EINVAL, NULL},
    {"a missing port is an error", SERVICE("}\nspec: {ports: [{name: a}]}\n"),
        "4:16: Service shop/web: spec.ports[0].port: is missing, use 1 to 65535", PIN_EINVAL, NULL},
    {"an unknown protocol is an error", SERVICE("}\nspec: {ports: [{port: 1, protocol: tcp}]}\n"),
        "4:36: Service shop/web: spec.ports[0].protocol: 'tcp' is unknown, use TCP, UDP or SCTP",
        PIN_EINVAL, NULL},
    {"a list where a map belongs is an error", SERVICE("}\nspec: []\n"),
        "4:7: Service shop/web: spec: must be a map, not a list", PIN_EINVAL, NULL},
    {"annotations that are no map are an error", SERVICE(", annotations: [a]}\n"),
        "3:53: Service shop/web: annotations: must be a map, not a list", PIN_EINVAL, NULL},
    {"unknown fields are ignored", SERVICE("}\nspec: {colour: red}\nextra: [1, 2]\n"),
        "Service shop/web", PIN_OK, NULL},
    {"annotations of external-dns are kept, and what goes with them",
        SERVICE(", annotations: {external-dns.kubernetes.io/hostname: a.example.com, "
                "external-dns.alpha.kubernetes.io/ttl: 1m, external-dns.io/no: x}}\n"
                "spec: {type: LoadBalancer, externalIPs: [192.0.2.9]}\n"),
        "Service shop/web external-dns.kubernetes.io/hostname=a.example.com "
        "external-dns.alpha.kubernetes.io/ttl=1m outside=192.0.2.9 balancer",
        PIN_OK, NULL},
    {"without one nothing of it is kept",
        SERVICE("}\nspec: {type: LoadBalancer, externalIPs: [192.0.2.9]}\n"), "Service shop/web",
        PIN_OK, NULL},
    {"other kinds ask for nothing",
        "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: "
        "{external-dns.kubernetes.io/hostname: a.example.com}}}",
        "Namespace /shop", PIN_OK, NULL},
    /* Ingress */
    {"an Ingress has hosts, a class and its load balancer",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: edge, namespace: shop, "
        "annotations: {external-dns.kubernetes.io/target: 192.0.2.60}}, spec: {ingressClassName: "
        "nginx, rules: [{host: a.example.com}, {http: {}}], tls: [{secretName: s}, {hosts: "
        "[b.example.com]}]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.61}, {hostname: "
        "lb.example.net}]}}}",
        "Ingress shop/edge host=a.example.com host=b.example.com lb=192.0.2.61 lb=lb.example.net "
        "class=nginx external-dns.kubernetes.io/target=192.0.2.60",
        PIN_OK, NULL},
    {"the class's former annotation counts where the field is empty",
        "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {name: edge, annotations: "
        "{kubernetes.io/ingress.class: nginx}}}",
        "Ingress default/edge class=nginx", PIN_OK, NULL},
    {"an Ingress of before is not read",
        "{apiVersion: extensions/v1beta1, kind: Ingress, metadata: {name: edge}}",
        "objects of this kind and version are not read", PIN_EUNSUPPORTED, NULL},
    /* Identity */
    {"an object without a name is an error", "{apiVersion: v1, kind: Service, metadata: {}}",
        "1:43: metadata.name: is missing, every object needs a name", PIN_EINVAL, NULL},
    {"an object without a kind is an error", "{apiVersion: v1, metadata: {name: a}}",
        "1:1: kind: is missing, every object needs apiVersion and kind", PIN_EINVAL, NULL},
    {"a document that is a list is an error", "- 1",
        "1:1: an object must be a map with apiVersion and kind", PIN_EINVAL, NULL},
    {"a name with capitals is an error", "{apiVersion: v1, kind: Node, metadata: {name: Web}}",
        "1:47: Node Web: metadata.name: is no name, use up to 253 lower-case letters, digits, '-' "
        "and '.'",
        PIN_EINVAL, NULL},
    {"a namespace with a dot is an error",
        "{apiVersion: v1, kind: Service, metadata: {name: a, namespace: b.c}}",
        "1:64: Service b.c/a: metadata.namespace: is no namespace, use up to 63 lower-case "
        "letters, digits and '-'",
        PIN_EINVAL, NULL},
    {"other kinds are not read", "{apiVersion: apps/v1, kind: Deployment, metadata: {name: a}}",
        "objects of this kind and version are not read", PIN_EUNSUPPORTED, NULL},
    {"other groups' kinds of the same name are not read",
        "{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: a}}",
        "objects of this kind and version are not read", PIN_EUNSUPPORTED, NULL},
    /* Annotations */
    {"Cilium's annotations make a Service global",
        ANNOTATED("service.cilium.io/global: 'true', "
                  "service.cilium.io/affinity: local"),
        "Service shop/web affinity=local global", PIN_OK, NULL},
    {"shared false keeps the own pods from others",
        ANNOTATED("service.cilium.io/global: 'true', service.cilium.io/shared: 'False'"),
        "Service shop/web global unshared", PIN_OK, NULL},
    {"Cilium's former names still count",
        ANNOTATED("io.cilium/global-service: 'true', io.cilium/shared-service: 'false'"),
        "Service shop/web global unshared", PIN_OK, NULL},
    {"Cilium's present name goes over the former",
        ANNOTATED("io.cilium/global-service: 'true', service.cilium.io/global: 'false'"),
        "Service shop/web", PIN_OK, NULL},
    {"a boolean without quotes is read in a manifest", ANNOTATED("service.cilium.io/global: true"),
        "Service shop/web global", PIN_OK, NULL},
    {"affinity none is none", ANNOTATED("service.cilium.io/affinity: none"),
        "Service shop/web affinity=none", PIN_OK, NULL},
    {"our own affinity goes over Cilium's",
        ANNOTATED("service.cilium.io/affinity: local, pintle.dev/affinity: remote"),
        "Service shop/web affinity=remote", PIN_OK, NULL},
    {"our own steering is read",
        ANNOTATED("pintle.dev/address: clusterIP, pintle.dev/answers: single, pintle.dev/ttl: 1m, "
                  "pintle.dev/weight: '0'"),
        "Service shop/web address=clusterIP answers=single ttl=60 weight=0", PIN_OK, NULL},
    {"an unknown word costs a warning, not the object", ANNOTATED("pintle.dev/address: pods"),
        "Service shop/web", PIN_OK,
        "decode: cluster c1: Service shop/web: annotation pintle.dev/address: 'pods' cannot be "
        "used, use auto, endpoints, clusterIP, loadBalancer or gateway; ignored"},
    {"a weight above a million is told", ANNOTATED("pintle.dev/weight: '1000001'"),
        "Service shop/web", PIN_OK, "pintle.dev/weight: '1000001' cannot be used"},
    {"a TTL above an hour is told", ANNOTATED("pintle.dev/ttl: '3601'"), "Service shop/web", PIN_OK,
        "pintle.dev/ttl: '3601' cannot be used"},
    {"a list of clusters goes over Cilium's affinity",
        ANNOTATED("pintle.dev/affinity: 'c2, c3', service.cilium.io/affinity: local"),
        "Service shop/web affinity=c2,c3", PIN_OK, NULL},
    {"a list of what are no clusters is told and Cilium's counts",
        ANNOTATED("pintle.dev/affinity: 'c2,,c3', service.cilium.io/affinity: local"),
        "Service shop/web affinity=local", PIN_OK,
        "'c2,,c3' cannot be used, use local, remote, none or a list of clusters as in c2,c3"},
    {"a threshold is a count or a share",
        ANNOTATED("pintle.dev/affinity: local, pintle.dev/affinity-threshold: '50%'"),
        "Service shop/web affinity=local threshold=50%", PIN_OK, NULL},
    {"a share above the whole is told", ANNOTATED("pintle.dev/affinity-threshold: '101%'"),
        "Service shop/web", PIN_OK,
        "'101%' cannot be used, use a number of endpoints as in 2 or a share as in 50%"},
    {"an annotation of ours that nobody reads is told", ANNOTATED("pintle.dev/geo: eu"),
        "Service shop/web", PIN_OK, "annotation pintle.dev/geo is not known; ignored"},
    {"a misspelt one is told with the one that is meant", ANNOTATED("pintle.dev/afinity: local"),
        "Service shop/web", PIN_OK, "is not known, did you mean pintle.dev/affinity?; ignored"},
    {"a health check has the defaults of the AWS controller",
        ANNOTATED("pintle.dev/health-check: '{}'"),
        "Service shop/web check=HTTP:0/ every=30/5 rise=5 fall=2 200-200", PIN_OK, NULL},
    {"a health check that is no YAML is told",
        ANNOTATED("pintle.dev/health-check: 'enabled: true, intervalSeconds: 10'"),
        "Service shop/web", PIN_OK, "annotation pintle.dev/health-check: "},
    {"a health check may be JSON",
        ANNOTATED("pintle.dev/health-check: '{\"enabled\":true,\"intervalSeconds\":10,"
                  "\"timeoutSeconds\":2,\"healthyThresholdCount\":3,"
                  "\"unhealthyThresholdCount\":4,\"statusMatch\":\"200-299,304\","
                  "\"path\":\"/live\",\"port\":8080,\"protocol\":\"HTTPS\","
                  "\"protocolVersion\":\"HTTP2\",\"host\":\"shop.example\"}'"),
        "Service shop/web check=HTTPS2:8080/live every=10/2 rise=3 fall=4 200-299 304-304 "
        "host=shop.example",
        PIN_OK, NULL},
    {"a health check may be YAML over several lines",
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\n  namespace: shop\n  annotations:\n"
        "    pintle.dev/health-check: |\n      protocol: TCP\n      enabled: false\n",
        "Service shop/web check=TCP:0/ every=30/5 rise=5 fall=2 off 200-200", PIN_OK, NULL},
    {"a check by a command names one",
        ANNOTATED("pintle.dev/health-check: '{protocol: COMMAND, command: pg}'"),
        "Service shop/web check=COMMAND:0/ every=30/5 rise=5 fall=2 200-200 command=pg", PIN_OK,
        NULL},
    {"a command needs its protocol", ANNOTATED("pintle.dev/health-check: '{command: pg}'"),
        "Service shop/web", PIN_OK, "command: goes with protocol COMMAND"},
    {"an unknown key of a health check is told",
        ANNOTATED("pintle.dev/health-check: '{intervall: 3}'"), "Service shop/web", PIN_OK,
        "intervall: is not known"},
    {"a blank in a path is told", ANNOTATED("pintle.dev/health-check: '{path: /a b}'"),
        "Service shop/web", PIN_OK, "path: must be up to 255 visible ASCII characters"},
    {"a path begins with a slash", ANNOTATED("pintle.dev/health-check: '{path: live}'"),
        "Service shop/web", PIN_OK, "path: must begin with /"},
    {"an unknown protocol of a health check is told",
        ANNOTATED("pintle.dev/health-check: '{protocol: ICMP}'"), "Service shop/web", PIN_OK,
        "protocol: is \"ICMP\", use HTTP, HTTPS, TCP or COMMAND"},
    {"a status of four digits is told",
        ANNOTATED("pintle.dev/health-check: '{statusMatch: \"2000\"}'"), "Service shop/web", PIN_OK,
        "statusMatch: is \"2000\", use codes and ranges"},
    {"an interval of nothing is told", ANNOTATED("pintle.dev/health-check: '{intervalSeconds: 0}'"),
        "Service shop/web", PIN_OK, "intervalSeconds"},
    {"a health check is a map", ANNOTATED("pintle.dev/health-check: '[TCP]'"), "Service shop/web",
        PIN_OK, "it must be a map"},
    {"what becomes of names that are down is read",
        ANNOTATED("pintle.dev/all-down: lastGood, pintle.dev/up-threshold: 50%"),
        "Service shop/web all-down=lastGood up=50%", PIN_OK, NULL},
    {"an unknown all-down is told", ANNOTATED("pintle.dev/all-down: some"), "Service shop/web",
        PIN_OK, "'some' cannot be used, use all, none or lastGood"},
    {"an up-threshold is a share", ANNOTATED("pintle.dev/up-threshold: '2'"), "Service shop/web",
        PIN_OK, "'2' cannot be used, use a share of the addresses as in 50%"},
    {"a TargetGroupPolicy has a health check",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: TargetGroupPolicy, metadata: "
        "{name: p, namespace: shop}, spec: {protocol: HTTP, targetRef: {group: "
        "application-networking.k8s.aws, kind: ServiceExport, name: web}, healthCheck: {enabled: "
        "true, intervalSeconds: 5, unhealthyThresholdCount: 2, path: /healthcheck, more: 1}}}",
        "TargetGroupPolicy shop/p of=export:web check=HTTP:0/healthcheck every=5/5 rise=5 fall=2 "
        "200-200",
        PIN_OK, NULL},
    {"a TargetGroupPolicy may say nothing about health",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: TargetGroupPolicy, metadata: "
        "{name: p, namespace: shop}, spec: {targetRef: {group: '', kind: Service, name: web}}}",
        "TargetGroupPolicy shop/p of=service:web", PIN_OK, NULL},
    {"a TargetGroupPolicy with a wrong port is an error",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: TargetGroupPolicy, metadata: "
        "{name: p, namespace: shop}, spec: {targetRef: {kind: Service, name: web}, healthCheck: "
        "{port: 70000}}}",
        "1:184: TargetGroupPolicy shop/p: port: '70000' is out of range, use 1 to 65535",
        PIN_EINVAL, NULL},
    {"what becomes of stale data is read",
        ANNOTATED("pintle.dev/stale: drop, pintle.dev/stale-after: 5m"),
        "Service shop/web stale=drop stale-after=300000", PIN_OK, NULL},
    {"keeping stale data is read", ANNOTATED("pintle.dev/stale: keep"),
        "Service shop/web stale=keep", PIN_OK, NULL},
    {"probing stale data is read", ANNOTATED("pintle.dev/stale: probe"),
        "Service shop/web stale=probe", PIN_OK, NULL},
    {"an unknown word about stale data is told", ANNOTATED("pintle.dev/stale: ask"),
        "Service shop/web", PIN_OK,
        "annotation pintle.dev/stale: 'ask' cannot be used, use keep, drop or probe"},
    {"a stale-after of nothing is told", ANNOTATED("pintle.dev/stale-after: '0'"),
        "Service shop/web", PIN_OK, "pintle.dev/stale-after: '0' cannot be used"},
    /* EndpointSlice */
    {"ready is true when absent, serving is ready when absent",
        SLICE("endpoints:\n- addresses: [10.1.0.1]\n- addresses: [10.1.0.2]\n  conditions: {ready: "
              "false}\n- addresses: [10.1.0.3]\n  conditions: {ready: false, serving: true, "
              "terminating: true}\nports:\n- {name: http, port: 8080, protocol: TCP}\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.1 ready serving] [10.1.0.2] [10.1.0.3 "
        "serving terminating] port=http:8080/TCP",
        PIN_OK, NULL},
    {"host names, pods and zones are read",
        SLICE("endpoints:\n- addresses: [10.1.0.1, 10.1.0.2]\n  hostname: redis-0\n  zone: eu-a\n"
              "  targetRef: {kind: Pod, name: redis-0}\n- addresses: [10.1.0.3]\n  zone: eu-a\n"
              "  targetRef: {kind: Node, name: n1}\nports: null\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.1 ready serving host=redis-0 pod=redis-0 "
        "zone=eu-a] [10.1.0.2 ready serving host=redis-0 pod=redis-0 zone=eu-a] [10.1.0.3 ready "
        "serving zone=eu-a]",
        PIN_OK, NULL},
    {"Pods whose names have nothing in common keep them",
        SLICE("endpoints:\n- addresses: [10.1.0.1]\n  targetRef: {kind: Pod, name: web-0}\n"
              "- addresses: [10.1.0.2]\n- addresses: [10.1.0.3]\n  targetRef: {kind: Pod, name: "
              "a}\n- addresses: [10.1.0.4]\n  targetRef: {kind: Pod, name: web-01}\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.1 ready serving pod=web-0] [10.1.0.2 ready "
        "serving] [10.1.0.3 ready serving pod=a] [10.1.0.4 ready serving pod=web-01]",
        PIN_OK, NULL},
    {"a Pod's name that begins another's is a name",
        SLICE("endpoints:\n- addresses: [10.1.0.1]\n  targetRef: {kind: Pod, name: web-01}\n"
              "- addresses: [10.1.0.2]\n  targetRef: {kind: Pod, name: web-0}\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.1 ready serving pod=web-01] [10.1.0.2 ready "
        "serving pod=web-0]",
        PIN_OK, NULL},
    {"a target that is no map is an error",
        SLICE("endpoints:\n- addresses: [10.1.0.1]\n  targetRef: web-0\n"),
        "7:14: EndpointSlice shop/web-x: endpoints[0].targetRef: must be a map, not a string",
        PIN_EINVAL, NULL},
    {"hints stay with their addresses",
        SLICE("endpoints:\n- addresses: [127.0.0.1, 10.1.0.1]\n  zone: eu-a\n  hints: {forZones: "
              "[{name: eu-a}]}\n- addresses: [10.1.0.2]\n- addresses: [10.1.0.3]\n  hints: "
              "{forZones: [{name: eu-b}, {name: eu-c}]}\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.1 ready serving zone=eu-a hints=eu-a] "
        "[10.1.0.2 ready serving] [10.1.0.3 ready serving hints=eu-b,eu-c]",
        PIN_OK, "address 127.0.0.1 is left out"},
    {"an imported slice names its service and cluster",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv6, metadata: "
        "{name: "
        "x, labels: {multicluster.kubernetes.io/service-name: web, "
        "multicluster.kubernetes.io/source-cluster: c2}}, endpoints: [{addresses: ['fd00::5']}]}",
        "EndpointSlice default/x import=web source=c2 IPv6 [fd00::5 ready serving]", PIN_OK, NULL},
    {"a port without a number means any", SLICE("ports: [{name: any}]\n"),
        "EndpointSlice shop/web-x of=web IPv4 port=any:0/TCP", PIN_OK, NULL},
    {"a loopback address is left out and told",
        SLICE("endpoints: [{addresses: [127.0.0.1]}, {addresses: [10.1.0.9]}]\n"),
        "EndpointSlice shop/web-x of=web IPv4 [10.1.0.9 ready serving]", PIN_OK,
        "EndpointSlice shop/web-x: address 127.0.0.1 is left out"},
    {"a multicast address is left out", SLICE("endpoints: [{addresses: [224.0.0.1]}]\n"),
        "EndpointSlice shop/web-x of=web IPv4", PIN_OK, "address 224.0.0.1 is left out"},
    {"the unspecified address is left out", SLICE("endpoints: [{addresses: [0.0.0.0]}]\n"),
        "EndpointSlice shop/web-x of=web IPv4", PIN_OK, "address 0.0.0.0 is left out"},
    {"an address of the other family is an error", SLICE("endpoints: [{addresses: ['fd00::1']}]\n"),
        "5:26: EndpointSlice shop/web-x: endpoints[0].addresses: 'fd00::1' does not fit "
        "addressType IPv4",
        PIN_EINVAL, NULL},
    {"text that is no address is an error", SLICE("endpoints: [{addresses: [10.1]}]\n"),
        "5:26: EndpointSlice shop/web-x: endpoints[0].addresses: '10.1' is no IP address",
        PIN_EINVAL, NULL},
    {"a hostname that is no label is an error",
        SLICE("endpoints: [{addresses: [10.1.0.1], hostname: a.b}]\n"),
        "5:47: EndpointSlice shop/web-x: endpoints[0].hostname: 'a.b' is no DNS label, use up to "
        "63 lower-case letters, digits and '-'",
        PIN_EINVAL, NULL},
    {"slices of host names are not read",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: FQDN, metadata: "
        "{name: x}, endpoints: [{addresses: [a.example]}]}",
        "slices of host names are not read", PIN_EUNSUPPORTED, NULL},
    {"a slice without a type is an error",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: x}}",
        "EndpointSlice default/x: addressType: '' is unknown, use IPv4 or IPv6", PIN_EINVAL, NULL},
    /* Node, Namespace */
    {"a Node has pod ranges, addresses, zone and region",
        "{apiVersion: v1, kind: Node, metadata: {name: n1.example, labels: "
        "{topology.kubernetes.io/zone: eu-a, topology.kubernetes.io/region: eu}}, spec: {podCIDR: "
        "10.10.1.0/24, podCIDRs: [10.10.1.0/24, 'fd00:10::/64']}, status: {addresses: [{type: "
        "InternalIP, address: 192.0.2.1}, {type: Hostname, address: n1}]}}",
        "Node /n1.example pods=10.10.1.0/24 pods=fd00:10::/64 ip=192.0.2.1 zone=eu-a region=eu",
        PIN_OK, NULL},
    {"a pod range that is none is an error",
        "{apiVersion: v1, kind: Node, metadata: {name: n1}, spec: {podCIDRs: [10.10.1.0/64]}}",
        "1:70: Node n1: spec.podCIDRs: '10.10.1.0/64' is no address range", PIN_EINVAL, NULL},
    {"a Pod has its addresses, each once",
        "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: n}, status: {phase: Running, "
        "podIP: 10.1.0.1, podIPs: [{ip: 10.1.0.1}, {ip: 'fd00::1'}, {ip: x}]}}",
        "Pod n/p 10.1.0.1 fd00::1", PIN_OK, NULL},
    {"a Pod on the host's network says so",
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {hostNetwork: true}, status: "
        "{podIP: 192.0.2.1}}",
        "Pod default/p 192.0.2.1 host", PIN_OK, NULL},
    {"a Pod that has ended has no address any more",
        "{apiVersion: v1, kind: Pod, metadata: {name: p}, status: {phase: Failed, podIP: "
        "10.1.0.1}}",
        "Pod default/p", PIN_OK, NULL},
    {"a ServiceCIDR has ranges",
        "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: k}, spec: {cidrs: "
        "[10.96.0.0/12, 'fd00:96::/108']}}",
        "ServiceCIDR /k range=10.96.0.0/12 range=fd00:96::/108", PIN_OK, NULL},
    {"a service range that is none is an error",
        "{apiVersion: networking.k8s.io/v1beta1, kind: ServiceCIDR, metadata: {name: k}, spec: "
        "{cidrs: [x]}}",
        "1:96: ServiceCIDR k: spec.cidrs: 'x' is no address range", PIN_EINVAL, NULL},
    {"a Namespace is its name", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}",
        "Namespace /shop", PIN_OK, NULL},
    /* Namespace */
    {"a Namespace has labels",
        "{apiVersion: v1, kind: Namespace, metadata: {name: n, labels: {a: b, c: ''}}}",
        "Namespace /n a=b c=", PIN_OK, NULL},
    /* GatewayClass */
    {"a GatewayClass names its controller",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: GatewayClass, metadata: {name: k}, spec: "
        "{controllerName: x.io/y, parametersRef: {name: p}}}",
        "GatewayClass /k controller=x.io/y parameters", PIN_OK, NULL},
    /* Gateway */
    {"listeners say whose routes they take",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: g}, spec: "
        "{gatewayClassName: k, listeners: [{name: a, port: 1, protocol: TCP, allowedRoutes: "
        "{namespaces: {from: All}, kinds: [{kind: TCPRoute}, {group: x.io, kind: Y}]}}, {name: b, "
        "port: 2, protocol: HTTP, allowedRoutes: {namespaces: {from: Selector, selector: "
        "{matchLabels: {l: m}, matchExpressions: [{key: k, operator: DoesNotExist}, {key: o, "
        "operator: Odd}, {key: i, operator: In, values: [u, v]}]}}}}, {name: c, port: 3, protocol: "
        "HTTP, allowedRoutes: {namespaces: {from: Some}}}]}}",
        "Gateway default/g listener=a:TCP:1::all:TCPRoute:x.io/Y listener=b:HTTP:2::k3:o4:i0=u=v:l0"
        "=m listener=c:HTTP:3::none class=k",
        PIN_OK, NULL},
    {"a Gateway has listeners and the addresses that are addresses",
        "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: Gateway, metadata: {name: "
        "my-hotel}, "
        "spec: {listeners: [{name: http, port: 80, protocol: HTTP}, {name: tls, port: 443, "
        "protocol: HTTPS, hostname: a.example}]}, status: {addresses: [{type: IPAddress, value: "
        "192.0.2.9}, {type: Hostname, value: gw.example}, {value: 192.0.2.10}]}}",
        "Gateway default/my-hotel ip=192.0.2.9 ip=192.0.2.10 listener=http:HTTP:80: "
        "listener=tls:HTTPS:443:a.example",
        PIN_OK, NULL},
    /* HTTPRoute */
    {"a route has parents, backends, weights and host names",
        ROUTE(
            "  parentRefs:\n  - {name: my-hotel, sectionName: http}\n  - {name: x, kind: Service, "
            "group: ''}\n  hostnames: [a.example.com]\n  rules:\n  - backendRefs:\n    - {name: "
            "inventory-ver1, port: 80, weight: 10}\n    - {name: inventory-ver2, group: "
            "application-networking.k8s.aws, kind: ServiceImport, weight: 90}\n"),
        "HTTPRoute default/inventory parent=default/my-hotel section=http {service "
        "default/inventory-ver1:80 w=10 aws default/inventory-ver2:0 w=90} host=a.example.com",
        PIN_OK, NULL},
    {"an import of each group is told from the other",
        ROUTE(
            "  rules:\n  - backendRefs:\n    - {name: a, group: multicluster.x-k8s.io, kind: "
            "ServiceImport, namespace: other}\n    - {name: b, kind: ServiceImport}\n    - {name: "
            "c, group: example.com, kind: Bucket}\n"),
        "HTTPRoute default/inventory {import other/a:0 w=1 aws default/b:0 w=1 other default/c:0 "
        "w=1}",
        PIN_OK, NULL},
    {"the prefix / that API servers write is no match",
        ROUTE("  rules:\n  - matches: [{path: {type: PathPrefix, value: /}}]\n" BACKENDS),
        "HTTPRoute default/inventory {service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"another path is an L7 match",
        ROUTE("  rules:\n  - matches: [{path: {value: /parking}}]\n" BACKENDS),
        "HTTPRoute default/inventory {l7 service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"the exact path / is an L7 match",
        ROUTE("  rules:\n  - matches: [{path: {type: Exact, value: /}}]\n" BACKENDS),
        "HTTPRoute default/inventory {l7 service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"a header beside the prefix / is an L7 match",
        ROUTE("  rules:\n  - matches: [{path: {type: PathPrefix, value: /}, headers: [{name: v, "
              "value: '2'}]}]\n" BACKENDS),
        "HTTPRoute default/inventory {l7 service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"a method is an L7 match", ROUTE("  rules:\n  - matches: [{method: GET}]\n" BACKENDS),
        "HTTPRoute default/inventory {l7 service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"an alternative that catches all leaves no L7 match",
        ROUTE("  rules:\n  - matches: [{path: {value: /a}}, {path: {value: /}}]\n" BACKENDS),
        "HTTPRoute default/inventory {service default/inventory-ver1:80 w=10}", PIN_OK, NULL},
    {"a GRPCRoute's method is an L7 match, its default type alone is none",
        "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: GRPCRoute, metadata: {name: "
        "rpc}, spec: {rules: [{matches: [{method: {service: s}}]}, {matches: [{method: {type: "
        "Exact}}], backendRefs: [{name: a}]}]}}",
        "GRPCRoute default/rpc {l7} {service default/a:0 w=1}", PIN_OK, NULL},
    {"a TCPRoute and a TLSRoute have no matches",
        "{apiVersion: gateway.networking.k8s.io/v1alpha2, kind: TCPRoute, metadata: {name: t}, "
        "spec: {rules: [{matches: [{method: GET}], backendRefs: [{name: a}]}]}}",
        "TCPRoute default/t {service default/a:0 w=1}", PIN_OK, NULL},
    {"a ReferenceGrant says who may refer to what; what is no route or backend is left out",
        "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant, metadata: {name: g, "
        "namespace: shop}, spec: {from: [{group: gateway.networking.k8s.io, kind: TLSRoute, "
        "namespace: web}, {group: gateway.networking.k8s.io, kind: Gateway, namespace: web}], to: "
        "[{group: '', kind: Service}, {group: '', kind: Secret}, {group: multicluster.x-k8s.io, "
        "kind: ServiceImport, name: cart}]}}",
        "ReferenceGrant shop/g from=TLSRoute:web to=service to=import:cart", PIN_OK, NULL},
    {"a DNSEndpoint has names, types and targets; what lacks one is left out",
        "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {name: e, "
        "namespace: shop}, spec: {endpoints: [{dnsName: a.example.com, recordType: A, recordTTL: "
        "60, targets: [192.0.2.1, 192.0.2.2], labels: {x: y}}, {dnsName: b.example.com, targets: "
        "[x]}, {dnsName: c.example.com, recordType: TXT, targets: [hello]}]}}",
        "DNSEndpoint shop/e a.example.com A 60 192.0.2.1 192.0.2.2 c.example.com TXT hello", PIN_OK,
        NULL},
    {"a set id and what its provider is to know are kept",
        "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {name: e, "
        "namespace: shop}, spec: {endpoints: [{dnsName: a.example.com, recordType: A, targets: "
        "[192.0.2.1], setIdentifier: v1, providerSpecific: [{name: aws/weight, value: '80'}, "
        "{name: alias}]}]}}",
        "DNSEndpoint shop/e a.example.com A 192.0.2.1 id=v1 aws/weight=80 alias=", PIN_OK, NULL},
    {"a TTL that is none names its record",
        "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {name: e, "
        "namespace: shop}, spec: {endpoints: [{dnsName: a, recordType: A, recordTTL: -1}]}}",
        "1:158: DNSEndpoint shop/e: spec.endpoints[0].recordTTL: '-1' is out of range, use 0 to "
        "2147483647",
        PIN_EINVAL, NULL},
    {"weight 0 and the largest weight are fine",
        ROUTE("  rules:\n  - backendRefs: [{name: a, weight: 0}, {name: b, weight: 1000000}]\n"),
        "HTTPRoute default/inventory {service default/a:0 w=0 service default/b:0 w=1000000}",
        PIN_OK, NULL},
    {"a weight above a million names its backend",
        ROUTE("  rules:\n  - backendRefs:\n    - {name: a}\n    - {name: b, weight: 1000001}\n"),
        "8:25: HTTPRoute default/inventory: spec.rules[0].backendRefs[1].weight: Service 'b' has "
        "weight '1000001', use a whole number from 0 to 1000000",
        PIN_EINVAL, NULL},
    {"a negative weight names its backend",
        ROUTE("  rules:\n  - backendRefs:\n    - {name: a, weight: -1}\n"),
        "7:25: HTTPRoute default/inventory: spec.rules[0].backendRefs[0].weight: Service 'a' has "
        "weight '-1', use a whole number from 0 to 1000000",
        PIN_EINVAL, NULL},
    {"a backend without a name is an error", ROUTE("  rules:\n  - backendRefs: [{port: 80}]\n"),
        "6:19: HTTPRoute default/inventory: spec.rules[0].backendRefs[0].name: is missing",
        PIN_EINVAL, NULL},
    /* MCS */
    {"an export of v1alpha1 is its name",
        "{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport, metadata: {name: a}}",
        "ServiceExport default/a", PIN_OK, NULL},
    {"an import has addresses, ports and a type",
        "{apiVersion: multicluster.x-k8s.io/v1beta1, kind: ServiceImport, metadata: {name: a}, "
        "spec: {type: ClusterSetIP, ips: [10.42.0.1], ports: [{name: http, port: 80}], "
        "sessionAffinity: ClientIP, trafficDistribution: PreferSameZone}}",
        "ServiceImport default/a ip=10.42.0.1 port=http:80/TCP clientIP ownZone", PIN_OK, NULL},
    {"an import can be headless",
        "{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceImport, metadata: {name: a}, "
        "spec: {type: Headless, ports: []}}",
        "ServiceImport default/a headless", PIN_OK, NULL},
    /* AWS */
    {"an AWS export has ports from its annotation",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: ServiceExport, metadata: "
        "{name: a, annotations: {application-networking.k8s.aws/port: '9200, 80', "
        "application-networking.k8s.aws/service-name: checkout, "
        "application-networking.k8s.aws/federation: amazon-vpc-lattice}}}",
        "AWSServiceExport default/a port=9200 port=80 service=checkout", PIN_OK, NULL},
    {"exportedPorts go over the annotation",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: ServiceExport, metadata: "
        "{name: a, annotations: {application-networking.k8s.aws/port: '9200'}}, spec: "
        "{exportedPorts: [{port: 443, routeType: HTTP}]}}",
        "AWSServiceExport default/a port=443", PIN_OK, NULL},
    {"a port that is none is told and left out",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: ServiceExport, metadata: "
        "{name: a, annotations: {application-networking.k8s.aws/port: '80,http'}}}",
        "AWSServiceExport default/a port=80", PIN_OK,
        "application-networking.k8s.aws/port: '80,http' cannot be used, use ports from 1 to 65535"},
    {"an AWS import is narrowed by annotations",
        "{apiVersion: application-networking.k8s.aws/v1alpha1, kind: ServiceImport, metadata: "
        "{name: a, annotations: {application-networking.k8s.aws/export-name: b, "
        "application-networking.k8s.aws/aws-eks-cluster-name: c2, "
        "application-networking.k8s.aws/aws-vpc: net-b}}, spec: {type: ClusterSetIP}}",
        "AWSServiceImport default/a export=b cluster=c2 network=net-b", PIN_OK, NULL},
};

/* The warnings of one decode, one a line. */
static struct pin_text logged;

static void keep_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    pin_text_puts(&logged, line);
}

static void check_result(const struct decode_case *c, enum pin_err err, struct pin_object *object,
    const struct pin_why *why)
{
    struct pin_text shown = {0};
    assert_int_equal(err, c->want_err);
    if (err == PIN_OK) {
        show_object(&shown, object);
    } else {
        pin_text_puts(&shown, why->text);
    }
    assert_string_equal(pin_text_get(&shown), c->want);
    pin_text_done(&shown);
    pin_object_free(object);
}

static void test_case(void **state)
{
    const struct decode_case *c = *state;
    struct pin_tree *docs = NULL;
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    assert_int_equal(pin_yaml_parse(c->text, strlen(c->text), arena, &docs, &why), PIN_OK);
    static int64_t now_ms;
    pin_clock_set_fake(now_ms += 60000, 0); /* no warning is held back because of those before */
    pin_log_set_sink(keep_log, NULL);
    enum pin_err err = pin_decode_as(NULL, "cluster c1", docs->first, &object, &why);
    bool is_plain = err == PIN_OK && strstr(c->text, "health-check") == NULL
                    && (object->written == NULL || object->written->complaint == NULL);
    if (is_plain && (object->kind == PIN_KIND_SERVICE || object->kind == PIN_KIND_ENDPOINT_SLICE)) {
        /* one block, whose fields begin behind the body: the guess was not too low */
        uintptr_t body_bytes = (uintptr_t)object->chunks - (uintptr_t)object;
        assert_in_range(body_bytes, offsetof(struct pin_object, as), sizeof(*object));
    }
    pin_log_set_sink(NULL, NULL);
    pin_clock_set_real();
    pin_arena_free(arena); /* the object stands alone */
    check_result(c, err, object, &why);
    if (c->want_log == NULL) {
        assert_string_equal(pin_text_get(&logged), "");
    } else {
        assert_non_null(strstr(pin_text_get(&logged), c->want_log));
    }
    pin_text_done(&logged);
}

/* There may be very many headless Services: what they are not going to say takes no room. */
static void test_a_headless_service_is_small(void **state)
{
    static const char text[] =
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},\"spec\":{\"clusterIP\":\"None\","
        "\"clusterIPs\":[\"None\"],\"ports\":[{\"port\":80,\"targetPort\":8090}]}}";
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    const size_t said = sizeof(struct pin_port) + sizeof("web") + sizeof("shop");
    const size_t object_bytes =
        offsetof(struct pin_object, as) + sizeof(struct pin_service_body) + 2 * sizeof(uint64_t);
    (void)state;
    assert_int_equal(pin_json_parse(text, sizeof(text) - 1, arena, &tree, NULL), PIN_OK);
    assert_int_equal(
        pin_decode_as(pin_decode_row(PIN_KIND_SERVICE), "c1", tree, &object, NULL), PIN_OK);
    assert_in_range(malloc_usable_size(object), object_bytes + said, object_bytes + said + 24);
    pin_object_free(object);
    pin_arena_free(arena);
}

/* As an API server writes it: JSON, no kind in the item, managed fields, numbers for ports. */
static void test_an_item_of_a_list_needs_no_kind(void **state)
{
    static const char item[] =
        "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\",\"uid\":\"0f\",\"resourceVersion\":"
        "\"812\",\"creationTimestamp\":\"2026-11-21T03:04:05Z\",\"annotations\":{"
        "\"endpoints.kubernetes.io/last-change-trigger-time\":\"2026-11-21T03:04:06.5Z\"},"
        "\"managedFields\":[{\"manager\":\"kubectl\",\"fieldsV1\":{\"f:spec\":{}}}]},\"spec\":{"
        "\"ports\":[{\"name\":\"http\",\"protocol\":\"TCP\",\"port\":80,\"targetPort\":8090}],"
        "\"clusterIP\":\"10.96.1.2\",\"clusterIPs\":[\"10.96.1.2\"],\"type\":\"ClusterIP\","
        "\"sessionAffinity\":\"None\"},\"status\":{\"loadBalancer\":{}}}";
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_text shown = {0};
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)state;
    assert_int_equal(pin_json_parse(item, sizeof(item) - 1, arena, &tree, NULL), PIN_OK);
    assert_int_equal(
        pin_decode_as(pin_decode_row(PIN_KIND_SERVICE), "c1", tree, &object, NULL), PIN_OK);
    pin_arena_free(arena);
    show_object(&shown, object);
    assert_string_equal(
        pin_text_get(&shown), "Service shop/web ip=10.96.1.2 port=http:80>8090/TCP");
    assert_int_equal(object->created_s, 1795230245);
    assert_int_equal(object->trigger_wall_ms, 1795230246500);
    pin_text_done(&shown);
    pin_object_free(object);
}

static void test_an_api_object_that_is_wrong_is_named_without_a_line(void **state)
{
    static const char item[] = "{\"metadata\":{\"name\":\"web\",\"namespace\":\"shop\"},"
                               "\"spec\":{\"ports\":[{\"port\":0}]}}";
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)state;
    assert_int_equal(pin_json_parse(item, sizeof(item) - 1, arena, &tree, NULL), PIN_OK);
    assert_int_equal(
        pin_decode_as(pin_decode_row(PIN_KIND_SERVICE), "c1", tree, &object, &why), PIN_EINVAL);
    assert_string_equal(
        why.text, "Service shop/web: spec.ports[0].port: '0' is out of range, use 1 to 65535");
    pin_arena_free(arena);
}

/* Every address is in the object, and the object's own guess of its size was enough. */
static void test_a_slice_of_a_thousand_endpoints_is_read_whole(void **state)
{
    struct pin_text text = {0};
    struct pin_tree *tree = NULL;
    struct pin_object *object = NULL;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)state;
    pin_text_puts(&text, "{\"metadata\":{\"name\":\"s\"},\"addressType\":\"IPv4\",\"endpoints\":[");
    for (int i = 0; i < 1000; i++) {
        pin_text_putf(&text,
            "%s{\"addresses\":[\"10.1.%d.%d\"],\"zone\":\"z%d\",\"targetRef\":{\"kind\":\"Pod\","
            "\"name\":\"pod-%d\"}}",
            i > 0 ? "," : "", i / 256, i % 256, i % 3, i);
    }
    pin_text_puts(&text, "]}");
    assert_int_equal(pin_json_parse(text.ptr, text.len, arena, &tree, NULL), PIN_OK);
    assert_int_equal(
        pin_decode_as(pin_decode_row(PIN_KIND_ENDPOINT_SLICE), "c1", tree, &object, NULL), PIN_OK);
    const struct pin_slice_body *body = &object->as.slice;
    char pod[PIN_POD_NAME_MAX];
    assert_int_equal(body->n_endpoints, 1000);
    assert_int_equal(pin_slice_ip(body, 999).bytes[3], 999 % 256);
    assert_true(pin_slice_pod(body, 999, pod));
    assert_string_equal(pod, "pod-999");
    assert_string_equal(body->pod_prefix, "pod-");
    assert_int_equal(body->n_zones, 3);
    assert_string_equal(pin_slice_zone(body, 998), "z2");
    assert_ptr_equal(pin_slice_zone(body, 3), pin_slice_zone(body, 0));
    pin_object_free(object);
    pin_arena_free(arena);
    pin_text_done(&text);
}

static void test_the_key_alone_can_be_read(void **state)
{
    static const char item[] = "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\"},\"spec\":17}";
    struct pin_object_key key;
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    (void)state;
    assert_int_equal(pin_json_parse(item, sizeof(item) - 1, arena, &tree, NULL), PIN_OK);
    assert_int_equal(pin_decode_key(pin_decode_row(PIN_KIND_NODE), tree, &key, NULL), PIN_OK);
    assert_string_equal(key.namespace_name, "");
    assert_string_equal(key.name, "n1");
    pin_arena_free(arena);
}

static void test_every_row_is_found_by_what_it_says(void **state)
{
    (void)state;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        char api_version[128];
        assert_int_equal(row->kind, kind);
        for (size_t i = 0; i < PIN_KIND_VERSIONS_MAX && row->versions[i] != NULL; i++) {
            (void)snprintf(api_version, sizeof(api_version), "%s%s%s", row->group,
                row->group[0] != '\0' ? "/" : "", row->versions[i]);
            assert_ptr_equal(pin_decode_find(api_version, row->kind_text), row);
        }
    }
    assert_null(pin_decode_find("v2", "Service"));
    assert_null(pin_decode_find("/v1", "HTTPRoute"));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 6] = {
        cmocka_unit_test(test_a_headless_service_is_small),
        cmocka_unit_test(test_an_item_of_a_list_needs_no_kind),
        cmocka_unit_test(test_an_api_object_that_is_wrong_is_named_without_a_line),
        cmocka_unit_test(test_a_slice_of_a_thousand_endpoints_is_read_whole),
        cmocka_unit_test(test_the_key_alone_can_be_read),
        cmocka_unit_test(test_every_row_is_found_by_what_it_says),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[6 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("decode", tests, NULL, NULL);
}
