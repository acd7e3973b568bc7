package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// CPU returns how long the processes, and the children of each, have been
// running on a processor. Those that have ended do not count.
func CPU(ids ...int) (total time.Duration, err error) {
	for _, id := range ids {
		all, err := children(id)
		if err != nil {
			return 0, err
		}
		for _, one := range append(all, id) {
			d, err := running(one)
			if err != nil {
				return 0, err
			}
			total += d
		}
	}
	return total, nil
}

// running adds up the threads: schedstat begins with nanoseconds on a processor.
func running(id int) (total time.Duration, err error) {
	files, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", id))
	if err != nil {
		return 0, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // the thread has ended
		}
		first, _, _ := strings.Cut(string(b), " ")
		ns, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", f, err)
		}
		total += time.Duration(ns)
	}
	return total, nil
}

// children returns the processes that id has started. Not every kernel lists them
// in one file, so the parent of each process is looked at.
func children(id int) (ids []int, err error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it has ended
		}
		// After the name, which may hold anything, come the state and the parent.
		_, rest, _ := strings.Cut(string(b[max(0, strings.LastIndex(string(b), ")")):]), " ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(id) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(f))); err == nil {
			ids = append(ids, child)
		}
	}
	return ids, nil
}

// Own returns how long this process has been running on a processor, without its
// children.
func Own() (time.Duration, error) { return running(os.Getpid()) }
