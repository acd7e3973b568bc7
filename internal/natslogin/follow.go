package natslogin

import (
	"context"
	"crypto/sha256"
	"time"
)

// followEvery is how soon a changed file is noticed.
const followEvery = 2 * time.Second

// Follow calls changed after the files have changed and can be used, and failed
// once for each change that can't, until ctx ends.
func (l Login) Follow(ctx context.Context, changed func(), failed func(error)) {
	if len(l.files()) == 0 {
		return
	}
	poll := time.NewTicker(followEvery)
	defer poll.Stop()
	used := l.digest() // what connections are made with
	told := used
	for {
		select {
		case <-poll.C:
		case <-ctx.Done():
			return
		}
		now := l.digest()
		if now == used {
			told = now
			continue
		}
		if err := l.read(); err != nil {
			if now != told {
				failed(err)
			}
			told = now
			continue
		}
		used, told = now, now
		changed()
	}
}

// digest tells one state of the files from another. They are small, and their times
// say little where a folder of links is swapped.
func (l Login) digest() [sha256.Size]byte {
	h := sha256.New()
	for _, f := range l.files() {
		b, err := readFile(f.value)
		sum := sha256.Sum256(b)
		h.Write(sum[:])
		if err != nil {
			h.Write([]byte{0})
		}
	}
	return [sha256.Size]byte(h.Sum(nil))
}
