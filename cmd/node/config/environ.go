package config

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// injected matches what Kubernetes sets in every container for each Service of
// the namespace whose name is rescind or begins with rescind-.
var injected = regexp.MustCompile(`^RESCIND_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_[A-Z]+)?)$`)

// injectedPort matches one more.
var injectedPort = regexp.MustCompile(`^RESCIND_([A-Z0-9_]+_)?PORT$`)

// byKubernetes reports whether Kubernetes may have set a variable. Its values
// are checked too, because RESCIND_HTTP_PORT=80 and RESCIND_SERVICE_HOST=db are
// somebody's mistakes.
func byKubernetes(name, text string) bool {
	switch {
	case strings.HasSuffix(name, "SERVICE_HOST"):
		_, err := netip.ParseAddr(text)
		return err == nil && injected.MatchString(name)
	case strings.Contains(name, "SERVICE_PORT"):
		_, err := strconv.ParseUint(text, 10, 16)
		return err == nil && injected.MatchString(name)
	default:
		return injected.MatchString(name) || injectedPort.MatchString(name) && strings.Contains(text, "://")
	}
}

// environ reads the variables that begin with RESCIND_. An empty one counts as
// not set, but its name is checked.
func (r *reading) environ(environ []string) map[string]value {
	keys := map[string]string{envName(configKey): configKey}
	for _, s := range r.settings {
		keys[s.Env] = s.Key
	}
	values := map[string]value{}
	for _, pair := range environ {
		name, text, _ := strings.Cut(pair, "=")
		rest, ours := strings.CutPrefix(name, envPrefix)
		key, known := keys[name]
		switch {
		case !ours || known && text == "":
		case known:
			values[key] = value{text: text, source: name}
		case !byKubernetes(name, text):
			r.unknown(name, "environment", strings.ToLower(rest), envName)
		}
	}
	return values
}
