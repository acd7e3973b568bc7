package process

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// NodeProgram returns the path of the program rescind: the one that is named, or
// lies beside this one or on the PATH, or else is built in dir from the sources.
func NodeProgram(ctx context.Context, named, dir string) (string, error) {
	if named != "" {
		return named, nil
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "rescind")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	out := filepath.Join(dir, "rescind")
	if text, err := exec.CommandContext(ctx, "go", "build", "-o", out, "rescind/cmd/node").CombinedOutput(); err == nil {
		return out, nil
	} else if path, lookErr := exec.LookPath("rescind"); lookErr == nil {
		return path, nil
	} else {
		return "", &Missing{What: fmt.Sprintf("there is no program rescind, and go build rescind/cmd/node fails here (%v): %s", err, strings.TrimSpace(string(text)))}
	}
}

// NodeFiles are what the processes of one cluster have in common.
type NodeFiles struct {
	program, dir string
	Key          []byte // of the cluster
	Admin        string // the admin token
}

// NewNodeFiles writes the secrets and the issuer that the nodes trust into dir.
func NewNodeFiles(program, dir, issuer, audience, alg string, jwks []byte) (*NodeFiles, error) {
	f := &NodeFiles{program: program, dir: dir, Key: make([]byte, 32), Admin: rand.Text()}
	rand.Read(f.Key) // never fails
	issuers := fmt.Sprintf("- issuer: %s\n  algorithms: [%s]\n  jwks-file: %s\n", issuer, alg, f.path("jwks.json"))
	if audience != "" {
		issuers += fmt.Sprintf("  audience: [%s]\n", audience)
	}
	for name, content := range map[string]string{
		"cluster.key": base64.StdEncoding.EncodeToString(f.Key) + "\n", "admin.token": f.Admin + "\n", "jwks.json": string(jwks), "issuers.yaml": issuers,
	} {
		if err := os.WriteFile(f.path(name), []byte(content), 0o600); err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *NodeFiles) path(name string) string { return filepath.Join(f.dir, name) }

// Command returns "rescind serve" with the settings that all have, and more.
func (f *NodeFiles) Command(name, addr string, more ...string) []string {
	return append([]string{
		f.program, "serve", "--node.name", name, "--http.addr", addr, "--data.dir", f.path(name),
		"--cluster.key-file", f.path("cluster.key"), "--admin.token-file", f.path("admin.token"), "--tokens.issuers", f.path("issuers.yaml"),
		"--shutdown.delay", "0s", "--log.level", "warn",
	}, more...)
}

// ReadyAt is for process.Await: the node answers checks.
func ReadyAt(client *http.Client, addr string) func(context.Context) bool {
	return func(ctx context.Context) bool {
		status, _ := Get(ctx, client, "http://"+addr+"/readyz")
		return status == http.StatusOK
	}
}

// Get returns the status, 0 if there was no answer.
func Get(ctx context.Context, client *http.Client, url string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, Drain(resp)
}

// Drain reads an answer to its end, so that its connection is used again.
func Drain(resp *http.Response) error {
	_, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	return errors.Join(err, resp.Body.Close())
}
