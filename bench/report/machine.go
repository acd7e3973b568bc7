package report

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

// Machine is what the figures were measured on. What the system does not tell
// is empty.
type Machine struct {
	Go     string  `json:"go"`
	OS     string  `json:"os"`
	Arch   string  `json:"arch"`
	CPUs   int     `json:"cpus"` // that Go may use
	CPU    string  `json:"cpu"`  // its model
	Kernel string  `json:"kernel"`
	Memory float64 `json:"memory_bytes"`
	Load   float64 `json:"load"` // processes that wanted a processor in the minute before; -1: unknown
}

func thisMachine() Machine {
	m := Machine{Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	m.CPU = field("/proc/cpuinfo", "model name")
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	var kib float64
	if n, _ := fmt.Sscanf(field("/proc/meminfo", "MemTotal"), "%f kB", &kib); n == 1 {
		m.Memory = kib * 1024
	}
	return m
}

// Same reports whether figures of both may be compared: the load does not
// matter, nor does the patch of the kernel.
func (m Machine) Same(other Machine) bool {
	m.Load, other.Load, m.Kernel, other.Kernel = 0, 0, "", ""
	return m == other
}

// field returns the value of the first line of a file that begins with name
// and a colon.
func field(path, name string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(b)) {
		key, value, found := strings.Cut(line, ":")
		if found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// measured are the modules whose versions a reader wants to know.
var measured = []string{
	"github.com/HdrHistogram/hdrhistogram-go", "github.com/bits-and-blooms/bloom/v3", "github.com/cockroachdb/pebble/v2", "github.com/golang-jwt/jwt/v5",
	"github.com/hashicorp/memberlist", "github.com/nats-io/nats-server/v2", "github.com/nats-io/nats.go", "github.com/redis/go-redis/v9", "github.com/jackc/pgx/v5",
}

// versions returns the commit that the program was built from and the modules
// it holds.
func versions() (own string, modules []Module) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "", nil
	}
	own = info.Main.Version
	dirty := ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			own = s.Value[:min(12, len(s.Value))]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	for _, m := range info.Deps {
		if slices.Contains(measured, m.Path) {
			modules = append(modules, Module{m.Path, m.Version})
		}
	}
	return own + dirty, modules
}
