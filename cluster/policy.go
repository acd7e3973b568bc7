package cluster

import (
	"time"

	"rescind"
)

// Policy is what of Config can change while a node runs. The fields mean what they
// mean there, zero values included.
type Policy struct {
	MaxRevocations int
	MaxBytes       int
	IssuerShare    int
	Ack            rescind.Ack
	ForgetAfter    time.Duration
	RefuseIsolated bool
	RejectStale    bool
	MaxStaleness   time.Duration
	VersionWait    time.Duration
}

// With returns c with p in the place of its own.
func (c Config) With(p Policy) Config {
	c.MaxRevocations, c.MaxBytes, c.IssuerShare, c.Ack = p.MaxRevocations, p.MaxBytes, p.IssuerShare, p.Ack
	c.ForgetAfter, c.RefuseIsolated, c.RejectStale = p.ForgetAfter, p.RefuseIsolated, p.RejectStale
	c.MaxStaleness, c.VersionWait = p.MaxStaleness, p.VersionWait
	return c
}

func (c Config) policy() *Policy {
	return &Policy{
		MaxRevocations: c.MaxRevocations, MaxBytes: c.MaxBytes, IssuerShare: c.IssuerShare, Ack: c.Ack,
		ForgetAfter: c.ForgetAfter, RefuseIsolated: c.RefuseIsolated, RejectStale: c.RejectStale,
		MaxStaleness: c.MaxStaleness, VersionWait: c.VersionWait,
	}
}

// Validate returns what is wrong with p, or nil.
func (p Policy) Validate() error {
	_, err := Config{DataDir: ".", Name: "x"}.With(p).withDefaults()
	return err
}

// SetPolicy puts p in force, for calls that begin afterwards. A limit that is below
// what the node holds drops nothing: it refuses new revocations until enough have
// expired. A member that has been silent for longer than ForgetAfter is forgotten
// within milliseconds, which is how an operator removes one that is gone for good. On
// an error nothing has changed.
func (n *Node) SetPolicy(p Policy) error {
	c, err := n.cfg.With(p).withDefaults()
	if err != nil {
		return err
	}
	n.policy.Store(c.policy())
	n.set.SetLimits(c.MaxRevocations, c.MaxBytes)
	return nil
}
