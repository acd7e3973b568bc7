package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// rescind runs a command of the real binary against node i and returns its exit
// code and what it says.
func (s *site) rescind(i int, stdin string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	name, rest := args[0], args[1:]
	cmd := exec.Command(binary(s.t, "rescind"), append([]string{name, "--addr", s.http[i], "--admin-token-file", filepath.Join(s.dir, "keys", "admin.token")}, rest...)...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Dir = strings.NewReader(stdin), &out, &errs, s.dir
	err := cmd.Run()
	if _, ended := err.(*exec.ExitError); err != nil && !ended {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// TestCommands runs the commands that talk to a node, in words and as JSON.
func TestCommands(t *testing.T) {
	s := newSite(t, "gossip")
	says := func(want int, says string, stdin string, args ...string) string {
		t.Helper()
		code, out, errs := s.rescind(0, stdin, args...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d\n%s%s\nwant %d and %q", args, code, out, errs, want, says)
		}
		return out
	}
	ada, ben := s.mint("ada", "phone"), s.mint("ben", "phone")

	// Revoke from arguments, a token from standard input, lines from there and
	// from a file.
	says(0, "revoked          sub ", "", "revoke", "--scope", "sub", "--id", "eve", "--ack", "all")
	var receipt struct{ Acknowledged []any }
	if out := says(0, "", ada, "revoke", "--token", "-", "--ack", "all", "--json"); json.Unmarshal([]byte(out), &receipt) != nil || len(receipt.Acknowledged) != 2 {
		t.Errorf("a receipt as JSON: %s", out)
	}
	s.expect(401, ada)
	says(0, "2 lines, 2 revoked, 0 failed", "{\"scope\":\"jti\",\"id\":\"a\"}\n{\"scope\":\"jti\",\"id\":\"b\"}\n", "revoke", "--file", "-")
	put(t, filepath.Join(s.dir, "lines"), strings.Repeat("{\"scope\":\"jti\",\"id\":\"c\"}\n", 50)+"{\"scope\":\"nothing\",\"id\":\"c\"}\n")
	says(1, "line 51: scope", "", "revoke", "--file", "lines")
	says(2, "no such file", "", "revoke", "--file", "gone")

	// Check, and why.
	says(0, "valid", ben, "check")
	says(1, "revoked", ada, "check")
	says(0, `"verdict":"valid"`, ben, "check", "--json")
	if out := says(1, "SCOPE", ada, "check", "--explain"); !strings.Contains(out, "jti") || !strings.Contains(out, "revoked") {
		t.Errorf("why: %s", out)
	}
	says(0, "not-revoked", ben, "check", "--explain")
	var why struct{ Scopes []any }
	if out := says(1, "", ada, "check", "--explain", "--json"); json.Unmarshal([]byte(out), &why) != nil || len(why.Scopes) < 4 {
		t.Errorf("why, as JSON: %s", out)
	}
	says(2, "no token", "", "check")

	// Tables.
	says(0, "revocations  5 of", "", "status")
	says(0, "NAME", "", "members")
	var members struct{ Members []any }
	if out := says(0, "", "", "members", "--json"); json.Unmarshal([]byte(out), &members) != nil || len(members.Members) != 2 {
		t.Errorf("members as JSON: %s", out)
	}

	s.watch()
	s.backUpAndRestore(says, ada)
}

// watch watches revocations as they come, until it is interrupted.
func (s *site) watch() {
	t := s.t
	t.Helper()
	p := start(t, s.dir, binary(t, "rescind"), "watch", "--addr", s.http[1], "--admin-token-file", "keys/admin.token")
	n := 0
	await(t, "an event", func() bool { // it begins with its connection, which nobody tells
		n++
		s.rescind(0, "", "revoke", "--scope", "jti", "--id", fmt.Sprint("watched", n))
		return strings.Contains(p.out.String(), "revoked jti ")
	})
	if err := p.end(t, os.Interrupt); err != nil {
		t.Errorf("watch after Ctrl-C: %v", err)
	}
}

// backUpAndRestore takes a backup, loses every folder, and restores it into
// one of the new nodes, from where it reaches all.
func (s *site) backUpAndRestore(says func(int, string, string, ...string) string, revoked string) {
	t := s.t
	t.Helper()
	says(0, "wrote all.rescind", "", "backup", "all.rescind")
	file := get(t, filepath.Join(s.dir, "all.rescind"))
	if info, err := os.Stat(filepath.Join(s.dir, "all.rescind")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, secret := range []string{"eve", strings.TrimSpace(get(t, filepath.Join(s.dir, "keys", "cluster.key")))} {
		if strings.Contains(file, secret) {
			t.Errorf("the backup holds %q", secret)
		}
	}
	says(2, "name the file", "", "backup")
	says(2, "no such file", "", "restore", "gone.rescind")

	before := s.origin(0)
	for i, p := range s.nodes {
		p.kill()
		if err := os.RemoveAll(filepath.Join(s.dir, fmt.Sprint("data", i))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range s.nodes {
		s.start(i)
	}
	s.ready()
	s.expect(200, revoked) // it is forgotten
	put(t, filepath.Join(s.dir, "cut.rescind"), file[:len(file)-9])
	put(t, filepath.Join(s.dir, "forged.rescind"), file[:100]+"x"+file[101:])
	says(1, "cut off", "", "restore", "cut.rescind")
	says(1, "damaged or forged", "", "restore", "forged.rescind")
	says(1, "no backup", "hello", "restore", "-")
	says(0, "restored ", "", "restore", "all.rescind")
	s.expect(401, revoked)
	if s.origin(0) == before {
		t.Error("the node has the identity of the one that the backup was taken of")
	}
	if out := says(0, "", file, "restore", "-", "--json"); !strings.Contains(out, `"lapsed":0`) {
		t.Errorf("restored from standard input: %s", out)
	}
	if err := s.nodes[0].end(t, syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	says(3, "reach the node", "", "backup", "later.rescind")
	if _, err := os.Stat(filepath.Join(s.dir, "later.rescind")); err == nil {
		t.Error("a backup that failed has left a file")
	}
}

// origin returns who a node is.
func (s *site) origin(i int) string {
	s.t.Helper()
	_, out, _ := s.rescind(i, "", "status", "--json")
	var v struct{ Origin string }
	if err := json.Unmarshal([]byte(out), &v); err != nil || v.Origin == "" {
		s.t.Fatalf("status: %s", out)
	}
	return v.Origin
}

// TestCompletion loads the script into a bash and lets it complete.
func TestCompletion(t *testing.T) {
	script := func(shell string) string {
		var out, errs bytes.Buffer
		if code := run(t.Context(), env{[]string{"completion", shell}, strings.NewReader(""), &out, &errs}); code != 0 {
			t.Fatalf("%s: exit code %d, %s", shell, code, errs.String())
		}
		return out.String()
	}
	for line, want := range map[string][]string{
		"rescind ba":              {"backup"},
		"rescind check --ex":      {"--explain"},
		"rescind serve --store.k": {"--store.kind"},
		"rescind keys ro":         {"rotate"},
		"rescind completion ":     {"bash", "zsh", "fish"},
		"rescind revoke --isk":    nil,
	} {
		words := strings.Fields(line)
		if strings.HasSuffix(line, " ") {
			words = append(words, "")
		}
		drive := fmt.Sprintf("%s\nCOMP_WORDS=(%s)\nCOMP_CWORD=%d\n_rescind\nprintf '%%s\\n' \"${COMPREPLY[@]}\"\n", script("bash"), quoted(words), len(words)-1)
		out, err := exec.Command("bash", "-c", drive).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if got := strings.Fields(string(out)); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%q completes to %v, want %v", line, got, want)
		}
	}
	for shell, says := range map[string]string{"zsh": "bashcompinit", "fish": "complete -c rescind -n '__fish_seen_subcommand_from check' -l explain"} {
		if got := script(shell); !strings.Contains(got, says) {
			t.Errorf("%s: %s", shell, got)
		}
	}
	var out bytes.Buffer
	if code := run(t.Context(), env{[]string{"completion", "tcsh"}, strings.NewReader(""), &out, &out}); code != 2 {
		t.Errorf("another shell: exit code %d", code)
	}
}

func quoted(words []string) string {
	var all []string
	for _, w := range words {
		all = append(all, "'"+w+"'")
	}
	return strings.Join(all, " ")
}

// TestBar: what it shows, and that it is still where there is no terminal.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	b := &bar{w: &out, now: func() time.Time { return now }, began: now, size: 1000}
	r := b.reading(strings.NewReader(strings.Repeat("x", 1000)))
	part := make([]byte, 250)
	for _, want := range []string{"[#######.......................]  25 %, 30s left", "[###############...............]  50 %, 20s left", "[######################........]  75 %, 10s left", "[##############################] 100 %"} {
		now = now.Add(10 * time.Second)
		out.Reset()
		if _, err := r.Read(part); err != nil || !strings.Contains(out.String(), want) {
			t.Errorf("%q, %v; want %q", out.String(), err, want)
		}
	}
	b.end()
	b.end()
	out.Reset()
	if b.add(1); out.Len() > 0 {
		t.Errorf("after its end: %q", out.String())
	}
	f, err := os.Open("bar.go")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if none := newBar(&out, f); none != nil || none.reading(f) != f {
		t.Error("a bar where there is no terminal")
	}
	(*bar)(nil).end()
}
