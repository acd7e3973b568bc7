package remote

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNewNodesRefusesOddURLs(t *testing.T) {
	admin := filepath.Join(t.TempDir(), "admin")
	if err := os.WriteFile(admin, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{"http://one", "http://one,two", "http://one,ftp://two", "http://one,http://user:pass@two", "http://one,http://"} {
		if _, err := NewNodes(list, admin, ""); err == nil || strings.Contains(err.Error(), "pass") {
			t.Errorf("%s: %v", list, err)
		}
	}
	if _, err := NewNodes("http://one,http://two", "", ""); err == nil {
		t.Error("no admin token is needed?")
	}
	nodes, err := NewNodes("http://one:8080/, https://two", admin, "")
	if err != nil || nodes[0].URL != "http://one:8080" || nodes[1].URL != "https://two" {
		t.Errorf("%v, %v", nodes, err)
	}
}
