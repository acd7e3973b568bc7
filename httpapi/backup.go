package httpapi

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"

	"rescind/cluster"
	"rescind/internal/backup"
	"rescind/internal/problem"
)

// Archive is a Node whose revocations can be saved and merged again;
// *cluster.Node is one. Where Config.Node is none, the endpoints answer 501.
type Archive interface {
	Backup(ctx context.Context, w io.Writer) (records int, err error)
	Restore(ctx context.Context, r io.Reader) (cluster.Restored, error)
}

const (
	octets     = "application/octet-stream"
	backupPath = "/v1/backup"
)

// getBackup streams all revocations. A failure in the middle breaks the
// connection off, since the status has been sent: without its end the file is no
// backup.
func (a *API) getBackup(w http.ResponseWriter, r *http.Request) {
	archive, ok := a.cfg.Node.(Archive)
	if !ok {
		problem.NotHere.Write(w, "this node can't be backed up")
		return
	}
	if st := a.cfg.Node.Status(); !st.Ready {
		problem.NotReady.Write(w, problem.NotReady.Detail)
		return
	}
	w.Header().Set("Content-Type", octets)
	w.Header().Set("Content-Disposition", `attachment; filename="revocations.rescind"`)
	control := http.NewResponseController(w)
	records, err := archive.Backup(r.Context(), slowWriter{w, control})
	if err != nil {
		a.log.LogAttrs(r.Context(), slog.LevelWarn, "a backup breaks off", slog.String("endpoint", backupPath), slog.Any("error", err))
		panic(http.ErrAbortHandler)
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "backup", slog.String("endpoint", backupPath), slog.String("caller", callerOf(r)), slog.Int("revocations", records))
}

// postBackup merges a backup that the body holds.
func (a *API) postBackup(w http.ResponseWriter, r *http.Request) {
	archive, ok := a.cfg.Node.(Archive)
	if !ok {
		problem.NotHere.Write(w, "no backup can be restored into this node")
		return
	}
	if err := checkMediaType(r.Header, octets); err != nil {
		a.refuse(w, r, err)
		return
	}
	control := http.NewResponseController(w)
	done, err := archive.Restore(r.Context(), slowReader{r.Body, control})
	control.SetWriteDeadline(time.Now().Add(bulkIdle))
	if err != nil {
		a.refuse(w, r, refusedBackup(err))
		return
	}
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "restored a backup", slog.String("endpoint", backupPath), slog.String("caller", callerOf(r)), slog.Int("revocations", done.Records))
	writeJSON(w, http.StatusOK, restoredJSON{done.Taken, done.Records, done.Lapsed})
}

type restoredJSON struct {
	Taken   time.Time `json:"taken"`
	Records int       `json:"records"`
	Lapsed  int       `json:"lapsed"` // of records: all their tokens have expired, so they are left out
}

// refusedBackup tells a file that is wrong from a node that can't take it.
func refusedBackup(err error) error {
	for _, wrong := range []error{backup.ErrFormat, backup.ErrOtherCluster, backup.ErrTruncated, backup.ErrForged} {
		if errors.Is(err, wrong) {
			return &problem.Error{Kind: problem.Malformed, Detail: wrong.Error() + "; what came before that is authentic and has been merged, which is harmless"}
		}
	}
	return err
}

// slowWriter and slowReader give the client bulkIdle for each part, and not the
// whole request.
type slowWriter struct {
	io.Writer
	control *http.ResponseController
}

func (w slowWriter) Write(p []byte) (int, error) {
	w.control.SetWriteDeadline(time.Now().Add(bulkIdle)) // not supported: then nothing is slow
	return w.Writer.Write(p)
}

type slowReader struct {
	io.Reader
	control *http.ResponseController
}

func (r slowReader) Read(p []byte) (int, error) {
	r.control.SetReadDeadline(time.Now().Add(bulkIdle))
	return r.Reader.Read(p)
}
