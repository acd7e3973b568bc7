package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// runBackup writes all revocations of a running node to a file, which appears
// under its name only once it is whole.
func runBackup(ctx context.Context, e env) error {
	fs := newFlags(e, "backup", "backup [--addr HOST:PORT] --admin-token-file FILE FILE\n\nWrites all revocations of a running node to FILE, or to standard output if it is -.\nThe file holds no identifiers and is sealed with the cluster's key.")
	flags := addClientFlags(fs, adminAddr)
	if err := parse(fs, e, 1); err != nil {
		return err
	}
	if fs.Arg(0) == "" {
		return usage("backup: name the file to write, or - for standard output")
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	file, err := c.stream(ctx, http.MethodGet, "/v1/backup", nil, "")
	if err != nil {
		return err
	}
	defer file.Close()
	if fs.Arg(0) == "-" {
		_, err = io.Copy(e.stdout, file)
		return broken(err)
	}
	size, err := writeWhole(fs.Arg(0), file)
	if err != nil {
		return err
	}
	if c.json {
		return json.NewEncoder(e.stdout).Encode(map[string]any{"file": fs.Arg(0), "bytes": size})
	}
	_, err = fmt.Fprintf(e.stdout, "wrote %s, %d bytes\n", fs.Arg(0), size)
	return err
}

// broken says that the node did not send all of it.
func broken(err error) error {
	if err == nil {
		return nil
	}
	return &exitError{exitUnreachable, fmt.Errorf("the backup breaks off: %w", err)}
}

// writeWhole writes a file durably, for its owner alone, or none.
func writeWhole(path string, content io.Reader) (size int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return 0, fmt.Errorf("write the backup: %w", err)
	}
	defer os.Remove(f.Name()) // it is gone once it has its name
	size, err = io.Copy(f, content)
	if err != nil {
		f.Close()
		return 0, broken(err)
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(f.Name(), path)); err != nil {
		return 0, fmt.Errorf("write the backup: %w", err)
	}
	return size, syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err == nil {
		err = errors.Join(d.Sync(), d.Close())
	}
	if err != nil {
		return fmt.Errorf("sync the folder of the backup: %w", err)
	}
	return nil
}

// runRestore merges a backup into a running node.
func runRestore(ctx context.Context, e env) error {
	fs := newFlags(e, "restore", "restore [--addr HOST:PORT] --admin-token-file FILE FILE\n\nMerges the revocations in FILE, or from standard input if it is -, into a running\nnode of the same cluster, from where they spread. Safe at any time: nothing that\nis known is undone.")
	flags := addClientFlags(fs, adminAddr)
	if err := parse(fs, e, 1); err != nil {
		return err
	}
	if fs.Arg(0) == "" {
		return usage("restore: name the file to read, or - for standard input")
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	in, bar := e.stdin, (*bar)(nil)
	if fs.Arg(0) != "-" {
		f, err := os.Open(fs.Arg(0))
		if err != nil {
			return usage("restore: %v", err)
		}
		defer f.Close()
		bar = newBar(e.stderr, f)
		in = bar.reading(f)
	}
	answer, err := c.stream(ctx, http.MethodPost, "/v1/restore", io.NopCloser(in), "application/octet-stream")
	bar.end()
	if err != nil {
		return err
	}
	defer answer.Close()
	b, err := io.ReadAll(io.LimitReader(answer, 1<<16))
	if err != nil {
		return &exitError{exitUnreachable, fmt.Errorf("the node's answer breaks off; restoring again is harmless: %w", err)}
	}
	if c.json {
		_, err := fmt.Fprintf(e.stdout, "%s\n", legibleJSON(b))
		return err
	}
	var done struct {
		Taken           time.Time
		Records, Lapsed int
	}
	if err := decodeAnswer(b, &done); err != nil {
		return fmt.Errorf("read the node's answer: %w", err)
	}
	_, err = fmt.Fprintf(e.stdout, "restored %d revocations of %s; %d more had lapsed\n", done.Records-done.Lapsed, done.Taken.Format(time.RFC3339), done.Lapsed)
	return err
}
