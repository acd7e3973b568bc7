package front

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// RunRival is the server of frontRival: verify with golang-jwt, then ask
// Redis whether the jti is on the blacklist.
func RunRival(ctx context.Context, args []string) error {
	if len(args) != 2 {
		return errors.New("is started by bench front")
	}
	key, err := signingKey()
	if err != nil {
		return err
	}
	redis := &redisPool{addr: args[1], idle: make(chan *redisConn, 128)}
	for i := range revokedBefore {
		if _, err := redis.do(ctx, "SET", fmt.Sprint("revoked-", i), "1"); err != nil {
			return err
		}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithIssuer(issuer), jwt.WithAudience("api"), jwt.WithExpirationRequired())
	return serveFront(ctx, &http.Server{Addr: args[0], ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		raw, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		var claims jwt.RegisteredClaims
		if _, err := parser.ParseWithClaims(raw, &claims, func(*jwt.Token) (any, error) { return key.Public(), nil }); err != nil {
			http.Error(w, "invalid token", http.StatusUnauthorized)
			return
		}
		n, err := redis.do(r.Context(), "EXISTS", claims.ID)
		switch {
		case err != nil:
			http.Error(w, "no blacklist", http.StatusServiceUnavailable)
		case n != ":0":
			http.Error(w, "revoked", http.StatusUnauthorized)
		default:
			w.Header().Set("X-Auth-Subject", claims.Subject)
		}
	})})
}

// redisPool speaks just enough RESP to be no slower than a full client.
type redisPool struct {
	addr string
	idle chan *redisConn
}

type redisConn struct {
	net.Conn
	in *bufio.Reader
}

// do sends one command and returns the line of its answer.
func (p *redisPool) do(ctx context.Context, words ...string) (string, error) {
	var c *redisConn
	select {
	case c = <-p.idle:
	default:
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.addr)
		if err != nil {
			return "", err
		}
		c = &redisConn{conn, bufio.NewReader(conn)}
	}
	out := fmt.Appendf(nil, "*%d\r\n", len(words))
	for _, w := range words {
		out = fmt.Appendf(out, "$%d\r\n%s\r\n", len(w), w)
	}
	if _, err := c.Write(out); err != nil {
		return "", errors.Join(err, c.Close())
	}
	line, err := c.in.ReadString('\n')
	if err != nil {
		return "", errors.Join(err, c.Close())
	}
	select {
	case p.idle <- c:
	default:
		c.Close()
	}
	return strings.TrimSpace(line), nil
}
