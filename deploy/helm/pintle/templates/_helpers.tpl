{{- /* SPDX-License-Identifier: Apache-2.0 */ -}}

{{- define "pintle.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "pintle.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}
{{- .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What has no namespace is told apart by that of the release, too. */ -}}
{{- define "pintle.clusterName" -}}
{{- $full := include "pintle.fullname" . }}
{{- eq $full .Release.Namespace | ternary $full (printf "%s-%s" .Release.Namespace $full) | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- define "pintle.selectorLabels" -}}
app.kubernetes.io/name: {{ include "pintle.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "pintle.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "pintle.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "pintle.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "pintle.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "pintle.serviceName" -}}
{{- default (include "pintle.fullname" .) .Values.service.name }}
{{- end }}

{{- /* The port in an address of the configuration, "192.0.2.1:5353" or "[::1]:5353"; else the second argument. */ -}}
{{- define "pintle.portOf" -}}
{{- $address := index . 0 | toString }}
{{- if or (regexMatch "^[^:]*:[0-9]+$" $address) (regexMatch "\\]:[0-9]+$" $address) }}
{{- regexFind "[0-9]+$" $address }}
{{- else }}
{{- index . 1 }}
{{- end }}
{{- end }}

{{- /* Ports of the configuration, each once: JSON {"ports": [{name, port, servicePort, protocols}]}. */ -}}
{{- define "pintle.dnsPorts" -}}
{{- $root := . }}
{{- $ports := list }}
{{- $seen := dict }}
{{- range (.Values.config.listen | default (list (dict "address" "127.0.0.1:5300"))) }}
{{- $port := include "pintle.portOf" (list .address 5300) | int }}
{{- $kind := hasKey . "tls" | ternary "dot" (hasKey . "https" | ternary "doh" "dns") }}
{{- if not (hasKey $seen (toString $port)) }}
{{- $_ := set $seen (toString $port) true }}
{{- $n := 0 }}
{{- range $ports }}{{- if eq .kind $kind }}{{- $n = add1 $n }}{{- end }}{{- end }}
{{- $first := eq $kind "dot" | ternary 853 (eq $kind "doh" | ternary 443 (int $root.Values.service.port)) }}
{{- $ports = append $ports (dict "kind" $kind "name" (eq $n 0 | ternary $kind (printf "%s-%d" $kind $port)) "port" $port "servicePort" (eq $n 0 | ternary $first $port) "protocols" (eq $kind "dns" | ternary (list "UDP" "TCP") (list "TCP"))) }}
{{- end }}
{{- end }}
{{- dict "ports" $ports | toJson }}
{{- end }}

{{- define "pintle.metricsPort" -}}
{{- if not .Values.config.metrics }}
{{- fail "config.metrics.address is needed: kubelet asks there whether the pod is well, e.g. {address: \"0.0.0.0:9154\"}" }}
{{- end }}
{{- include "pintle.portOf" (list .Values.config.metrics.address 9154) }}
{{- end }}

{{- /* "true" where the cluster that the pod runs in is one of those that are read, else nothing. */ -}}
{{- define "pintle.isLocal" -}}
{{- range .Values.config.clusters }}{{- if .inCluster }}true{{- break }}{{- end }}{{- end }}
{{- end }}

{{- /* Roles that the configuration needs in this cluster: JSON {"roles": [...]}, the names of deploy/rbac. */ -}}
{{- define "pintle.writeRoles" -}}
{{- $w := include "pintle.isLocal" . | eq "true" | ternary (.Values.config.writeBack | default dict) dict }}
{{- $roles := list }}
{{- if or $w.annotations $w.latticeAnnotation }}{{- $roles = append $roles "annotations" }}{{- end }}
{{- if $w.status }}{{- $roles = append $roles "status" }}{{- end }}
{{- if $w.mcs }}{{- $roles = append $roles "mcs" }}{{- end }}
{{- if $w.events }}{{- $roles = append $roles "events" }}{{- end }}
{{- if $w.cleanup }}{{- $roles = uniq (concat $roles (list "annotations" "status" "mcs")) }}{{- end }}
{{- dict "roles" $roles | toJson }}
{{- end }}

{{- /* Leases that the configuration needs in this cluster: JSON {"leases": [{namespace, name}]}. */ -}}
{{- define "pintle.leases" -}}
{{- $leases := list }}
{{- if (include "pintle.writeRoles" . | fromJson).roles }}
{{- $l := (.Values.config.writeBack | default dict).lease | default dict }}
{{- $leases = append $leases (dict "namespace" (default "pintle-system" $l.namespace) "name" (default "pintle-writer" $l.name)) }}
{{- end }}
{{- $r := .Values.config.recordsLease | default dict }}
{{- range .Values.config.clusters }}
{{- if and .inCluster (eq (toString .name) (toString $r.cluster)) }}
{{- $leases = append $leases (dict "namespace" (default "pintle-system" $r.namespace) "name" (default "pintle-records" $r.name)) }}
{{- end }}
{{- end }}
{{- dict "leases" $leases | toJson }}
{{- end }}
