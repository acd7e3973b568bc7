package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"rescind/cmd/node/config"
	"rescind/httpapi"
)

// reloadEvery is how soon a changed file is noticed. Asking is cheap and works
// on every file system, also where Kubernetes swaps a folder of links.
const reloadEvery = 2 * time.Second

// unit is a part of a node that is made from settings and the files they name,
// and made again when those change.
type unit struct {
	name  string
	files func(*config.Config) []string // may have empty names, of files that are not used

	// prepare reads all that the unit needs. What it returns puts that in force and
	// can't fail.
	prepare func(*config.Config) (commit func(), err error)
}

// reloader keeps the units of a node in line with its settings. Changed settings
// are taken over by all units or none; a changed file that they name by the unit
// that reads it, whatever ails the others.
type reloader struct {
	load  func() (*config.Config, error)
	units []unit
	log   *slog.Logger

	started  *config.Config // what the process runs where a change needs a restart
	settings watched
	named    []watched // of each unit

	mu       sync.Mutex // guards what follows
	cfg      *config.Config
	loadedAt time.Time
	readAt   time.Time
	failing  map[string]string // by what is failing: why
	failures uint64
}

// watched is a set of files that are read again when they change.
type watched struct {
	read, told []stamp // of the files before they were last read; before a failure was last told
	good       bool    // they have been read since they are watched
}

func newReloader(cfg *config.Config, load func() (*config.Config, error), log *slog.Logger, units []unit) *reloader {
	r := &reloader{
		load: load, units: units, log: log, started: cfg, named: make([]watched, len(units)),
		cfg: cfg, loadedAt: time.Now(), readAt: time.Now(), failing: map[string]string{},
	}
	r.settings.read = stamps(cfg.Files())
	for i, u := range units {
		r.named[i].read = stamps(u.files(cfg))
	}
	return r
}

// run reads what changes, until ctx ends, and everything at each hangup. All is
// read once at the start, since it may have changed since it was first read. What
// fails is tried again until it succeeds, and told once for each change.
func (r *reloader) run(ctx context.Context, every time.Duration, hangup <-chan os.Signal) {
	poll := time.NewTicker(every)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			r.settings.told = nil // who asks is answered
			if r.all() {
				r.log.Info("SIGHUP: settings and files read again")
			}
		case <-poll.C:
			if !r.settings.changed(stamps(r.config().Files())) || !r.all() {
				r.each()
			}
		}
	}
}

func (w *watched) changed(now []stamp) bool { return !w.good || !slices.Equal(now, w.read) }

// settingsName is what the settings themselves are called in logs and status.
const settingsName = "settings"

// all reads the settings and whatever they name, and puts all of it in force, or
// nothing. It reports whether it did.
func (r *reloader) all() bool {
	before := stamps(r.config().Files())
	cfg, commit, read, err := r.prepare()
	if err != nil {
		r.failed(settingsName, &r.settings, before, err)
		return false
	}
	for _, c := range commit {
		c()
	}
	if !slices.Equal(before, r.settings.read) {
		r.log.Info("read again", "what", settingsName, "changed", strings.Join(r.config().Changed(cfg), ", "))
	}
	r.settings = watched{read: stampsBefore(before, r.config().Files(), cfg.Files()), good: true}
	r.tellRestart(cfg)
	for i, u := range r.units {
		if !slices.Equal(read[i], r.named[i].read) {
			r.log.Info("read again", "what", u.name)
		}
		r.named[i] = watched{read: read[i], good: true}
	}
	r.succeeded(cfg)
	return true
}

// prepare does what can fail of all.
func (r *reloader) prepare() (cfg *config.Config, commit []func(), read [][]stamp, err error) {
	if cfg, err = r.load(); err != nil {
		return nil, nil, nil, err
	}
	for _, u := range r.units {
		read = append(read, stamps(u.files(cfg)))
		c, err := u.prepare(cfg)
		if err != nil {
			return nil, nil, nil, fmt.Errorf("%s: %w", u.name, err)
		}
		commit = append(commit, c)
	}
	return cfg, commit, read, nil
}

// each reads the files of the units whose files have changed.
func (r *reloader) each() {
	cfg := r.config()
	for i, u := range r.units {
		w, now := &r.named[i], stamps(u.files(cfg))
		if !w.changed(now) {
			continue
		}
		commit, err := u.prepare(cfg)
		if err != nil {
			r.failed(u.name, w, now, err)
			continue
		}
		commit()
		if !slices.Equal(now, w.read) {
			r.log.Info("read again", "what", u.name)
		}
		*w = watched{read: now, good: true}
		r.mended(u.name)
	}
}

// failed tells once for each change that what stays as it was, and lets it be
// tried again.
func (r *reloader) failed(what string, w *watched, now []stamp, err error) {
	w.good = false
	if w.told != nil && slices.Equal(now, w.told) {
		return
	}
	w.told = now
	r.log.Error("what has changed can't be used; what was read before stays in force", "what", what, "error", err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failing[what] = err.Error()
	r.failures++
}

func (r *reloader) mended(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.failing, what)
	if len(r.failing) == 0 {
		r.readAt = time.Now()
	}
}

func (r *reloader) succeeded(cfg *config.Config) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.cfg.Changed(cfg)) > 0 {
		r.loadedAt = time.Now()
	}
	r.cfg, r.readAt, r.failing = cfg, time.Now(), map[string]string{}
}

// tellRestart names the settings of cfg that are not in force, when they are
// others than before.
func (r *reloader) tellRestart(cfg *config.Config) {
	now := r.started.NeedRestart(cfg)
	if slices.Equal(now, r.started.NeedRestart(r.config())) {
		return
	}
	if len(now) == 0 {
		r.log.Info("no setting needs a restart any more")
		return
	}
	for _, key := range now {
		r.log.Warn("this setting has changed, but takes a restart", "setting", key)
	}
}

// config returns the settings that were read last.
func (r *reloader) config() *config.Config {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cfg
}

// status is for the HTTP face.
func (r *reloader) status() httpapi.SettingsStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := httpapi.SettingsStatus{
		Digest: r.cfg.Digest(), LoadedAt: r.loadedAt, ReadAt: r.readAt,
		Failures: r.failures, NeedRestart: r.started.NeedRestart(r.cfg),
	}
	for what := range r.failing {
		s.Failing = append(s.Failing, what)
	}
	slices.Sort(s.Failing)
	return s
}

// stamp tells one version of a file from another; the zero one is of no file.
type stamp struct {
	changed time.Time
	size    int64
}

func stamps(files []string) []stamp {
	all := make([]stamp, len(files))
	for i, path := range files {
		if info, err := os.Stat(path); path != "" && err == nil {
			all[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return all
}

// stampsBefore returns the stamps of files that were read after old ones were
// stamped: of a file among those it takes that stamp, so that a change in between
// is noticed.
func stampsBefore(before []stamp, old, files []string) []stamp {
	all := stamps(files)
	for i, path := range files {
		if k := slices.Index(old, path); k >= 0 {
			all[i] = before[k]
		}
	}
	return all
}
