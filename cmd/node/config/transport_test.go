package config

import (
	"bytes"
	"strings"
	"testing"
)

func TestTransportKeys(t *testing.T) {
	one, two := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	const first, second = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=", "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI"
	load := func(content string) ([][]byte, error) {
		c := Config{read: func(string) ([]byte, error) { return []byte(content), nil }}
		c.Cluster.KeyFile, c.Cluster.TransportKeysFile = "key", "keys"
		return c.TransportKeys()
	}
	keys, err := load(first + "\n" + second + "\r\n")
	if err != nil || len(keys) != 2 || !bytes.Equal(keys[0], one) || !bytes.Equal(keys[1], two) {
		t.Errorf("%x, %v", keys, err)
	}
	for content, want := range map[string]string{
		"":                     "holds no key",
		first + "\nsecret\n":   "line 2 of keys is no key",
		first + "\n\n" + first: "line 2 of keys is no key",
		first[:20]:             "line 1 of keys is no key",
	} {
		if keys, err := load(content); keys != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %x, %v", content, keys, err)
		}
	}
	c := Config{}
	if keys, err := c.TransportKeys(); keys != nil || err != nil {
		t.Errorf("without a file: %x, %v", keys, err)
	}
	c.Cluster.TransportKeysFile = "keys"
	c.read = func(string) ([]byte, error) { return []byte(first), nil }
	if _, err := c.TransportKeys(); err == nil || !strings.Contains(err.Error(), "cluster.key-file") {
		t.Errorf("without the cluster's key: %v", err)
	}
}
