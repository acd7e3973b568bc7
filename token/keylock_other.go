//go:build !unix

package token

// lockKeyFile does nothing here: let one process rotate.
func lockKeyFile(string) (unlock func(), err error) { return func() {}, nil }
