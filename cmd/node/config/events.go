package config

import "time"

// Events says how security events are taken.
type Events struct {
	Email    string        // "refuse" or "subject"
	PollWait time.Duration // 1s to 5m
	PollMax  int           // 1 to 500

	ReceiversFile string // empty: nobody is told of revocations
	QueueBytes    int    // positive
}

// eventRows are the settings of section events.
func eventRows() []setting {
	return []setting{
		row("events.email", "refuse", "security events about an email address: refuse, or subject where it is the sub of your tokens", text(func(c *Config) *string { return &c.Events.Email }, oneOf("refuse", "subject"))),
		row("events.receivers-file", "", "YAML list of who is told of revocations by security events: name, audience, push and token-file, or sha256 of the token to poll with, issuer, issuers; needs oauth.issuer and oauth.key-file", text(func(c *Config) *string { return &c.Events.ReceiversFile }, anyText)),
		row("events.queue-bytes", "67108864", "bytes of events that may wait for one receiver; beyond them the oldest are dropped", count(func(c *Config) *int { return &c.Events.QueueBytes })),
		row("events.poll-wait", "1m", "how long a poll for security events may stay open, at most 5m; more than the transmitter keeps one open that brings nothing", duration(func(c *Config) *time.Duration { return &c.Events.PollWait }, time.Second, 5*time.Minute)),
		row("events.poll-max", "100", "security events that one poll asks for, 1 to 500", amongCounts(func(c *Config) *int { return &c.Events.PollMax }, "a number from 1 to 500", func(n int) bool { return n >= 1 && n <= 500 })),
	}
}
