package httpapi

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAttackBodiesNobodyMaySend asks every endpoint without the right to, and never
// sends the body that the headers announce. Where a header decides, the refusal comes
// at once and the body is not asked for. Where the body holds the credentials, and only
// there, it is read.
func TestAttackBodiesNobodyMaySend(t *testing.T) {
	r := offering(t, func(c *Config) {
		c.Clients = []Client{{ID: "app", SecretHash: hashed(t, appSecret), Introspect: true}}
	})
	addr := serve(t, r, nil)
	credentials := map[string]string{
		"nothing":  "",
		"a bearer": "Authorization: Bearer of-nobody-at-all\r\n",
		"a client": "Authorization: Basic YXBwOndyb25n\r\n", // app:wrong
	}
	inBody := func(rt route, given string) bool {
		switch {
		case rt.path == "/oauth2/revoke": // possession of the token is enough, unless a client says who it is
			return given != "a client"
		case rt.path == "/oauth2/introspect": // client_secret_post
			return given == "nothing"
		}
		return rt.who == "token"
	}
	for _, rt := range r.api.table() {
		paths := []string{rt.path}
		if rt.path == dashboardPath {
			paths = []string{rt.path + "revoke", rt.path + "nothing"} // the form that signs in holds the token
		}
		method := rt.method
		if method == anyMethod {
			method = http.MethodPost
		}
		if method == http.MethodGet || rt.path == checkPath {
			continue // takes no body
		}
		for given, header := range credentials {
			if inBody(rt, given) {
				continue
			}
			for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
				for _, path := range paths {
					t.Run(fmt.Sprintf("%s by %s %q", path, given, expect), func(t *testing.T) {
						refusedAtOnce(t, addr, method+" "+path+" HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"+header+expect+"\r\n")
					})
				}
			}
		}
	}
	for _, line := range []string{"POST /nothing", "POST /healthz", "PUT /v1/revocations"} {
		t.Run(line, func(t *testing.T) {
			refusedAtOnce(t, addr, line+" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
		})
	}
}

// refusedAtOnce sends head and no body, and wants a refusal long before the server
// would give up waiting for the body.
func refusedAtOnce(t *testing.T, addr, head string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(8 * time.Second)) // ReadTimeout is 15 s
	if _, err := io.WriteString(conn, head); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 4") || strings.Contains(line, " 408 ") {
		t.Errorf("answered %q: %v", line, err)
	}
}
