package token

import (
	"fmt"
	"slices"
	"time"

	"rescind"
	"rescind/token/jwks"
)

// Rotation says how the keys of a KeySet change. Nobody is logged out by it: a
// key that has stopped signing verifies for as long as its tokens can live.
type Rotation struct {
	// Every is how long a key signs before RotateDue replaces it. 0: only
	// RotateNow does.
	Every time.Duration

	// Ahead is how long a key is published before it signs. It should exceed the
	// time for which verifiers keep the key set; those of this package fetch it
	// at least every 10 minutes. 0: it signs at once, and a verifier learns of
	// it from the first token.
	Ahead time.Duration

	// Keep is how long a key verifies after it has stopped signing: the longest
	// lifetime of any token of the issuer, refresh tokens included. 0 means
	// DefaultMaxLifetime.
	Keep time.Duration
}

func (r Rotation) withDefaults() (Rotation, error) {
	setDefault(&r.Keep, DefaultMaxLifetime)
	if r.Every < 0 || r.Ahead < 0 || r.Keep < 0 || r.Every != 0 && r.Ahead >= r.Every {
		return r, fmt.Errorf("token: Rotation: Every %v, Ahead %v, Keep %v; none may be negative, and Ahead must be less than Every", r.Every, r.Ahead, r.Keep)
	}
	return r, nil
}

// RotateNow publishes a new key, which signs from r.Ahead after now on, and
// returns its kid. Keys whose tokens have all expired are dropped.
func (s *KeySet) RotateNow(now time.Time, r Rotation) (kid string, err error) {
	r, err = r.withDefaults()
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addLocked(rescind.MillisOf(now), rescind.MillisOf(now.Add(r.Ahead)), r.Keep)
}

// RotateDue does what the schedule asks for at now, and reports whether it
// changed anything. Call it every minute or so, in one process, and Save after
// a change. A set that was never rotated begins its schedule now.
func (s *KeySet) RotateDue(now time.Time, r Rotation) (changed bool, err error) {
	r, err = r.withDefaults()
	if err != nil || r.Every == 0 {
		return false, err
	}
	at := rescind.MillisOf(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	latest := s.pairs[0]
	if latest.from.Add(r.Every-r.Ahead) <= at {
		_, err := s.addLocked(at, max(latest.from.Add(r.Every), at.Add(r.Ahead)), r.Keep)
		return err == nil, err
	}
	live := living(s.pairs, at)
	if len(live) == len(s.pairs) {
		return false, nil
	}
	return true, s.replaceLocked(live)
}

// addLocked adds a key that signs from that instant on.
func (s *KeySet) addLocked(now, from rescind.Millis, keep time.Duration) (kid string, err error) {
	k, err := generateKey(from)
	if err != nil {
		return "", err
	}
	pairs := []*signingKey{k}
	for _, old := range living(s.pairs, now) {
		if old.until == 0 {
			retired := *old
			// A node whose clock is behind signs with it for a little longer.
			retired.until = max(from, old.from).Add(keep + rescind.RetentionMargin)
			old = &retired
		}
		pairs = append(pairs, old)
	}
	if len(pairs) > jwks.MaxKeys {
		return "", fmt.Errorf("token: more than %d keys are still needed; rotate less often, or let tokens live shorter", jwks.MaxKeys)
	}
	return k.kid, s.replaceLocked(pairs)
}

// living returns the keys whose tokens may still be good.
func living(pairs []*signingKey, now rescind.Millis) []*signingKey {
	return slices.DeleteFunc(slices.Clone(pairs), func(k *signingKey) bool { return k.until != 0 && k.until <= now })
}

// Drop removes a key that has leaked: tokens that it signed are refused here, and
// by other verifiers once they have fetched the key set. Revoke its kid as well,
// see Issuer.RevokeKey, so that they refuse them at once. If it was to sign, a new
// key signs from now on. The error is ErrUnknownKey if there is none of that name.
func (s *KeySet) Drop(kid string, now time.Time) error {
	at := rescind.MillisOf(now)
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(slices.Clone(s.pairs), func(k *signingKey) bool { return k.kid == kid })
	if len(left) == len(s.pairs) {
		return fmt.Errorf("token: dropping a key: %w", ErrUnknownKey)
	}
	// Another may sign in its place only if that was not retired.
	if !slices.ContainsFunc(left, func(k *signingKey) bool { return k.from <= at && (k.until == 0 || k == signerOf(s.pairs, at)) }) {
		k, err := generateKey(at)
		if err != nil {
			return err
		}
		left = append(left, k)
	}
	return s.replaceLocked(left)
}

// KeyState says what a key does.
type KeyState string

const (
	KeyNext     KeyState = "next"     // published, not signing yet
	KeySigns    KeyState = "signs"    // signs and verifies
	KeyVerifies KeyState = "verifies" // verifies what it signed before
)

// KeyInfo describes a key of a KeySet.
type KeyInfo struct {
	KeyID string
	State KeyState
	From  time.Time // when it begins to sign; zero: it always did
	Until time.Time // when it is no longer needed; zero: it has no successor yet
}

// Keys describes the keys at now, the latest to sign first.
func (s *KeySet) Keys(now time.Time) []KeyInfo {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := rescind.MillisOf(now)
	signs := signerOf(s.pairs, at)
	var all []KeyInfo
	for _, k := range s.pairs {
		info := KeyInfo{KeyID: k.kid, State: KeyVerifies, From: instant(k.from), Until: instant(k.until)}
		switch {
		case k == signs:
			info.State = KeySigns
		case k.from > at:
			info.State = KeyNext
		}
		all = append(all, info)
	}
	return all
}

func instant(m rescind.Millis) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return m.Time()
}
