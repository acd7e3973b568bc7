//go:build !linux

package main

import "time"

func sharpen() {}

func nap(d time.Duration) { time.Sleep(d) }
