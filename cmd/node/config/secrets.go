package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// maxFile bounds every file that is read here, in bytes.
const maxFile = 1 << 20

// readFile is os.ReadFile that stops after maxFile and one byte, so that
// /dev/zero in place of a file costs an error and not the memory.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// ClusterKey reads cluster.key-file. It returns nil if none is set, else 32
// bytes. Errors never repeat the content.
func (c *Config) ClusterKey() ([]byte, error) {
	b, err := c.secret("cluster.key-file", c.Cluster.KeyFile)
	if b == nil || err != nil {
		return nil, err
	}
	key, ok := decodeKey(string(b))
	if !ok {
		return nil, fmt.Errorf("cluster.key-file: %s does not hold a key; it must be 32 bytes in base64, as `rescind keys generate` makes them", c.Cluster.KeyFile)
	}
	return key, nil
}

// TransportKeys reads cluster.transport-keys-file. It returns nil if none is
// set. Errors never repeat the content.
func (c *Config) TransportKeys() (keys [][]byte, err error) {
	b, err := c.secret("cluster.transport-keys-file", c.Cluster.TransportKeysFile)
	if b == nil || err != nil {
		return nil, err
	}
	if c.Cluster.KeyFile == "" {
		return nil, errors.New("cluster.transport-keys-file: set cluster.key-file too; it keys the digests of revocations")
	}
	line := 0
	for text := range strings.Lines(string(b)) {
		line++
		key, ok := decodeKey(strings.TrimSpace(text))
		if !ok {
			return nil, fmt.Errorf("cluster.transport-keys-file: line %d of %s is no key; each line must be 32 bytes in base64, as `rescind keys generate` makes them", line, c.Cluster.TransportKeysFile)
		}
		keys = append(keys, key)
	}
	if keys == nil {
		return nil, fmt.Errorf("cluster.transport-keys-file: %s holds no key; write one, or leave the setting out", c.Cluster.TransportKeysFile)
	}
	return keys, nil
}

// decodeKey reads 32 bytes in any usual base64.
func decodeKey(text string) (key []byte, ok bool) {
	standard := strings.NewReplacer("-", "+", "_", "/").Replace(text)
	key, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimSuffix(standard, "="))
	return key, err == nil && len(key) == 32
}

// minAdminToken is the fewest characters of an admin token.
const minAdminToken = 16

// AdminToken reads admin.token-file. It returns nil if none is set. Errors
// never repeat the content.
func (c *Config) AdminToken() ([]byte, error) {
	b, err := c.secret("admin.token-file", c.Admin.TokenFile)
	if b == nil || err != nil {
		return nil, err
	}
	if len(b) < minAdminToken || bytes.ContainsFunc(b, unprintable) {
		return nil, fmt.Errorf("admin.token-file: %s does not hold a token; it must be at least %d printable ASCII characters without spaces, as `rescind keys generate` makes them", c.Admin.TokenFile, minAdminToken)
	}
	return b, nil
}

// PollToken reads the bearer token with which the security events of i are
// polled. It returns "" if no file is set. Errors never repeat the content.
func (c *Config) PollToken(i Issuer) (string, error) {
	return c.bearer("tokens.issuers events-poll-token-file of "+i.Issuer, i.EventsPollTokenFile)
}

// PushToken reads the bearer token with which events are pushed to the receiver
// called name. Errors never repeat the content.
func (c *Config) PushToken(name, path string) (string, error) {
	return c.bearer("events.receivers-file token-file of "+name, path)
}

// bearer reads what travels in an Authorization header, where nothing else would
// arrive as it was sent.
func (c *Config) bearer(key, path string) (string, error) {
	b, err := c.secret(key, path)
	if b == nil || err != nil {
		return "", err
	}
	if len(b) == 0 || bytes.ContainsFunc(b, unprintable) {
		return "", fmt.Errorf("%s: the file must hold one token, of printable ASCII characters without spaces", key)
	}
	return string(b), nil
}

func unprintable(r rune) bool { return r <= ' ' || r > '~' }

// secret reads the file of the setting key without the white space around its
// content. It returns nil if path is empty, and never nil otherwise.
func (c *Config) secret(key, path string) ([]byte, error) {
	if path == "" {
		return nil, nil
	}
	read := c.read
	if read == nil {
		read = readFile
	}
	b, err := read(path)
	if err != nil {
		// The path is not repeated: somebody may have put the secret itself there.
		return nil, fmt.Errorf("%s: use the path of a file that can be read: %w", key, cause(err))
	}
	return append([]byte{}, bytes.TrimSpace(b)...), nil
}

// cause returns err without the path, which the caller names already.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}
