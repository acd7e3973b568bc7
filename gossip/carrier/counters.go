package carrier

import (
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// counters are what Status shows. All methods are safe for concurrent use.
type counters struct {
	sentMessages, sentBytes         atomic.Uint64
	receivedMessages, receivedBytes atomic.Uint64
	dropped, errors, reconnects     atomic.Uint64
	tooLarge                        atomic.Uint64 // of dropped

	foreign   atomic.Uint64
	foreignAt atomic.Int64 // Unix nanoseconds; 0: never

	mu     sync.Mutex // guards the last error
	last   string
	lastAt time.Time
}

// stranger counts what came from somebody with another key.
func (c *counters) stranger() {
	c.foreign.Add(1)
	c.foreignAt.Store(time.Now().UnixNano())
}

func (c *counters) sent(size int) {
	c.sentMessages.Add(1)
	c.sentBytes.Add(uint64(size))
}

func (c *counters) received(size int) {
	c.receivedMessages.Add(1)
	c.receivedBytes.Add(uint64(size))
}

func (c *counters) drop(n int) { c.dropped.Add(uint64(n)) }

func (c *counters) fail(err error) {
	c.errors.Add(1)
	text := redact(err.Error())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last, c.lastAt = text, time.Now()
}

func (c *counters) fill(s *Status) {
	s.Sent, s.SentBytes = c.sentMessages.Load(), c.sentBytes.Load()
	s.Received, s.ReceivedBytes = c.receivedMessages.Load(), c.receivedBytes.Load()
	s.TooLarge = c.tooLarge.Load()
	s.Dropped, s.Errors, s.Reconnects = c.dropped.Load(), c.errors.Load(), c.reconnects.Load()
	s.Foreign = c.foreign.Load()
	if at := c.foreignAt.Load(); at != 0 {
		s.ForeignAt = time.Unix(0, at)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s.LastError, s.LastErrorAt = c.last, c.lastAt
}

// The user part of a URL may hold a password or a token, and url.Parse and
// nats.go repeat URLs in their errors. Greedy up to the last @ because a
// malformed password may hold one.
var userInfo = regexp.MustCompile(`//[^\s"]*@`)

const maxErrorText = 300

func redact(text string) string {
	text = userInfo.ReplaceAllString(text, "//***@")
	if len(text) > maxErrorText {
		text = text[:maxErrorText] + "..."
	}
	return text
}
