package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// bar shows on a terminal how much of a file has been sent, and how long the rest
// will take. A nil bar shows nothing: where there is no terminal, or nobody knows
// the size. It is safe for concurrent use.
type bar struct {
	w     io.Writer
	now   func() time.Time
	began time.Time
	size  int64

	mu    sync.Mutex // guards the fields below and writing to w
	last  time.Time
	sent  int64
	ended bool
}

const (
	barWidth = 30
	barEvery = 100 * time.Millisecond
)

// newBar returns a bar for the file, drawn on w if that is a terminal.
func newBar(w io.Writer, file *os.File) *bar {
	terminal, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return nil
	}
	if info, err := terminal.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return nil
	}
	return &bar{w: w, now: time.Now, began: time.Now(), size: info.Size()}
}

// reading returns a reader of r that moves the bar.
func (b *bar) reading(r io.Reader) io.Reader {
	if b == nil {
		return r
	}
	return barReader{b, r}
}

type barReader struct {
	bar *bar
	io.Reader
}

func (r barReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.bar.add(int64(n))
	return n, err
}

func (b *bar) add(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent += n
	if b.ended {
		return
	}
	if now := b.now(); now.Sub(b.last) >= barEvery || b.sent >= b.size {
		b.last = now
		fmt.Fprintf(b.w, "\r%s\x1b[K", b.line(now))
	}
}

// line is what the bar looks like. The caller holds mu.
func (b *bar) line(now time.Time) string {
	part := min(float64(b.sent)/float64(b.size), 1)
	full := int(part * barWidth)
	line := fmt.Sprintf("[%s%s] %3.0f %%", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), 100*part)
	if spent := now.Sub(b.began); part > 0 && part < 1 && spent > time.Second {
		line += fmt.Sprintf(", %v left", time.Duration(float64(spent)*(1-part)/part).Round(time.Second))
	}
	return line
}

// end leaves the line.
func (b *bar) end() {
	if b == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		fmt.Fprintln(b.w)
	}
}
