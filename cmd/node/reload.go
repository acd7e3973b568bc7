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
	read  []stamp      // of the files before they were last read
	again bool         // they have been read since they are watched
}

// reload has watchFiles call apply when one of the files changes, and once at the
// start: one may have changed since it was first read. Empty names are of files
// that are not used.
func (f *face) reload(what string, apply func() error, files ...string) {
	files = slices.DeleteFunc(files, func(name string) bool { return name == "" })
	if len(files) > 0 {
		f.reloads = append(f.reloads, reload{what: what, files: files, apply: apply, read: stamps(files)})
	}
}

// watchFiles applies each reload whose files have changed since they were read,
// until ctx ends. What fails is tried again until it succeeds, and told once for
// each change.
func watchFiles(ctx context.Context, all []reload, every time.Duration, log *slog.Logger) {
	told := make([][]stamp, len(all))
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-poll.C:
		}
		for i := range all {
			r, now := &all[i], stamps(all[i].files)
			changed := !slices.Equal(now, r.read)
			if !changed && r.again {
				continue
			}
			if err := r.apply(); err != nil {
				if !slices.Equal(now, told[i]) {
					log.Error("a changed file can't be used; what was read before stays in force", "what", r.what, "error", err)
				}
				told[i] = now
				continue
			}
			if changed {
				log.Info("read again", "what", r.what)
			}
			r.read, r.again = now, true
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
