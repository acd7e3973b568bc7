package main

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// TestStatusLists runs two services that know nothing of each other but a list:
// one publishes it for an issuer, the other checks the issuer's tokens by it.
func TestStatusLists(t *testing.T) {
	dir, addrs := t.TempDir(), freePorts(t, 2)
	file := func(name string) string { return filepath.Join(dir, name) }
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"keys", "generate", "--dir", dir}, nil, &out, &out}); code != 0 {
		t.Fatal(out.String())
	}
	const secret = "a secret of at least thirty-two bytes"
	base := "http://" + addrs[0]
	put(t, file("secret"), secret)
	put(t, file("home.yaml"), fmt.Sprintf("- {issuer: shop, hs256-secret-file: %s, publish-status: shop}\n", file("secret")))
	put(t, file("away.yaml"), fmt.Sprintf("- {issuer: shop, hs256-secret-file: %s, status-lists: '%s/statuslists/', status-jwks-url: '%s/.well-known/jwks.json'}\n", file("secret"), base, base))
	home := []string{
		"--http.addr", addrs[0], "--data.dir", file("home"), "--tokens.issuers", file("home.yaml"),
		"--oauth.issuer", base, "--oauth.key-file", file("oauth.jwks"), "--oauth.status-list-ttl", "1s", "--shutdown.delay", "0s",
	}
	out.Reset()
	if code := run(t.Context(), env{append([]string{"config", "check"}, home[:6]...), nil, &out, &out}); code == 0 {
		t.Error("a list without keys to sign it is accepted")
	}
	start(t, dir, binary(t, "rescind"), append([]string{"serve"}, home...)...)
	start(t, dir, binary(t, "rescind"), "serve", "--http.addr", addrs[1], "--data.dir", file("away"), "--tokens.issuers", file("away.yaml"), "--shutdown.delay", "0s")

	mint := func(index int) string {
		raw, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
			"iss": "shop", "sub": "ada", "sid": fmt.Sprint("s", index), "jti": fmt.Sprint("t", index),
			"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
			"status": map[string]any{"status_list": map[string]any{"idx": index, "uri": base + "/statuslists/shop"}},
		}).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	check := func(addr, token string) int {
		status, _ := request(t, "GET", "http://"+addr+"/v1/check", token)
		return status
	}
	revoked, other := mint(131071), mint(0)
	for _, addr := range addrs {
		await(t, "both tokens are good at "+addr, func() bool { return check(addr, revoked) == 200 && check(addr, other) == 200 })
	}
	if status, body := request(t, "DELETE", base+"/v1/session", revoked); status != 200 {
		t.Fatalf("%d: %s", status, body)
	}
	if got := check(addrs[0], revoked); got != 401 {
		t.Errorf("where it was revoked: %d", got)
	}
	await(t, "the list has told the other service", func() bool { return check(addrs[1], revoked) == 401 })
	if got := check(addrs[1], other); got != 200 {
		t.Errorf("the other token: %d", got)
	}
}
