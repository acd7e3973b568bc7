package carrier

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what should happen. Tests end as soon
// as it has; only a failing one waits so long.
const patience = 30 * time.Second

// TestMain checks that no goroutine is left. memberlist.Shutdown does not wait
// for a probe under way, which ends by its own time-out: one second, times up
// to eight on a busy machine. goleak's own retries are shorter.
func TestMain(m *testing.M) {
	code := m.Run()
	deadline := time.Now().Add(15 * time.Second)
	for err := goleak.Find(); err != nil && code == 0; err = goleak.Find() {
		if time.Now().After(deadline) {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// inbox is a handler that keeps what it gets.
type inbox chan []byte

func newInbox() inbox { return make(inbox, 1<<14) }

func (in inbox) handle(_ string, msg []byte) {
	select {
	case in <- msg:
	default: // a handler must not block
	}
}

// await returns when want has arrived, whatever comes before it.
func (in inbox) await(t *testing.T, want []byte) {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case got := <-in:
			if bytes.Equal(got, want) {
				return
			}
		case <-timeout:
			t.Fatalf("message of %d bytes starting %.20q did not arrive", len(want), want)
		}
	}
}

// drain returns what has arrived.
func (in inbox) drain() (all [][]byte) {
	for {
		select {
		case msg := <-in:
			all = append(all, msg)
		default:
			return all
		}
	}
}

func eventually(t *testing.T, what string, cond func() bool) {
	t.Helper()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	timeout := time.After(patience)
	for !cond() {
		select {
		case <-poll.C:
		case <-timeout:
			t.Fatalf("did not happen: %s", what)
		}
	}
}

type closer interface{ Close(context.Context) error }

func closeNow(c closer) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.Close(ctx)
}

var quiet = slog.New(slog.DiscardHandler)

func big(n int) []byte { return bytes.Repeat([]byte("large "), n/6+1)[:n] }
