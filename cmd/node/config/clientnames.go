package config

import (
	"errors"
	"strings"
)

// clientNames is admin.client-names.
func clientNames() codec {
	return codec{
		store: func(c *Config, v value) error {
			var names []string
			for s := range strings.SplitSeq(v.text, ",") {
				if s = strings.TrimSpace(s); s == "" {
					continue // a trailing comma
				}
				kind, name, _ := strings.Cut(s, ":")
				if name == "" || kind != "uri" && kind != "dns" && kind != "cn" {
					return errors.New("uri:, dns: or cn: and a name without commas, such as uri:spiffe://example/ops or cn:alice, several as a list or separated by commas")
				}
				names = append(names, s)
			}
			c.Admin.ClientNames = names
			return nil
		},
		show: func(c *Config) any { return c.Admin.ClientNames },
	}
}
