package httpapi

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"rescind"
	"rescind/internal/problem"
)

const (
	// bulkAhead is how many revocations of one request are under way at once:
	// enough that many share a commit to disk.
	bulkAhead = 256

	// bulkIdle is how long the client may take for the next line, or to read an
	// answer.
	bulkIdle = 30 * time.Second
)

// bulkResult is the answer to one line.
type bulkResult struct {
	Line      int           `json:"line"` // from 1
	Status    int           `json:"status"`
	Digest    string        `json:"digest,omitempty"`
	Version   string        `json:"version,omitempty"`
	Confirmed bool          `json:"confirmed,omitzero"`
	Problem   *problem.Body `json:"problem,omitempty"`
}

// bulkSummary is the last line: without it the answer is not complete.
type bulkSummary struct {
	Done     bool `json:"done"`
	Lines    int  `json:"lines"`
	Accepted int  `json:"accepted"` // 201 and 202
	Failed   int  `json:"failed"`
}

// postBulk revokes what each line of the body names, as postRevocation does, and
// answers each with a line, in order, while the body still arrives. A line that
// fails stops no other. Sending lines again is harmless: a revocation is
// idempotent by nature.
func (a *API) postBulk(w http.ResponseWriter, r *http.Request) {
	c, err := a.concernOf(r)
	if err == nil {
		err = checkMediaType(r.Header, "application/x-ndjson")
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		a.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	b := &bulk{api: a, r: r, concern: c, control: control, pending: make(chan chan bulkResult, bulkAhead)}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	read := make(chan struct{})
	go func() {
		defer close(read)
		defer close(b.pending)
		defer a.survive(r, func() { b.failure = errPanic })
		b.read(ctx)
	}()
	b.answer(w)
	cancel() // who can't be answered need not be read
	<-read
	b.running.Wait()
}

// bulk is one request: a reader that starts revocations and a writer that
// answers them in their order.
type bulk struct {
	api     *API
	r       *http.Request
	concern concern
	control *http.ResponseController
	pending chan chan bulkResult // in the order of the lines
	failure error                // why reading ended early; set before pending is closed
	running sync.WaitGroup       // revocations, whether awaited by answer or by nobody
}

// read starts a revocation for each line.
func (b *bulk) read(ctx context.Context) {
	lines := bufio.NewScanner(io.Reader(b.r.Body))
	lines.Buffer(make([]byte, 4<<10), maxBody)
	for n := 1; ; n++ {
		b.control.SetReadDeadline(time.Now().Add(bulkIdle)) // not supported: then nothing is slow
		if !lines.Scan() {
			b.failure = lines.Err()
			return
		}
		if len(lines.Bytes()) == 0 {
			n--
			continue
		}
		line, result := append([]byte(nil), lines.Bytes()...), make(chan bulkResult, 1)
		select {
		case b.pending <- result: // waits while bulkAhead are under way
		case <-ctx.Done():
			return
		}
		b.running.Go(func() { result <- b.one(n, line) })
	}
}

// errPanic stands for what the log says.
var errPanic = &problem.Error{Kind: problem.Unexpected, Detail: "the node's log says why"}

// one is revoke, of which a panic concerns that line alone.
func (b *bulk) one(n int, line []byte) (result bulkResult) {
	defer b.api.survive(b.r, func() {
		p := problem.BodyOf(errPanic)
		result = bulkResult{Line: n, Status: p.Status, Problem: &p}
	})
	return b.revoke(n, line)
}

// revoke handles one line.
func (b *bulk) revoke(n int, line []byte) bulkResult {
	want, err := b.api.parseRevocation(b.api.termsOf(b.r).issuer, line)
	var receipt rescind.Receipt
	confirmed := false
	if err == nil {
		receipt, confirmed, err = b.api.revoke(http.Header{}, b.r, want.Revocation, b.concern, want.reason, want.before...)
	}
	if err != nil {
		b.api.logUnexpected(b.r, err)
		p := problem.BodyOf(err)
		return bulkResult{Line: n, Status: p.Status, Problem: &p}
	}
	out := bulkResult{Line: n, Status: http.StatusCreated, Digest: receipt.Digest.String(), Version: receipt.Version, Confirmed: confirmed}
	if !confirmed {
		out.Status = http.StatusAccepted
	}
	return out
}

// answer writes the results in order, and flushes when none is waiting.
func (b *bulk) answer(w io.Writer) {
	var sum bulkSummary
	out := bufio.NewWriterSize(w, 16<<10)
	for result := range b.pending {
		one := <-result
		sum.Lines++
		if one.Status < 300 {
			sum.Accepted++
		} else {
			sum.Failed++
		}
		if b.write(out, one) != nil || len(b.pending) == 0 && b.flush(out) != nil {
			return
		}
	}
	if b.failure != nil { // the body broke off, or a line was too long
		p := problem.BodyOf(&problem.Error{Kind: problem.Malformed, Detail: "the body could not be read to its end, or a line has more than 64 KiB; what was answered stands"})
		b.write(out, bulkResult{Line: sum.Lines + 1, Status: http.StatusBadRequest, Problem: &p})
	}
	sum.Done = b.failure == nil
	b.write(out, sum)
	b.flush(out)
}

func (b *bulk) write(out *bufio.Writer, v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	b.control.SetWriteDeadline(time.Now().Add(bulkIdle))
	out.Write(line)
	return out.WriteByte('\n') // tells also if what came before failed
}

func (b *bulk) flush(out *bufio.Writer) error {
	if err := out.Flush(); err != nil {
		return err
	}
	return b.control.Flush()
}
