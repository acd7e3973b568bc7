{{/* The pod, which both kinds of store share. */}}
{{- define "rescind.pod" -}}
metadata:
  labels:
    {{- include "rescind.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    # Running nodes read a change of the issuers; others take a restart.
    checksum/config: {{ omit (include "rescind.config" . | fromYaml) "tokens" | toYaml | sha256sum }}
    {{- with .Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "rescind.serviceAccount" . }}
  automountServiceAccountToken: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # shutdown.delay is 5 s, and handing over takes a little.
  terminationGracePeriodSeconds: 30
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  containers:
    - name: rescind
      image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/rescind/config/node.yaml]
      env:
        - name: RESCIND_NODE_NAME
          valueFrom: {fieldRef: {fieldPath: metadata.name}}
        {{- if .Values.gossip.enabled }}
        - name: POD_IP
          valueFrom: {fieldRef: {fieldPath: status.podIP}}
        - name: RESCIND_GOSSIP_ADVERTISE
          value: "$(POD_IP)" # at the port of gossip.bind; an address of IPv6 has no brackets here
        {{- end }}
        {{- with .Values.resources.limits }}
        {{- with .memory }}
        - name: GOMEMLIMIT
          value: {{ include "rescind.memLimit" (dict "memory" . "percent" $.Values.goMemLimitPercent) | quote }}
        {{- end }}
        {{- end }}
      ports:
        - {name: http, containerPort: 8080}
        {{- if .Values.gossip.enabled }}
        - {name: gossip-tcp, containerPort: {{ .Values.gossip.port }}}
        - {name: gossip-udp, containerPort: {{ .Values.gossip.port }}, protocol: UDP}
        {{- end }}
      # Loading ten million revocations takes some ten seconds.
      startupProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ include "rescind.scheme" . }}}
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ include "rescind.scheme" . }}}
        periodSeconds: 10
        timeoutSeconds: 5
      # Ready says: it has loaded and synchronised, so that it knows what is revoked.
      readinessProbe:
        httpGet: {path: /readyz, port: http, scheme: {{ include "rescind.scheme" . }}}
        periodSeconds: 2
        timeoutSeconds: 2
        failureThreshold: 2
      resources: {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: {drop: [ALL]}
      volumeMounts:
        - {name: config, mountPath: /etc/rescind/config, readOnly: true}
        - {name: secrets, mountPath: /etc/rescind/secrets, readOnly: true}
        - {name: data, mountPath: /data}
  volumes:
    - name: config
      configMap: {name: {{ include "rescind.name" . }}}
    - name: secrets
      secret: {secretName: {{ .Values.secret.name }}, defaultMode: 0440}
    {{- if eq .Values.store.kind "jetstream" }}
    - name: data
      emptyDir: {sizeLimit: 64Mi}
    {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if .Values.topologySpread }}
  topologySpreadConstraints:
    {{- range $key := list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels: {{- include "rescind.selector" $ | nindent 10 }}
    {{- end }}
  {{- end }}
{{- end }}

{{/* A share of a memory limit, in bytes. */}}
{{- define "rescind.memLimit" -}}
{{- $units := dict "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "" 1 }}
{{- $m := toString .memory }}
{{- $number := regexFind "^[0-9]+" $m }}
{{- $unit := trimPrefix $number $m }}
{{- if not (hasKey $units $unit) }}{{ fail (printf "resources.limits.memory is %s; use a whole number of Ki, Mi, Gi, M or G" $m) }}{{ end }}
{{- div (mul (int64 $number) (int64 (get $units $unit)) (int64 .percent)) 100 }}
{{- end }}
