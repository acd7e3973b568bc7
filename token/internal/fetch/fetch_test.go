package fetch

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestRedirectsStayOnHTTPS(t *testing.T) {
	for target, ok := range map[string]bool{
		"https://elsewhere.example/jwks": true,
		"http://elsewhere.example/jwks":  false,
		"http://127.0.0.1/jwks":          false, // from https to this host: SSRF
		"ftp://elsewhere.example/jwks":   false,
	} {
		var visited []string
		client := Client(&http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			visited = append(visited, r.URL.String())
			resp := &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("{}")), Request: r}
			if len(visited) == 1 {
				resp.StatusCode = 302
				resp.Header.Set("Location", target)
			}
			return resp, nil
		})})
		_, err := Download(context.Background(), client, "https://issuer.example/jwks", Document{Name: "the keys", MaxBytes: 100})
		if (err == nil) != ok || (len(visited) == 2) != ok {
			t.Errorf("%s: visited %v, error %v", target, visited, err)
		}
	}
}

func TestURLsThatMayBeFetched(t *testing.T) {
	for url, ok := range map[string]bool{
		"https://issuer.example/jwks": true, "http://localhost:8080/jwks": true, "http://127.0.0.1/jwks": true, "http://[::1]/jwks": true,
		"http://issuer.example/jwks": false, "http://localhost.example/": false, "file:///etc/passwd": false, "jwks.json": false, "": false, "https://": false,
	} {
		if err := CheckURL(url); (err == nil) != ok {
			t.Errorf("%s: %v", url, err)
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
