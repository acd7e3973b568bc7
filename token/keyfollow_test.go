package token

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// A set follows its file, whoever changes it, and rotates it on schedule.
func TestFollowAKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := must(GenerateKeySet()).Save(path); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		keys := must(LoadKeySet(path))
		ctx, stop := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := keys.Follow(ctx, path, Rotation{Every: 24 * time.Hour, Ahead: time.Hour}, slog.New(slog.DiscardHandler)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		if got := states(keys, time.Now()); got != "next signs" {
			t.Errorf("at the start: %s", got)
		}
		advance(24 * time.Hour)
		synctest.Wait()
		if got := states(keys, time.Now()); got != "next signs verifies" {
			t.Errorf("a day later: %s", got)
		}
		err := UpdateKeyFile(path, func(f *KeySet) error {
			_, err := f.RotateNow(time.Now(), Rotation{})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		advance(lookEvery)
		synctest.Wait()
		if a, b := must(keys.JWKS()), must(must(LoadKeySet(path)).JWKS()); string(a) != string(b) {
			t.Error("a change of the file has not been taken over")
		}
		stop()
		wg.Wait()
	})
}

// Rotations at once from several processes lose no key.
func TestConcurrentRotationsKeepEveryKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys.json")
	if err := must(GenerateKeySet()).Save(path); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			err := UpdateKeyFile(path, func(f *KeySet) error {
				_, err := f.RotateNow(epoch, Rotation{})
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := len(must(LoadKeySet(path)).Keys(epoch)); got != 9 {
		t.Errorf("%d keys, want 9", got)
	}
}
