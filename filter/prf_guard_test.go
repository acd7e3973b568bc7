//go:build linux || darwin

package filter

import (
	"syscall"
	"testing"
	"unsafe"

	"rescind"
)

// TestHashStaysInBounds hashes strings that begin or end at pages which can't
// be read: a byte too many is a crash.
func TestHashStaysInBounds(t *testing.T) {
	page := syscall.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(memory)
	for _, guard := range [][]byte{memory[:page], memory[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	inside := memory[page : 2*page]
	copy(inside, randomString(page))
	for n := range rescind.MaxIDLen + 40 {
		first, last := unsafe.String(&inside[0], n), ""
		if n > 0 {
			last = unsafe.String(&inside[page-n], n)
		}
		checkHash(t, testPRF, testPRF.start, first, last)
	}
	checkHash(t, testPRF, testPRF.start, unsafe.String(&inside[0], page))
}
