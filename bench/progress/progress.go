// Package progress tells a person who waits how far a measurement is and how
// long it will take: a bar with the time left on a terminal, a plain line for
// each step elsewhere and where NO_COLOR is set.
//
// The time left is what the steps before took, for the weight that is left. A
// measurement must not be disturbed, so the bar is drawn once a second.
package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Bar is the progress of one measurement. It is safe for concurrent use, and
// a nil Bar says nothing.
type Bar struct {
	w        io.Writer
	now      func() time.Time
	terminal bool
	began    time.Time

	stop    chan struct{}
	stopped sync.WaitGroup

	mu      sync.Mutex // guards the fields below and writing to w
	total   float64    // weight of all steps
	done    float64    // weight of the steps that have ended
	current float64    // weight of the one under way
	since   time.Time  // when it began
	what    string     // its name
	drawn   bool       // there is a bar in the current line
	closed  bool
}

// New starts a bar of steps whose weights sum up to total, for example their
// seconds. Close it.
func New(f *os.File, total float64) *Bar {
	b := newBar(f, isTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb", total, time.Now)
	if b.terminal {
		b.stopped.Go(b.redraw)
	}
	return b
}

func newBar(w io.Writer, terminal bool, total float64, now func() time.Time) *Bar {
	return &Bar{w: w, terminal: terminal, total: total, now: now, began: now(), since: now(), stop: make(chan struct{})}
}

// Step says that what was under way has ended and that something of a weight
// begins.
func (b *Bar) Step(weight float64, format string, args ...any) {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = min(b.total, b.done+b.current)
	b.current, b.what, b.since = weight, fmt.Sprintf(format, args...), b.now()
	if b.terminal {
		b.drawLocked()
	} else {
		fmt.Fprintf(b.w, "%s%s\n", b.what, b.leftLocked(" (", " left)"))
	}
}

// Out returns a writer to the same terminal that moves the bar out of the way.
func (b *Bar) Out(w io.Writer) io.Writer {
	if b == nil || !b.terminal {
		return w
	}
	return aside{b, w}
}

type aside struct {
	b *Bar
	w io.Writer
}

// Write is part of io.Writer.
func (a aside) Write(p []byte) (int, error) {
	a.b.mu.Lock()
	defer a.b.mu.Unlock()
	a.b.eraseLocked()
	return a.w.Write(p)
}

// Close removes the bar. It may be called twice.
func (b *Bar) Close() {
	if b == nil {
		return
	}
	b.mu.Lock()
	first := !b.closed
	b.closed = true
	b.eraseLocked()
	b.mu.Unlock()
	if first {
		close(b.stop)
	}
	b.stopped.Wait()
}

func (b *Bar) redraw() {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-b.stop:
			return
		case <-every.C:
		}
		b.mu.Lock()
		if !b.closed {
			b.drawLocked()
		}
		b.mu.Unlock()
	}
}

// width of the bar in columns, without the text behind it.
const width = 24

func (b *Bar) drawLocked() {
	full := int(b.shareLocked()*width + 0.5)
	what := []rune(b.what)
	if len(what) > 34 {
		what = append(what[:33], '…')
	}
	fmt.Fprintf(b.w, "\r\x1b[K%s%s %3.0f %%  %s%s", strings.Repeat("█", full), strings.Repeat("░", width-full), 100*b.shareLocked(), string(what), b.leftLocked(", ", " left"))
	b.drawn = true
}

func (b *Bar) eraseLocked() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.drawn = false
	}
}

// shareLocked is what is done, 0 to 1. The step under way counts by the pace of
// those before, but never as ended.
func (b *Bar) shareLocked() float64 {
	done := b.done
	if pace := b.paceLocked(); pace > 0 {
		done += min(0.95*b.current, b.now().Sub(b.since).Seconds()/pace)
	}
	return min(1, done/b.total)
}

// paceLocked is the time that one weight has taken so far, in seconds; 0 if
// nothing has ended.
func (b *Bar) paceLocked() float64 {
	if b.done == 0 {
		return 0
	}
	return b.since.Sub(b.began).Seconds() / b.done
}

func (b *Bar) leftLocked(before, after string) string {
	pace := b.paceLocked()
	if pace == 0 {
		return ""
	}
	left := time.Duration((1 - b.shareLocked()) * b.total * pace * float64(time.Second)).Round(time.Second)
	return before + left.String() + after
}

// isTerminal reports whether f is a character device other than the one that
// swallows everything.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
