package carrier

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"log/slog"
	"time"
)

// debugLog returns a logger for memberlist that writes to slog at debug level:
// what matters of it is in Status. A flood of foreign packets would otherwise
// be a flood of errors in the log.
//
// One thing memberlist tells its log alone: that it could not decrypt what a
// stranger sent. foreign is called for each of these.
func debugLog(to *slog.Logger, foreign func()) *log.Logger {
	return log.New(debugWriter{to, foreign}, "", 0)
}

type debugWriter struct {
	to      *slog.Logger
	foreign func()
}

// undecrypted is part of what memberlist says of a message under another key.
const undecrypted = "no installed keys could decrypt"

func (w debugWriter) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(undecrypted)) {
		w.foreign()
	}
	if w.to.Enabled(context.Background(), slog.LevelDebug) {
		w.to.Debug(redact(string(bytes.TrimSpace(line))))
	}
	return len(line), nil
}

// serverLog takes what the embedded NATS server logs. Its notices are debug
// messages here, and its warnings and errors come at a bounded rate: any client
// can provoke them.
type serverLog struct {
	to    *slog.Logger
	says  sayings
	fatal chan string // of capacity 1: the first reason not to start
}

func newServerLog(to *slog.Logger) *serverLog {
	return &serverLog{to: to, says: sayings{period: 5 * time.Second}, fatal: make(chan string, 1)}
}

func (l *serverLog) Noticef(format string, v ...any) { l.debug(format, v...) }
func (l *serverLog) Debugf(format string, v ...any)  { l.debug(format, v...) }
func (l *serverLog) Tracef(format string, v ...any)  { l.debug(format, v...) }
func (l *serverLog) Warnf(format string, v ...any)   { l.warn(format, v...) }
func (l *serverLog) Errorf(format string, v ...any)  { l.warn(format, v...) }

func (l *serverLog) Fatalf(format string, v ...any) {
	text := redact(fmt.Sprintf(format, v...))
	select {
	case l.fatal <- text:
	default:
		l.to.Error("embedded NATS server", "problem", text)
	}
}

func (l *serverLog) debug(format string, v ...any) {
	if l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug("embedded NATS server: " + redact(fmt.Sprintf(format, v...)))
	}
}

func (l *serverLog) warn(format string, v ...any) {
	text := redact(fmt.Sprintf(format, v...)) // now: what v points to may change
	l.says.say(time.Now(), format, func(muted int) { l.to.Warn("embedded NATS server", "problem", text, "muted", muted) })
}

// run tells the last words of what was said too often, until ctx ends.
func (l *serverLog) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			l.says.lastWords(now)
		case <-ctx.Done():
			return
		}
	}
}
