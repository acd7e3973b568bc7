package carrier

import "fmt"

func subjectAll(cluster string) string { return "rescind." + subjectToken(cluster) + ".all" }

func subjectNode(cluster string, node Node) string {
	return "rescind." + subjectToken(cluster) + ".node." + node.String()
}

// subjectToken turns a cluster's name into one token of a subject. Letters,
// digits, - and _ stand for themselves, every other byte for = and two
// hexadecimal digits, so that no name can hold a separator or a wildcard, and
// no two names share a token.
func subjectToken(name string) string {
	token := make([]byte, 0, len(name))
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
			token = append(token, c)
		default:
			token = fmt.Appendf(token, "=%02x", c)
		}
	}
	return string(token)
}
