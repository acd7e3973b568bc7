package progress

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// clock is a time that tests set.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	b := newBar(&out, false, 4, c.now)
	b.Step(1, "round %d", 1)
	c.at = c.at.Add(10 * time.Second)
	b.Step(3, "round %d", 2)
	b.Close()
	b.Close()
	if want := "round 1\nround 2 (30s left)\n"; out.String() != want {
		t.Errorf("%q, want %q", out.String(), want)
	}
}

// TestBar: the bar makes way for other output, and a step that takes longer
// than thought does not fill it.
func TestBar(t *testing.T) {
	var out bytes.Buffer
	c := &clock{time.Unix(0, 0)}
	b := newBar(&out, true, 2, c.now)
	b.Step(1, "one")
	c.at = c.at.Add(10 * time.Second)
	b.Step(1, "two")
	if got := out.String(); !strings.HasSuffix(got, " 50 %  two, 10s left") {
		t.Errorf("half way: %q", got)
	}
	out.Reset()
	io.WriteString(b.Out(&out), "a table\n")
	if got := out.String(); got != "\r\x1b[Ka table\n" {
		t.Errorf("a table comes as %q", got)
	}
	c.at = c.at.Add(time.Hour)
	b.drawLocked()
	if got := out.String(); !strings.Contains(got, " 98 %") {
		t.Errorf("long after: %q", got)
	}
	b.Close()
	if got := out.String(); !strings.HasSuffix(got, "\r\x1b[K") {
		t.Errorf("the bar is left behind: %q", got)
	}
}

func TestNoBarSaysNothing(t *testing.T) {
	var b *Bar
	b.Step(1, "x")
	b.Close()
	var out bytes.Buffer
	io.WriteString(b.Out(&out), "x")
	if out.String() != "x" {
		t.Error(out.String())
	}
}

func TestNeitherAFileNorTheNullDeviceIsATerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/x")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isTerminal(file) || isTerminal(null) {
		t.Error("taken for a terminal")
	}
}
