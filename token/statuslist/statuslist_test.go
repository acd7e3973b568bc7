package statuslist

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"os"
	"runtime"
	"strings"
	"testing"
)

// vector is one of those of draft-ietf-oauth-status-list-20, sections 4.1 and
// 4.2 and the appendix "Test vectors".
type vector struct {
	Name     string
	Bits     int
	Size     int
	Statuses map[uint64]Status // all others are 0
	Lst      string
}

func vectors(t testing.TB) (all []vector) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors.json")
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil || len(all) != 6 {
		t.Fatalf("%d vectors, %v", len(all), err)
	}
	return all
}

func TestVectorsAreReadInFull(t *testing.T) {
	for _, v := range vectors(t) {
		l, err := Parse(v.Bits, v.Lst, v.Size*v.Bits/8)
		if err != nil || l.Len() != v.Size || l.Bits() != v.Bits {
			t.Errorf("%s: %v", v.Name, err)
			continue
		}
		for i := range uint64(v.Size) {
			if got, ok := l.Get(i); !ok || got != v.Statuses[i] {
				t.Fatalf("%s: status[%d] is %d, %v; want %d", v.Name, i, got, ok, v.Statuses[i])
			}
		}
		if _, ok := l.Get(uint64(v.Size)); ok {
			t.Errorf("%s: there is a status beyond the end", v.Name)
		}
	}
}

// TestVectorsAreWritten compares what is compressed, byte by byte: DEFLATE has
// many spellings of the same data, and ours is another than that of the vectors.
func TestVectorsAreWritten(t *testing.T) {
	for _, v := range vectors(t) {
		l, err := New(v.Bits, v.Size)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range v.Statuses {
			l.Set(int(i), s)
		}
		if got, want := unpacked(t, l.Encode()), unpacked(t, v.Lst); !bytes.Equal(got, want) {
			t.Errorf("%s: %d bytes that differ from the vector's %d", v.Name, len(got), len(want))
		}
	}
}

// unpacked shares no code with Parse.
func unpacked(t *testing.T, lst string) []byte {
	t.Helper()
	var out bytes.Buffer
	r, err := zlib.NewReader(base64.NewDecoder(base64.RawURLEncoding, strings.NewReader(lst)))
	if err == nil {
		_, err = out.ReadFrom(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestBytesOfTheDraft holds the two arrays that the draft spells out in hex.
func TestBytesOfTheDraft(t *testing.T) {
	for i, want := range [][]byte{{0xb9, 0xa3}, {0xc9, 0x44, 0xf9}} {
		v := vectors(t)[i]
		l, err := New(v.Bits, v.Size)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range v.Statuses {
			l.Set(int(i), s)
		}
		if !bytes.Equal(l.packed, want) {
			t.Errorf("%s: % x, want % x", v.Name, l.packed, want)
		}
	}
}

func TestSetReplaces(t *testing.T) {
	l, err := New(4, 3)
	if err != nil || l.Len() != 4 {
		t.Fatalf("%d statuses, %v; want 4, whole bytes", l.Len(), err)
	}
	l.Set(1, 15)
	l.Set(1, 2)
	for i, want := range []Status{0, 2, 0, 0} {
		if got, _ := l.Get(uint64(i)); got != want {
			t.Errorf("status[%d] is %d, want %d", i, got, want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a status that does not fit was taken")
		}
	}()
	l.Set(0, 16)
}

func TestIndexOutOfRange(t *testing.T) {
	for _, bits := range []int{1, 2, 4, 8} {
		l, err := New(bits, 16)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []uint64{16, 17, 1 << 32, math.MaxUint64 - 7, math.MaxUint64} {
			if _, ok := l.Get(i); ok {
				t.Errorf("%d bits: index %d of 16 has a status", bits, i)
			}
		}
	}
}

func TestNoSuchList(t *testing.T) {
	for _, bits := range []int{-1, 0, 3, 5, 16} {
		if _, err := New(bits, 8); err == nil {
			t.Errorf("a status of %d bits", bits)
		}
		if _, err := Parse(bits, vectors(t)[0].Lst, 100); !errors.Is(err, ErrMalformed) {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
	if _, err := New(1, -1); err == nil {
		t.Error("a list of -1 statuses")
	}
}

func TestMalformed(t *testing.T) {
	good := vectors(t)[0].Lst
	raw, err := base64.RawURLEncoding.DecodeString(good)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(raw)
	changed[len(changed)-1] ^= 1
	for name, lst := range map[string]string{
		"empty":             "",
		"padding":           good + "==",
		"spare bits":        good[:len(good)-1] + "R",
		"line break":        good[:4] + "\n" + good[4:],
		"standard alphabet": "+" + good[1:],
		"cut short":         good[:8],
		"no zlib":           base64.RawURLEncoding.EncodeToString([]byte("hello, world")),
		"checksum":          base64.RawURLEncoding.EncodeToString(changed),
		"data behind":       base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), 0)),
		"two lists":         base64.RawURLEncoding.EncodeToString(append(bytes.Clone(raw), raw...)),
	} {
		if _, err := Parse(1, lst, 1<<20); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestZipBomb unpacks a list of 64 MiB, which is some 400 KB of text, no further than
// the bound.
func TestZipBomb(t *testing.T) {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, zlib.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	zeros := make([]byte, 1<<20)
	for range 64 {
		if _, err := w.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bomb := base64.RawURLEncoding.EncodeToString(b.Bytes())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Parse(8, bomb, 1<<20)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("%v", err)
	}
	allocated := after.TotalAlloc - before.TotalAlloc
	if allocated > 8<<20 {
		t.Errorf("%d bytes were allocated for a list of at most 1 MiB", allocated)
	}
	if _, err := Parse(8, bomb, 64<<20); err != nil {
		t.Errorf("within the bound: %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Bits, v.Lst)
	}
	f.Add(3, "")
	f.Fuzz(func(t *testing.T, bits int, lst string) {
		const limit = 1 << 20
		l, err := Parse(bits, lst, limit)
		if err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooLarge) {
				t.Fatalf("an error of no kind: %v", err)
			}
			return
		}
		if len(l.packed) > limit || l.Len() != len(l.packed)*8/bits {
			t.Fatalf("%d bytes, %d statuses", len(l.packed), l.Len())
		}
		if _, ok := l.Get(uint64(l.Len())); ok {
			t.Fatal("a status beyond the end")
		}
		again, err := Parse(bits, l.Encode(), limit)
		if err != nil || !bytes.Equal(again.packed, l.packed) {
			t.Fatalf("written and read again it is another list: %v", err)
		}
	})
}

func BenchmarkGet(b *testing.B) {
	l, err := New(1, 1<<20)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for i := range b.N {
		l.Get(uint64(i) & (1<<20 - 1))
	}
}
