package backup

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"rescind"
	"rescind/internal/store/storetest"
)

// key is a Sealer whose seal says which key it was and what it covers.
type key byte

func (k key) Seal(b []byte) []byte { return append(append([]byte{byte(k)}, b...), sum(b)) }

func (k key) Open(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != byte(k) || sum(b[1:len(b)-1]) != b[len(b)-1] {
		return nil, errors.New("not sealed so")
	}
	return b[1 : len(b)-1], nil
}

func sum(b []byte) (s byte) {
	for i, c := range b {
		s = s*31 + c + byte(i)
	}
	return s
}

func file(t testing.TB, frames ...int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, key(1), [16]byte{7})
	if err != nil {
		t.Fatal(err)
	}
	n := uint64(0)
	for _, size := range frames {
		var records []rescind.Record
		for range size {
			n++
			records = append(records, storetest.Record(n, storetest.Far))
		}
		if err := w.Add(records); err != nil {
			t.Fatal(err)
		}
	}
	if count, err := w.End(1e12); err != nil || count != n {
		t.Fatal(count, err)
	}
	return b.Bytes()
}

func read(r io.Reader) (got []rescind.Record, at rescind.Millis, count uint64, err error) {
	at, count, err = Read(r, key(1), [16]byte{7}, func(records []rescind.Record) error {
		got = append(got, records...)
		return nil
	})
	return got, at, count, err
}

func TestWhatIsReadIsWhatWasWritten(t *testing.T) {
	for _, frames := range [][]int{{}, {0}, {1}, {FrameRecords, 3, FrameRecords}} {
		want := 0
		for _, n := range frames {
			want += n
		}
		got, at, count, err := read(iotest.HalfReader(bytes.NewReader(file(t, frames...))))
		if err != nil || at != 1e12 || int(count) != want || len(got) != want {
			t.Errorf("%v: %d of %d records at %d, %v", frames, len(got), count, at, err)
		}
		for i, r := range got {
			if r != storetest.Record(uint64(i+1), storetest.Far) {
				t.Fatalf("%v: record %d is %v", frames, i, r)
			}
		}
	}
}

// TestEveryCutIsFound cuts a file at every byte, and lets none pass.
func TestEveryCutIsFound(t *testing.T) {
	whole := file(t, 2, 3)
	for n := range whole {
		got, _, count, err := read(bytes.NewReader(whole[:n]))
		if want := ErrTruncated; n > 0 && !errors.Is(err, want) || n == 0 && !errors.Is(err, ErrFormat) || len(got) != int(count) {
			t.Errorf("cut at %d of %d: %v", n, len(whole), err)
		}
	}
}

// TestEveryChangeIsFound changes every byte, and lets none pass.
func TestEveryChangeIsFound(t *testing.T) {
	whole := file(t, 2, 3)
	for i := range whole {
		changed := bytes.Clone(whole)
		changed[i] ^= 1
		if _, _, _, err := read(bytes.NewReader(changed)); err == nil {
			t.Errorf("byte %d of %d", i, len(whole))
		}
	}
}

func TestRefusals(t *testing.T) {
	one, other := file(t, 2, 3), file(t, 2, 3)
	frame := func(b []byte, n int) []byte { // one frame of 2 records, one of 3, and the end
		at := headerSize
		for range n {
			at += 4 + int(b[at+2])<<8 + int(b[at+3])
		}
		return b[at : at+4+int(b[at+2])<<8+int(b[at+3])]
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	head := one[:headerSize]
	older := bytes.Clone(one)
	older[len(magic)]++
	huge := join(head, []byte{0xff, 0xff, 0xff, 0xff})
	for name, c := range map[string]struct {
		file []byte
		want error
	}{
		"something else":       {[]byte("PK\x03\x04 this is a zip, and it is long enough to be read"), ErrFormat},
		"another version":      {older, ErrFormat},
		"frames the other way": {join(head, frame(one, 1), frame(one, 0), frame(one, 2)), ErrForged},
		"one left out":         {join(head, frame(one, 0), frame(one, 2)), ErrForged},
		"one twice":            {join(head, frame(one, 0), frame(one, 0), frame(one, 1), frame(one, 2)), ErrForged},
		"one of another file":  {join(head, frame(one, 0), frame(other, 1), frame(one, 2)), ErrForged},
		"more behind the end":  {join(one, frame(one, 0)), ErrForged},
		"a huge frame":         {huge, ErrForged},
	} {
		if _, _, _, err := read(bytes.NewReader(c.file)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, _, err := Read(bytes.NewReader(one), key(1), [16]byte{8}, nil); !errors.Is(err, ErrOtherCluster) {
		t.Errorf("another cluster: %v", err)
	}
	if _, _, err := Read(bytes.NewReader(one), key(2), [16]byte{7}, nil); !errors.Is(err, ErrForged) {
		t.Errorf("another key under the same check: %v", err)
	}
	down := errors.New("down")
	if _, _, err := Read(bytes.NewReader(one), key(1), [16]byte{7}, func([]rescind.Record) error { return down }); !errors.Is(err, down) {
		t.Errorf("who takes them fails: %v", err)
	}
	if _, _, _, err := read(iotest.TimeoutReader(bytes.NewReader(one))); err == nil || errors.Is(err, ErrTruncated) {
		t.Errorf("a reader that fails: %v", err)
	}
}

// FuzzRead: whatever a file holds, reading it ends, and only what is authentic is
// taken.
func FuzzRead(f *testing.F) {
	f.Add(file(f, 2))
	f.Add([]byte(magic))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, _, count, err := read(bytes.NewReader(b))
		if err == nil && len(got) != int(count) {
			t.Errorf("%d of %d", len(got), count)
		}
	})
}
