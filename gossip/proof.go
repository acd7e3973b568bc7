package gossip

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// An acknowledgement counts for a receipt, and for majorities, as soon as it comes, so
// nobody may make one for somebody else. There are too many to sign each: it carries a
// code that is made with a secret which its two ends share by their keys, and takes a
// microsecond.

// tagSize is the length of that code in bytes.
const tagSize = 16

// pinned notes which key speaks for p, and reports whether it is the one that has
// until now: somebody may have found another with the same hash.
func (c *Core) pinned(p *peer, m Message) bool {
	switch {
	case m.Proof == nil: // put together by hand
		return true
	case p.public == [len(p.public)]byte{}:
		p.public = m.Proof.Public
	case p.public != m.Proof.Public:
		c.refused.Acks++
		return false
	}
	return true
}

// tag makes the code of an acknowledgement that goes from one origin to another, one
// of them p. It reports false where p's key is not known: then it says what it holds
// in heartbeats only. A core without a key makes none.
func (c *Core) tag(p *peer, a *Ack, from, to Origin, epoch uint64, tag *[tagSize]byte) bool {
	if c.cfg.Key.IsZero() {
		return true
	}
	if p.secret == nil && p.public != [len(p.public)]byte{} {
		secret, err := c.cfg.Key.Shared(p.public)
		if err != nil {
			return false // nobody who signs has such a key
		}
		p.secret = secret
	}
	if p.secret == nil {
		return false
	}
	said := []byte("rescind acknowledgement")
	for _, n := range []uint64{uint64(from), uint64(to), epoch} {
		said = binary.BigEndian.AppendUint64(said, n)
	}
	mac := hmac.New(sha256.New, p.secret)
	mac.Write(appendRoll(appendPosition(said, a.At), a.Roll))
	copy(tag[:], mac.Sum(nil))
	return true
}

// tagged reports whether p has made the code of its acknowledgement.
func (c *Core) tagged(p *peer, m Message, a *Ack) bool {
	want := a.Tag
	if c.tag(p, a, m.From, c.cfg.Origin, m.Epoch, &want) && hmac.Equal(want[:], a.Tag[:]) {
		return true
	}
	c.refused.Acks++
	return false
}
