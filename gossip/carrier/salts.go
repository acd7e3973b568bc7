package carrier

import (
	"crypto/cipher"
	"sync"
)

// maxSalts bounds the remembered salts. There is one per running member; a
// forgotten one costs a derivation per message, not the message.
const maxSalts = 1024

// knownSalts remembers the ciphers of salts under which an authentic message
// has arrived. A flood of made-up salts therefore can't displace a real one
// nor take memory.
type knownSalts struct {
	mu     sync.RWMutex // guards the fields below
	aeads  map[[saltSize]byte]cipher.AEAD
	ring   [][saltSize]byte // in order of arrival; at most maxSalts
	oldest int              // index in ring, once that is full
}

func (k *knownSalts) get(salt [saltSize]byte) (cipher.AEAD, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	aead, ok := k.aeads[salt]
	return aead, ok
}

// add remembers salt, in place of the oldest if there are maxSalts already.
func (k *knownSalts) add(salt [saltSize]byte, aead cipher.AEAD) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, raced := k.aeads[salt]; raced {
		return
	}
	if k.aeads == nil {
		k.aeads = make(map[[saltSize]byte]cipher.AEAD)
	}
	if len(k.ring) < maxSalts {
		k.ring = append(k.ring, salt)
	} else {
		delete(k.aeads, k.ring[k.oldest])
		k.ring[k.oldest] = salt
		k.oldest = (k.oldest + 1) % maxSalts
	}
	k.aeads[salt] = aead
}
