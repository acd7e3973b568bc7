// Package backup is the form of a file with all revocations of a cluster.
//
// A file holds what a node keeps of each revocation, a keyed digest and two
// times, and neither an identifier nor the cluster's secret. It is sealed: whoever
// has no key of the cluster can neither read nor make one, and what was cut,
// reordered, mixed with another file or changed does not open. It holds no
// identity: to restore it is to merge its records, into any node of the cluster,
// any number of times.
//
// Its form is
//
//	magic 8 | version 1 | key check 16 | name of the file 16 | frames
//
// and that of a frame is length 4 | sealed, where what is sealed is
//
//	name of the file 16 | number of the frame, from 0 8 | kind 1 | content
//
// The content is records of 32 bytes, or in the last frame their number and the
// time of the backup, 8 bytes each. Numbers are big-endian.
package backup

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"rescind"
)

// Errors that callers can tell apart with errors.Is.
var (
	// ErrFormat: this is no backup, or one of another version.
	ErrFormat = errors.New("this is no backup that this version can read")

	// ErrOtherCluster: made under another cluster name or key, whose digests mean
	// nothing here.
	ErrOtherCluster = errors.New("the backup is of another cluster name or cluster key")

	// ErrTruncated: the file ends before its end.
	ErrTruncated = errors.New("the backup is cut off")

	// ErrForged: it is not what was written.
	ErrForged = errors.New("the backup is damaged or forged")
)

// Sealer encrypts and authenticates.
type Sealer interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
}

const (
	magic      = "rescind\n"
	version    = 1
	nameSize   = 16
	headerSize = len(magic) + 1 + 16 + nameSize
	frameHead  = nameSize + 8 + 1

	kindRecords = 1
	kindEnd     = 2

	// FrameRecords is how many records a frame holds at most.
	FrameRecords = 8192

	maxFrame = frameHead + FrameRecords*rescind.RecordSize + 1024 // and what the seal adds
)

// Writer writes a backup.
type Writer struct {
	w      io.Writer
	sealer Sealer
	name   [nameSize]byte
	frames uint64
	count  uint64
}

// NewWriter writes the head of a file for those that have the same keyCheck.
func NewWriter(w io.Writer, sealer Sealer, keyCheck [16]byte) (*Writer, error) {
	b := &Writer{w: w, sealer: sealer}
	rand.Read(b.name[:]) // never fails
	head := append([]byte(magic), version)
	head = append(append(head, keyCheck[:]...), b.name[:]...)
	if _, err := w.Write(head); err != nil {
		return nil, fmt.Errorf("write the backup: %w", err)
	}
	return b, nil
}

// Add writes records, at most FrameRecords.
func (b *Writer) Add(records []rescind.Record) error {
	content := make([]byte, 0, len(records)*rescind.RecordSize)
	for _, r := range records {
		content = r.Append(content)
	}
	b.count += uint64(len(records))
	return b.frame(kindRecords, content)
}

// End writes the end, without which a file is no backup.
func (b *Writer) End(at rescind.Millis) (records uint64, err error) {
	content := binary.BigEndian.AppendUint64(nil, b.count)
	return b.count, b.frame(kindEnd, binary.BigEndian.AppendUint64(content, uint64(at)))
}

func (b *Writer) frame(kind byte, content []byte) error {
	plain := append(make([]byte, 0, frameHead+len(content)), b.name[:]...)
	plain = append(binary.BigEndian.AppendUint64(plain, b.frames), kind)
	b.frames++
	sealed := b.sealer.Seal(append(plain, content...))
	frame := append(binary.BigEndian.AppendUint32(nil, uint32(len(sealed))), sealed...)
	if _, err := b.w.Write(frame); err != nil {
		return fmt.Errorf("write the backup: %w", err)
	}
	return nil
}

// Read hands the records of a backup to take, a frame at a time and each only
// after it has proved authentic. It returns when the backup was made and how many
// records it holds. After an error what was taken is authentic, and not all.
func Read(r io.Reader, sealer Sealer, keyCheck [16]byte, take func([]rescind.Record) error) (at rescind.Millis, records uint64, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	head := make([]byte, headerSize)
	if n, err := io.ReadFull(in, head); err != nil {
		if n > 0 && bytes.HasPrefix([]byte(magic), head[:min(n, len(magic))]) {
			return 0, 0, cut(err)
		}
		return 0, 0, ErrFormat
	}
	if string(head[:len(magic)]) != magic || head[len(magic)] != version {
		return 0, 0, ErrFormat
	}
	if [16]byte(head[len(magic)+1:]) != keyCheck {
		return 0, 0, ErrOtherCluster
	}
	name := head[headerSize-nameSize:]
	for number := uint64(0); ; number++ {
		kind, content, err := readFrame(in, sealer, name, number)
		if err != nil {
			return 0, records, err
		}
		if kind == kindEnd {
			if len(content) != 16 || binary.BigEndian.Uint64(content) != records {
				return 0, records, ErrForged
			}
			if _, err := in.ReadByte(); err != io.EOF {
				return 0, records, ErrForged // something behind its end
			}
			return rescind.Millis(binary.BigEndian.Uint64(content[8:])), records, nil
		}
		batch, err := recordsOf(content)
		if err != nil {
			return 0, records, err
		}
		if err := take(batch); err != nil {
			return 0, records, err
		}
		records += uint64(len(batch))
	}
}

func readFrame(in io.Reader, sealer Sealer, name []byte, number uint64) (kind byte, content []byte, err error) {
	var length [4]byte
	if _, err := io.ReadFull(in, length[:]); err != nil {
		return 0, nil, cut(err)
	}
	n := binary.BigEndian.Uint32(length[:])
	if n > maxFrame {
		return 0, nil, ErrForged
	}
	sealed := make([]byte, n)
	if _, err := io.ReadFull(in, sealed); err != nil {
		return 0, nil, cut(err)
	}
	plain, err := sealer.Open(sealed)
	if err != nil || len(plain) < frameHead || !bytes.Equal(plain[:nameSize], name) || binary.BigEndian.Uint64(plain[nameSize:]) != number {
		return 0, nil, ErrForged
	}
	kind, content = plain[frameHead-1], plain[frameHead:]
	if kind != kindRecords && kind != kindEnd {
		return 0, nil, ErrFormat
	}
	return kind, content, nil
}

func recordsOf(content []byte) ([]rescind.Record, error) {
	if len(content)%rescind.RecordSize != 0 {
		return nil, ErrForged
	}
	records := make([]rescind.Record, 0, len(content)/rescind.RecordSize)
	for ; len(content) > 0; content = content[rescind.RecordSize:] {
		r, err := rescind.RecordOf(content)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrForged, err)
		}
		records = append(records, r)
	}
	return records, nil
}

// cut tells an end from a reader that fails.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrTruncated
	}
	return fmt.Errorf("read the backup: %w", err)
}
