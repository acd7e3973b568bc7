package token

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"rescind"
	"rescind/token/internal/strict"
)

// StatusReference is an entry of a Token Status List: the claim
// status.status_list of a token (draft-ietf-oauth-status-list-20 section 6).
type StatusReference struct {
	URI   string // of the list
	Index uint64 // in the list
}

// Key returns the name under which the entry is revoked at a node that publishes
// the list: in scope jti, with the list as the issuer and the index as the ID.
// No token of that issuer exists, so the name is no token's.
func (r StatusReference) Key() rescind.Key {
	return rescind.Key{Scope: rescind.ScopeJTI, Issuer: r.URI, ID: strconv.FormatUint(r.Index, 10)}
}

// statusClaim is what a token says about its status. A claim called status that
// is no object, or has no member status_list, is of another kind and ignored.
type statusClaim struct {
	StatusReference      // URI is "" where the token refers to no list
	malformed       bool // it refers to one, but not in a form that can be read
}

// readStatus reads the claim. A malformed one is no error yet: only where the
// issuer's lists count is such a token refused.
func (c *statusClaim) readStatus(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return strict.ErrJSON
	}
	if raw.Kind() != '{' {
		return nil
	}
	err = strict.ReadObject(raw, DefaultMaxDepth, statusNames, func(name string, dec *jsontext.Decoder) error {
		if name != "status_list" {
			return strict.Skip(dec)
		}
		return c.readReference(dec)
	})
	if c.malformed = err != nil; c.malformed {
		c.StatusReference = StatusReference{}
	}
	return nil
}

func (c *statusClaim) readReference(dec *jsontext.Decoder) error {
	raw, err := dec.ReadValue()
	if err != nil {
		return strict.ErrJSON
	}
	indexed := false
	err = strict.ReadObject(raw, DefaultMaxDepth, referenceNames, func(name string, dec *jsontext.Decoder) (err error) {
		switch name {
		case "uri":
			c.URI, err = strict.ReadString(dec, rescind.MaxIDLen)
		case "idx":
			c.Index, err = readIndex(dec)
			indexed = true
		default:
			err = strict.Skip(dec)
		}
		return err
	})
	if err == nil && (!indexed || c.URI == "") {
		err = strict.ErrJSON
	}
	return err
}

var (
	statusNames    = []string{"status_list"}
	referenceNames = []string{"idx", "uri"}
)

// readIndex reads a number in plain digits. Others would be integers, too, such
// as 1e3, but no issuer writes them and readers differ.
func readIndex(dec *jsontext.Decoder) (uint64, error) {
	v, err := dec.ReadValue()
	if err != nil {
		return 0, strict.ErrJSON
	}
	i, err := strconv.ParseUint(string(v), 10, 53)
	if err != nil {
		return 0, strict.ErrJSON
	}
	return i, nil
}
