//go:build !linux

package netns

import (
	"context"
	"errors"
	"net"
)

// Dial is not possible here.
func (n *Network) Dial(context.Context, int, string) (net.Conn, error) {
	return nil, errors.New("there are no network namespaces on this system")
}
