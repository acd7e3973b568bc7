package front

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// run is what one round found; times are in milliseconds.
type run struct{ perSecond, p50, p99 float64 }

// loadFront sends requests by each connection, one after the other, for d. It
// writes bytes made before and reads only the status, so that it takes as little
// of the processors as it can.
func loadFront(ctx context.Context, addr string, tokens []string, connections int, d time.Duration) (run, error) {
	requests := make([][]byte, len(tokens))
	for i, raw := range tokens {
		requests[i] = fmt.Appendf(nil, "GET /v1/check HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer %s\r\n\r\n", raw)
	}
	all := hdrhistogram.New(1, int64(10*time.Second/time.Microsecond), 3)
	var mu sync.Mutex
	var failure error
	var workers sync.WaitGroup
	began := time.Now()
	for c := range connections {
		workers.Go(func() {
			h := hdrhistogram.New(1, int64(10*time.Second/time.Microsecond), 3)
			err := loadOne(ctx, addr, requests, c*len(requests)/connections, began.Add(d), h)
			mu.Lock()
			defer mu.Unlock()
			all.Merge(h)
			failure = errors.Join(failure, err)
		})
	}
	workers.Wait()
	took := time.Since(began).Seconds()
	ms := func(q float64) float64 { return float64(all.ValueAtQuantile(q)) / 1000 }
	return run{float64(all.TotalCount()) / took, ms(50), ms(99)}, failure
}

func loadOne(ctx context.Context, addr string, requests [][]byte, first int, until time.Time, h *hdrhistogram.Histogram) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(until.Add(5 * time.Second))
	in := bufio.NewReader(conn)
	for i := first; ; i++ {
		began := time.Now()
		if began.After(until) || ctx.Err() != nil {
			return ctx.Err()
		}
		if _, err := conn.Write(requests[i%len(requests)]); err != nil {
			return err
		}
		if err := readOK(in); err != nil {
			return err
		}
		h.RecordValue(time.Since(began).Microseconds())
	}
}

// readOK reads an answer with a Content-Length.
func readOK(in *bufio.Reader) error {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
		return fmt.Errorf("the answer is %q", line)
	}
	length := 0
	for {
		if line, err = in.ReadSlice('\n'); err != nil {
			return err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			_, err := io.CopyN(io.Discard, in, int64(length))
			return err
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		if bytes.EqualFold(name, []byte("Content-Length")) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil {
				return err
			}
		}
	}
}
