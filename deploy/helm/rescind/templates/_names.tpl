{{- define "rescind.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "rescind.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rescind.labels" -}}
{{ include "rescind.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "rescind.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "rescind.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{/* What is wrong with the values, before Kubernetes gets to see anything. */}}
{{- define "rescind.check" -}}
{{- if not .Values.secret.name }}{{ fail "secret.name is empty: name a Secret with cluster.key and admin.token; values.yaml says how to make one" }}{{ end }}
{{- if not .Values.issuers }}{{ fail "issuers is empty: say whose tokens are checked" }}{{ end }}
{{- if not (or .Values.gossip.enabled .Values.nats.url) }}{{ fail "neither gossip.enabled nor nats.url is set: nodes could not reach each other" }}{{ end }}
{{- range $path := list "http.addr" "node.name" "gossip.bind" "gossip.advertise" "data.dir" }}
{{- $keys := splitList "." $path }}
{{- if hasKey (get $.Values.settings (first $keys) | default dict) (last $keys) }}{{ fail (printf "settings.%s is the chart's to set: the ports, probes and names of its pods follow it" $path) }}{{ end }}
{{- end }}
{{- if and (eq .Values.store.kind "jetstream") (not .Values.nats.url) }}{{ fail "store.kind is jetstream and nats.url is empty" }}{{ end }}
{{- end }}

{{/* How the HTTP face is spoken to. */}}
{{- define "rescind.scheme" -}}
{{- if dig "http" "tls-cert-file" "" .Values.settings }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* node.yaml: what the chart knows, and over it what settings says. */}}
{{- define "rescind.config" -}}
{{- $c := dict
  "cluster" (dict "key-file" "/etc/rescind/secrets/cluster.key")
  "admin" (dict "token-file" "/etc/rescind/secrets/admin.token")
  "tokens" (dict "issuers" .Values.issuers)
  "http" (dict "addr" "0.0.0.0:8080")
  "store" (dict "kind" .Values.store.kind) }}
{{- if eq .Values.store.kind "jetstream" }}
{{- /* A pod that is killed never comes back as the same member. */}}
{{- $_ := set $c.cluster "forget-after" "2m" }}
{{- $_ := set $c "store" (dict "kind" "jetstream" "replicas" .Values.store.replicas "dangerously-assume-sync" .Values.store.assumeSync) }}
{{- end }}
{{- if and .Values.members (eq .Values.store.kind "disk") (ge (int .Values.replicas) 3) (le (int .Values.replicas) 9) }}
{{- $names := list }}
{{- range $i := until (int .Values.replicas) }}{{ $names = append $names (printf "%s-%d" (include "rescind.name" $) $i) }}{{ end }}
{{- $_ := set $c.cluster "members" $names }}
{{- end }}
{{- if .Values.nats.url }}
{{- $n := dict "url" .Values.nats.url }}
{{- if .Values.nats.credsFile }}{{ $_ := set $n "creds-file" .Values.nats.credsFile }}{{ end }}
{{- $_ := set $c "nats" $n }}
{{- end }}
{{- if .Values.gossip.enabled }}
{{- $_ := set $c "gossip" (dict "bind" (printf "0.0.0.0:%v" .Values.gossip.port) "join" (list (printf "dns+%s-gossip.%s.svc:%v" (include "rescind.name" .) .Release.Namespace .Values.gossip.port))) }}
{{- end }}
{{- mergeOverwrite $c (deepCopy .Values.settings) | toYaml }}
{{- end }}
