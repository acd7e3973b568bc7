package cluster

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"rescind"
	"rescind/gossip"
	"rescind/token"
)

// TestNoNumberIsNegative: no number of a Config means "never" or "no limit" by being
// negative, and none is taken to be fine.
func TestNoNumberIsNegative(t *testing.T) {
	good := func() Config {
		return Config{DataDir: t.TempDir(), Name: "a", Gossip: &Gossip{}, NATS: &NATS{URL: "nats://127.0.0.1:1"}, OneTime: &OneTime{}, SharedLog: &SharedLog{}}
	}
	if _, err := good().withDefaults(); err != nil {
		t.Fatal(err)
	}
	tried := 0
	var try func(path string, at func(*Config) reflect.Value)
	try = func(path string, at func(*Config) reflect.Value) {
		c := good()
		switch v := at(&c); v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() && v.Type().Elem().PkgPath() == reflect.TypeFor[Config]().PkgPath() {
				for i := range v.Elem().NumField() {
					if f := v.Elem().Type().Field(i); f.IsExported() {
						try(path+"."+f.Name, func(c *Config) reflect.Value { return at(c).Elem().Field(i) })
					}
				}
			}
		case reflect.Int, reflect.Int64:
			tried++
			for _, n := range []int64{-1, -1 << 62} {
				v.SetInt(n)
				_, err := c.withDefaults()
				name := path[strings.LastIndex(path, ".")+1:]
				if err == nil || !strings.Contains(err.Error(), name) {
					t.Errorf("%s of %d: %v", path, n, err)
				}
			}
		}
	}
	for i := range reflect.TypeFor[Config]().NumField() {
		f := reflect.TypeFor[Config]().Field(i)
		if f.IsExported() && f.Type != reflect.TypeFor[rescind.Ack]() { // which has values of its own
			try("Config."+f.Name, func(c *Config) reflect.Value { return reflect.ValueOf(c).Elem().Field(i) })
		}
	}
	if tried < 10 {
		t.Errorf("only %d numbers", tried)
	}
	if err := (Policy{ForgetAfter: -1}).Validate(); err == nil {
		t.Error("a policy that forgets nobody, or everybody, is accepted")
	}
}

// TestTokensMustNotOutliveTheirRevocation: an Issuer or a Verifier whose tokens live
// longer than this node remembers is refused where it is made.
func TestTokensMustNotOutliveTheirRevocation(t *testing.T) {
	n, err := Open(t.Context(), Config{Name: "a", DataDir: t.TempDir(), MaxLifetime: 24 * time.Hour, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	keys, err := token.GenerateKeySet()
	if err != nil {
		t.Fatal(err)
	}
	for lifetime, fine := range map[time.Duration]bool{0: true, time.Hour: true, 24 * time.Hour: true, 24*time.Hour + 1: false, 90 * 24 * time.Hour: false} {
		issuer, err := token.NewIssuer(token.SignerConfig{Issuer: iss, Keys: keys, Checker: n, Revoker: n, SessionLifetime: lifetime})
		if (err == nil) != fine {
			t.Errorf("an issuer with sessions of %v: %v", lifetime, err)
		}
		if issuer != nil {
			pair, err := issuer.Login(t.Context(), "alice", token.LoginOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := issuer.Refresh(t.Context(), pair.RefreshToken); err != nil {
				t.Errorf("sessions of %v can't be refreshed: %v", lifetime, err)
			}
		}
		v, err := token.NewVerifier(t.Context(), token.VerifierConfig{Checker: n, MaxLifetime: lifetime})
		if (err == nil) != fine {
			t.Errorf("a verifier that accepts %v: %v", lifetime, err)
		}
		if v != nil {
			v.Close()
		}
	}
}

// TestMeasuredIsPruned: members come and go, and what is kept of them does.
func TestMeasuredIsPruned(t *testing.T) {
	var acks ackTracker
	w := newMeasured().window
	for i := range 5000 {
		now := membersFrom(i, 3)
		acks.meet(now)
		acks.acked(ackOf(now[0].Origin), w)
		acks.acked(ackOf(1<<40), w) // somebody who is not listed
		if len(acks.measured) > 3 || len(acks.windows) > 3 {
			t.Fatalf("after %d: %d and %d are kept", i, len(acks.measured), len(acks.windows))
		}
	}
}

// membersFrom returns n members with consecutive origins.
func membersFrom(first, n int) (members []gossip.Member) {
	for i := range n {
		members = append(members, gossip.Member{Origin: gossip.Origin(first + i + 1)})
	}
	return members
}

func ackOf(o gossip.Origin) gossip.PeerAck { return gossip.PeerAck{Origin: o, Seq: 1} }
