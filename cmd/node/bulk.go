package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
)

// progressEvery is after how many lines a person is told how far it has got.
const progressEvery = 10_000

// revokeFile sends the lines of a file, and prints the answers: as JSON all of
// them, else those of lines that failed, and how many did not.
func (c *client) revokeFile(ctx context.Context, e env, path string, query url.Values) error {
	in, bar := e.stdin, (*bar)(nil)
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return usage("--file: %v", err)
		}
		defer f.Close()
		bar = newBar(e.stderr, f)
		in = bar.reading(f)
	}
	defer bar.end()
	answers, err := c.stream(ctx, http.MethodPost, "/v1/revocations/bulk?"+query.Encode(), io.NopCloser(in), "application/x-ndjson")
	if err != nil {
		return err
	}
	defer answers.Close()
	return c.printResults(e, answers, bar)
}

// printResults returns an error unless the answer is complete and no line failed.
func (c *client) printResults(e env, answers io.Reader, bar *bar) error {
	lines := bufio.NewScanner(answers)
	for lines.Scan() {
		var v struct {
			Line, Status, Lines, Accepted, Failed int
			Done                                  bool
			Problem                               struct{ Title, Detail string }
		}
		if err := decodeAnswer(lines.Bytes(), &v); err != nil {
			return errors.New("what the node answers can't be read")
		}
		if c.json {
			fmt.Fprintf(e.stdout, "%s\n", legibleJSON(lines.Bytes()))
		}
		switch {
		case v.Line == 0:
			fmt.Fprintf(e.stderr, "%d lines, %d revoked, %d failed\n", v.Lines, v.Accepted, v.Failed)
			if v.Done && v.Failed == 0 {
				return nil
			}
			return fmt.Errorf("%d lines failed", v.Failed)
		case v.Status >= 300 && !c.json:
			fmt.Fprintf(e.stdout, "line %d: %s\n", v.Line, cmp.Or(v.Problem.Detail, v.Problem.Title))
		case bar == nil && v.Line%progressEvery == 0:
			fmt.Fprintf(e.stderr, "%d lines\n", v.Line)
		}
	}
	return &exitError{exitUnreachable, fmt.Errorf("the answer breaks off; sending the file again is harmless: %w", cmp.Or(lines.Err(), io.ErrUnexpectedEOF))}
}
