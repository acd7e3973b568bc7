package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rescind/cmd/node/config"
)

// reloadRig is a reloader of two units, each of which reads a file.
type reloadRig struct {
	dir      string
	r        *reloader
	log      lockedBuffer
	inForce  [2]string // what the units have committed
	attempts [2]int
	hangup   chan os.Signal
}

// newReloadRig runs one on the fake clock of the test.
func newReloadRig(t *testing.T) *reloadRig {
	rig := &reloadRig{dir: t.TempDir(), hangup: make(chan os.Signal, 1)}
	rig.put(t, "node.yaml", "log: {level: info}\n")
	unitOf := func(i int, name string) unit {
		path := filepath.Join(rig.dir, name)
		rig.put(t, name, "first")
		return unit{name, func(*config.Config) []string { return []string{path} }, func(*config.Config) (func(), error) {
			rig.attempts[i]++
			b, err := os.ReadFile(path)
			if strings.HasPrefix(string(b), "broken") {
				err = errors.New("it is broken")
			}
			return func() { rig.inForce[i] = string(b) }, err
		}}
	}
	load := func() (*config.Config, error) {
		return config.Loader{Args: []string{"--config", filepath.Join(rig.dir, "node.yaml")}}.Load()
	}
	cfg, err := load()
	if err != nil {
		t.Fatal(err)
	}
	rig.r = newReloader(cfg, load, slog.New(slog.NewTextHandler(&rig.log, nil)), []unit{unitOf(0, "a"), unitOf(1, "b")})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); rig.r.run(ctx, time.Second, rig.hangup) }()
	t.Cleanup(func() { stop(); <-ended })
	return rig
}

func (rig *reloadRig) put(t *testing.T, name, content string) {
	t.Helper()
	put(t, filepath.Join(rig.dir, name), content)
}

// passed lets files be looked at so many times.
func (rig *reloadRig) passed(times int) {
	time.Sleep(time.Duration(times) * time.Second)
	synctest.Wait()
}

func (rig *reloadRig) want(t *testing.T, a, b, level string, failing ...string) {
	t.Helper()
	if rig.inForce != [2]string{a, b} || strings.ToLower(rig.r.config().Log.Level.String()) != level {
		t.Errorf("in force is %q at level %v, want %q %q at %s\n%s", rig.inForce, rig.r.config().Log.Level, a, b, level, rig.log.String())
	}
	if got := rig.r.status().Failing; !slices.Equal(got, failing) {
		t.Errorf("failing is %q, want %q", got, failing)
	}
}

// Everything is read once at the start, and then nothing that stays.
func TestReloadAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newReloadRig(t)
		rig.put(t, "a", "changed since it was first read")
		rig.passed(10)
		rig.want(t, "changed since it was first read", "first", "info")
		if rig.attempts != [2]int{1, 1} {
			t.Errorf("the files were read %d times", rig.attempts)
		}
	})
}

// Changed settings are taken over by all units or none; told once; tried again.
func TestReloadIsAllOrNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newReloadRig(t)
		rig.passed(1)
		rig.put(t, "b", "broken")
		rig.passed(1)
		rig.put(t, "node.yaml", "log: {level: debug}\n")
		rig.passed(5)
		rig.want(t, "first", "first", "info", "b", "settings")
		rig.put(t, "node.yaml", "log: {level: nonsense}\n")
		rig.passed(5)
		rig.want(t, "first", "first", "info", "b", "settings")
		if n := strings.Count(rig.log.String(), "stays in force"); n != 3 {
			t.Errorf("three faults are told %d times:\n%s", n, rig.log.String())
		}
		if got := rig.r.status().Failures; got != 3 {
			t.Errorf("%d failures are counted", got)
		}
		rig.put(t, "a", "a file of its own")
		rig.passed(1) // is taken over by its unit, while the settings and the other are broken
		rig.want(t, "a file of its own", "first", "info", "b", "settings")
		rig.put(t, "node.yaml", "log: {level: warn}\n")
		rig.passed(1)
		rig.want(t, "a file of its own", "first", "info", "b", "settings")
		before := rig.r.status().ReadAt
		rig.put(t, "b", "good again")
		rig.passed(1)
		rig.want(t, "a file of its own", "good again", "warn")
		if s := rig.r.status(); !s.ReadAt.After(before) || !s.LoadedAt.After(before) {
			t.Errorf("the status is %+v", s)
		}
	})
}

// SIGHUP reads all, also what seems to be the same.
func TestReloadAtHangup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newReloadRig(t)
		rig.passed(1)
		rig.hangup <- os.Interrupt
		synctest.Wait()
		if rig.attempts != [2]int{2, 2} || !strings.Contains(rig.log.String(), "SIGHUP") {
			t.Errorf("the files were read %d times:\n%s", rig.attempts, rig.log.String())
		}
		rig.put(t, "b", "broken")
		for range 2 { // who asks twice is answered twice
			rig.hangup <- os.Interrupt
			synctest.Wait()
		}
		rig.want(t, "first", "first", "info", "settings")
		if n := strings.Count(rig.log.String(), "stays in force"); n != 2 {
			t.Errorf("told %d times:\n%s", n, rig.log.String())
		}
	})
}

// What takes a restart is named, once, and no longer when it is taken back.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newReloadRig(t)
		rig.put(t, "node.yaml", "log: {level: warn}\nhttp: {addr: ':1'}\ndata: {dir: x}\n")
		rig.passed(3)
		if got := rig.r.status().NeedRestart; !slices.Equal(got, []string{"data.dir", "http.addr"}) {
			t.Errorf("a restart is needed for %v", got)
		}
		if log := rig.log.String(); strings.Count(log, "setting=data.dir") != 1 || strings.Count(log, "setting=http.addr") != 1 || strings.Contains(log, "setting=log.level") {
			t.Errorf("the log:\n%s", log)
		}
		rig.want(t, "first", "first", "warn")
		rig.put(t, "node.yaml", "log: {level: debug}\n")
		rig.passed(1)
		if got := rig.r.status().NeedRestart; got != nil || !strings.Contains(rig.log.String(), "no setting needs a restart") {
			t.Errorf("a restart is still needed for %v", got)
		}
	})
}
