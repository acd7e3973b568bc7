package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"text/tabwriter"
	"time"

	"rescind/token"
)

// keysRotate adds a signing key, which takes over later, or drops one that has
// leaked.
func keysRotate(_ context.Context, e env) error {
	flags := newFlags(e, "keys rotate", "keys rotate [--dir FOLDER] [--ahead 15m] [--keep 720h] [--leaked KID]")
	dir := flags.String("dir", "keys", "folder of 'keys generate'")
	ahead := flags.Duration("ahead", 15*time.Minute, "how long the new key is published before it signs; verifiers fetch keys every 10 minutes")
	keep := flags.Duration("keep", token.DefaultMaxLifetime, "how long old keys verify: the longest lifetime of any token")
	leaked := flags.String("leaked", "", "kid of a key to drop at once; its tokens end")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	path := filepath.Join(*dir, issuerFile)
	var published []byte
	err := token.UpdateKeyFile(path, func(keys *token.KeySet) (err error) {
		now := time.Now()
		if *leaked != "" {
			err = keys.Drop(*leaked, now)
		} else {
			_, err = keys.RotateNow(now, token.Rotation{Ahead: *ahead, Keep: *keep})
		}
		if err == nil {
			published, err = keys.JWKS()
		}
		return err
	})
	if errors.Is(err, token.ErrUnknownKey) {
		return usage("keys rotate: there is no key %.130q in %s; 'keys list' shows them", *leaked, path)
	}
	if err != nil {
		return err
	}
	if err := replacePublic(filepath.Join(*dir, "jwks.json"), published); err != nil {
		return err
	}
	if *leaked != "" {
		fmt.Fprintf(e.stderr, "rescind: nodes that don't fetch the keys again at once still trust the one that leaked; end its tokens there with\n  rescind revoke --scope kid --id %s\n", *leaked)
	}
	return listKeys(e, path, false)
}

// replacePublic replaces the published keys as a whole.
func replacePublic(path string, content []byte) error {
	temporary := path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("publish the keys: %w", err)
	}
	if err := writeNew(temporary, content, 0o644); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return fmt.Errorf("publish the keys: %w", err)
	}
	return nil
}

// keysList shows the signing keys.
func keysList(_ context.Context, e env) error {
	flags := newFlags(e, "keys list", "keys list [--dir FOLDER] [--json]")
	dir := flags.String("dir", "keys", "folder of 'keys generate'")
	asJSON := flags.Bool("json", false, "print JSON")
	if err := parse(flags, e, 0); err != nil {
		return err
	}
	return listKeys(e, filepath.Join(*dir, issuerFile), *asJSON)
}

// keyLine is a key as people and programs read it.
type keyLine struct {
	KeyID string     `json:"kid"`
	State string     `json:"state"` // next, signs or verifies
	From  *time.Time `json:"signs_from"`
	Until *time.Time `json:"needed_until"`
}

func listKeys(e env, path string, asJSON bool) error {
	keys, err := token.LoadKeySet(path)
	if err != nil {
		return err
	}
	var lines []keyLine
	for _, k := range keys.Keys(time.Now()) {
		lines = append(lines, keyLine{k.KeyID, string(k.State), optionalTime(k.From), optionalTime(k.Until)})
	}
	if asJSON {
		return json.NewEncoder(e.stdout).Encode(lines)
	}
	w := tabwriter.NewWriter(e.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "KID\tSTATE\tSIGNS FROM\tNEEDED UNTIL")
	for _, l := range lines {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", l.KeyID, l.State, timeCell(l.From), timeCell(l.Until))
	}
	return w.Flush()
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.Truncate(time.Second)
	return &t
}

func timeCell(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format(time.RFC3339)
}
