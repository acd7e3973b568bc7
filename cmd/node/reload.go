package main

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"time"
)

// reloadEvery is how soon a changed file is noticed. Asking is cheap and works
// on every file system, also where Kubernetes swaps a folder of links.
const reloadEvery = 2 * time.Second

// reload is something that is made from files and made again when they change.
type reload struct {
	what  string
	files []string
	apply func() error // on an error what was there stays in force
}

// watchFiles applies each reload whose files have changed, until ctx ends.
func watchFiles(ctx context.Context, all []reload, every time.Duration, log *slog.Logger) {
	seen := make([][]stamp, len(all))
	for i, r := range all {
		seen[i] = stamps(r.files)
	}
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		for i, r := range all {
			now := stamps(r.files)
			if slices.Equal(now, seen[i]) {
				continue
			}
			seen[i] = now
			if err := r.apply(); err != nil {
				log.Error("a changed file can't be used; what was read before stays in force", "what", r.what, "error", err)
				continue
			}
			log.Info("read again", "what", r.what)
		}
	}
}

// stamp tells one version of a file from another; the zero one is of no file.
type stamp struct {
	changed time.Time
	size    int64
}

func stamps(files []string) []stamp {
	all := make([]stamp, len(files))
	for i, path := range files {
		if info, err := os.Stat(path); err == nil {
			all[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}
