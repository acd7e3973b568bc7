package main

import (
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
		"derived":               {[]string{"--memory.limit=428MiB"}, math.MaxInt64, 200 << 20 / 28, 200 << 20, ""},
		"derived, from Go's":    {nil, 428 << 20, 200 << 20 / 28, 200 << 20, ""},
		"ours goes before Go's": {[]string{"--memory.limit=428MiB"}, 1 << 40, 200 << 20 / 28, 200 << 20, ""},
		"more than the default": {[]string{"--memory.limit=4GiB"}, math.MaxInt64, (4<<30 - 128<<20) / 3 * 2 / 28, (4<<30 - 128<<20) / 3 * 2, ""},
		"as set, and it fits":   {[]string{"--memory.limit=4GiB", "--revocations.max=5"}, math.MaxInt64, 5, (4<<30 - 128<<20) / 3 * 2, ""},
		"as set, too many":      {[]string{"--memory.limit=428MiB", "--revocations.max=10_000_000"}, math.MaxInt64, 0, 0, "revocations.max is 10000000, but memory.limit leaves room for 7489828: lower the one or raise the other to 529 MiB"},
		"the default, but set":  {[]string{"--revocations.max=10000000"}, 428 << 20, 0, 0, "but GOMEMLIMIT leaves room"},
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
