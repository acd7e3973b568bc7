package admission

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// unlimited is from where on a limit is none: cgroups of version 1 write the largest
// number of pages.
const unlimited = math.MaxInt64 / 4096 * 4096 / 2

// CgroupMemory returns the least of the memory limits of the control groups that this
// process is in, in bytes, from its own up to the root of what it sees, of version 2
// and 1; 0 if there is none.
func CgroupMemory() int64 { return cgroupMemory(os.DirFS("/")) }

func cgroupMemory(root fs.FS) int64 {
	own, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return 0 // no Linux
	}
	mounts, err := fs.ReadFile(root, "proc/self/mountinfo")
	if err != nil {
		return 0
	}
	var least int64
	for line := range strings.Lines(string(own)) {
		// hierarchy:controllers:path; version 2 has hierarchy 0 and no controllers
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		file, is := "memory.limit_in_bytes", func(m mount) bool { return m.kind == "cgroup" && has(m.options, "memory") }
		switch {
		case f[0] == "0" && f[1] == "":
			file, is = "memory.max", func(m mount) bool { return m.kind == "cgroup2" }
		case !has(f[1], "memory"):
			continue
		}
		for line := range strings.Lines(string(mounts)) {
			if m, ok := parseMount(line); ok && is(m) {
				least = smaller(least, upTheTree(root, m, f[2], file))
			}
		}
	}
	return least
}

// mount is a line of mountinfo.
type mount struct{ root, point, kind, options string }

// parseMount reads "31 23 0:28 /root /point opts shared:1 - type source superopts".
func parseMount(line string) (mount, bool) {
	before, after, ok := strings.Cut(line, " - ")
	f, g := strings.Fields(before), strings.Fields(after)
	if !ok || len(f) < 5 || len(g) < 3 {
		return mount{}, false
	}
	return mount{root: f[3], point: f[4], kind: g[0], options: g[2]}, true
}

func has(list, one string) bool {
	for s := range strings.SplitSeq(list, ",") {
		if s == one {
			return true
		}
	}
	return false
}

// upTheTree returns the least limit of a group and those above it. A container often
// sees its own group as the root of the mount while its path is the host's: what is
// not there is passed over.
func upTheTree(root fs.FS, m mount, group, file string) (least int64) {
	if below, ok := strings.CutPrefix(group, m.root); ok && m.root != "/" {
		group = below
	}
	for dir := path.Clean("/" + group); ; dir = path.Dir(dir) {
		text, err := fs.ReadFile(root, strings.TrimPrefix(path.Join(m.point, dir, file), "/"))
		if err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
			if err == nil && n > 0 && n < unlimited {
				least = smaller(least, n)
			}
		}
		if dir == "/" {
			return least
		}
	}
}

// smaller returns the smaller of two limits, of which 0 is none.
func smaller(a, b int64) int64 {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
