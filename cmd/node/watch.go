package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// watchedEvent is one event as the node sends it.
type watchedEvent struct {
	At     time.Time `json:"at"`
	Scope  string    `json:"scope"`
	Digest string    `json:"digest"`
	Here   bool      `json:"here"`
	Member string    `json:"member"`
	State  string    `json:"state"`
	Cause  string    `json:"cause"`
	Lost   int       `json:"lost"`
}

// runWatch prints what happens on a node until it is stopped or the node ends.
func runWatch(ctx context.Context, e env) error {
	fs := newFlags(e, "watch", "watch [--addr HOST:PORT] --admin-token-file FILE [--json]")
	flags := addClientFlags(fs, adminAddr)
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	events, err := c.stream(ctx, http.MethodGet, "/v1/events", nil, "")
	if err != nil {
		return err
	}
	defer events.Close()
	err = c.printEvents(e.stdout, events)
	if ctx.Err() != nil {
		return nil // it was stopped
	}
	return &exitError{exitUnreachable, fmt.Errorf("the node has ended the stream: %w", cmp.Or(err, io.EOF))}
}

// printEvents copies the events of a stream: as JSON, one a line, or in words.
func (c *client) printEvents(w io.Writer, stream io.Reader) error {
	lines := bufio.NewScanner(stream)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var v watchedEvent
		if err := decodeAnswer([]byte(data), &v); err != nil {
			return errors.New("what it sends is not an event")
		}
		if c.json {
			fmt.Fprintf(w, "%s\n", legibleJSON([]byte(data)))
			continue
		}
		if v.Lost > 0 {
			fmt.Fprintf(w, "%d events were lost\n", v.Lost)
		}
		fmt.Fprintln(w, v.At.Local().Format("15:04:05.000"), v.words())
	}
	return lines.Err()
}

func (v watchedEvent) words() string {
	switch {
	case v.Cause != "":
		return "the node has ended: " + v.Cause
	case v.Member != "":
		return fmt.Sprintf("member %s is %s", v.Member, v.State)
	case v.Here:
		return fmt.Sprintf("revoked %s %s, accepted here", v.Scope, v.Digest)
	default:
		return fmt.Sprintf("revoked %s %s", v.Scope, v.Digest)
	}
}
