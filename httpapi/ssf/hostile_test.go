package ssf

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestHostileReceivers over real HTTP: whatever they do to a push, others are told
// meanwhile, no more is read than is allowed, and Close does not wait for them.
func TestHostileReceivers(t *testing.T) {
	var elsewhere atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer other.Close()
	release := make(chan struct{})
	var sent atomic.Int64
	hostile := map[string]http.HandlerFunc{
		"silent": func(http.ResponseWriter, *http.Request) { <-release },
		"dripping": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			for {
				if _, err := w.Write([]byte(`{"err":"`)); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				select {
				case <-r.Context().Done():
					return
				case <-release:
					return
				case <-time.After(50 * time.Millisecond):
				}
			}
		},
		"flooding": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			for {
				n, err := w.Write([]byte(strings.Repeat("x", 64<<10)))
				if sent.Add(int64(n)); err != nil {
					return
				}
			}
		},
		"redirecting": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		},
		"hanging up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
	}
	told := make(chan struct{}, 20)
	good := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusAccepted)
		told <- struct{}{}
	}))
	defer good.Close()
	receivers := []Receiver{{Name: "good", Audience: "a", Push: good.URL}}
	for name, h := range hostile {
		server := httptest.NewServer(h)
		defer server.Close()
		receivers = append(receivers, Receiver{Name: strings.ReplaceAll(name, " ", "-"), Audience: "a", Push: server.URL})
	}
	defer close(release) // before the servers close
	tx, err := NewTransmitter(TransmitterConfig{Issuer: us, Signer: plain{}, Receivers: receivers, Log: newMemLog(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		ended(tx, fmt.Sprint(i), Origin{})
	}
	for range 20 {
		select {
		case <-told:
		case <-time.After(20 * time.Second):
			t.Fatal("the good receiver is not told")
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		failed := 0
		for _, s := range tx.Stats()[1:] {
			if s.Failed > 0 && s.Queued == 20 {
				failed++
			}
			if s.Delivered > 0 || s.Queued > 20 {
				t.Fatalf("%+v", s)
			}
		}
		if failed >= 3 { // the others may still be at it
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d fail", failed)
		}
		<-time.After(10 * time.Millisecond)
	}
	began := time.Now()
	tx.Close()
	if d := time.Since(began); d > 5*time.Second {
		t.Errorf("Close took %v", d)
	}
	if elsewhere.Load() != 0 {
		t.Error("a redirect was followed")
	}
	if n := sent.Load(); n > 200<<20 {
		t.Errorf("%d bytes were taken", n)
	}
}
