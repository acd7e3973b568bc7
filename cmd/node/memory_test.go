package main

import (
	"errors"
	"io"
	"math"
	"strings"
	"testing"

	"rescind/cmd/node/config"
)

func TestMemoryIsSharedOut(t *testing.T) {
	before := goMemoryLimit
	defer func() { goMemoryLimit = before }()
	for name, c := range map[string]struct {
		args      []string
		goLimit   int64
		records   int
		setBytes  int
		forbidden string
	}{
		"no limit":              {nil, math.MaxInt64, 10_000_000, 0, ""},
		"derived":               {[]string{"--memory.limit=428MiB"}, math.MaxInt64, 150 << 20 / 28, 150 << 20, ""},
		"derived, from Go's":    {nil, 428 << 20, 150 << 20 / 28, 150 << 20, ""},
		"ours goes before Go's": {[]string{"--memory.limit=428MiB"}, 1 << 40, 150 << 20 / 28, 150 << 20, ""},
		"more than the default": {[]string{"--memory.limit=4GiB"}, math.MaxInt64, (4<<30 - 128<<20) / 2 / 28, (4<<30 - 128<<20) / 2, ""},
		"as set, and it fits":   {[]string{"--memory.limit=4GiB", "--revocations.max=5"}, math.MaxInt64, 5, (4<<30 - 128<<20) / 2, ""},
		"as set, too many":      {[]string{"--memory.limit=428MiB", "--revocations.max=10_000_000"}, math.MaxInt64, 0, 0, "revocations.max is 10000000, but memory.limit leaves room for 5617371: lower the one or raise the other to 663 MiB"},
		"as set, what it says":  {[]string{"--memory.limit=663MiB", "--revocations.max=10_000_000"}, math.MaxInt64, 10_000_000, 535 << 20 / 4 * 2, ""},
		"the default, but set":  {[]string{"--revocations.max=10000000"}, 428 << 20, 0, 0, "but GOMEMLIMIT leaves room"},
		"small, what it says":   {[]string{"--memory.limit=162MiB", "--revocations.max=232_000"}, math.MaxInt64, 232_000, 10 << 20 / 3 * 2, ""},
		"too little at all":     {[]string{"--memory.limit=128MiB"}, math.MaxInt64, 0, 0, "memory.limit is 128 MiB"},
	} {
		goMemoryLimit = c.goLimit
		cfg, err := config.Loader{Args: c.args, Output: io.Discard}.Load()
		if err != nil {
			t.Fatal(err)
		}
		m, err := memoryOf(cfg)
		switch {
		case c.forbidden != "":
			if err == nil || !strings.Contains(err.Error(), c.forbidden) {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || m.records != c.records || m.setBytes != c.setBytes:
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestMemoryOfTheControlGroup: a node in a container whose memory nobody set keeps to
// what the container has. It used to plan with ten million revocations, and was killed
// in a loop when a small part of them was there.
func TestMemoryOfTheControlGroup(t *testing.T) {
	before := goMemoryLimit
	defer func() { goMemoryLimit = before }()
	goMemoryLimit = math.MaxInt64
	for name, c := range map[string]struct {
		args, environ []string
		cgroup        int64
		limit         int64
		records       int
		says          string
		forbidden     string
	}{
		"none":                      {nil, nil, 0, 0, 10_000_000, `limit: "" # default`, ""},
		"of it nine tenths":         {nil, nil, 512 << 20, 460 << 20, 332 << 20 / 4 / 3 * 3 * 2 / 28, "limit: 460MiB # 90 % of the control group's 512MiB", ""},
		"ours goes before it":       {[]string{"--memory.limit=428MiB"}, nil, 512 << 20, 428 << 20, 150 << 20 / 28, "limit: 428MiB # --memory.limit", ""},
		"Go's goes before it":       {nil, []string{"GOMEMLIMIT=428MiB"}, 512 << 20, 0, 10_000_000, `limit: "" # default`, ""},
		"too small, and it starts":  {nil, nil, 64 << 20, 57 << 20, 57 << 20 / 8 / 28, "90 % of the control group's 64MiB", ""},
		"more than fit were wanted": {[]string{"--revocations.max=10_000_000"}, nil, 512 << 20, 0, 0, "", "revocations.max is 10000000, but the control group's memory limit leaves room for"},
	} {
		cfg, err := config.Loader{Args: c.args, Environ: c.environ, Output: io.Discard, CgroupMemory: func() int64 { return c.cgroup }}.Load()
		if err != nil {
			t.Fatal(err)
		}
		m, err := memoryOf(cfg)
		if c.forbidden != "" {
			if err == nil || !strings.Contains(err.Error(), c.forbidden) {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		var printed strings.Builder
		if err := errors.Join(err, cfg.Print(&printed)); err != nil || m.limit != c.limit || m.records != c.records || !strings.Contains(printed.String(), c.says) {
			t.Errorf("%s: %+v, %v\n%s", name, m, err, printed.String())
		}
	}
}
