package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// quorumView is what the tables show of the named members.
type quorumView struct {
	List                uint64
	Names, Before       []string
	Size, Need, Reached int
	Missing             []string
	Whole               bool
}

// String says in one line which majority the node counts.
func (q *quorumView) String() string {
	words := []string{fmt.Sprintf("%d of %d reached, %d needed (list %d: %s)", q.Reached, q.Size, q.Need, q.List, strings.Join(q.Names, ", "))}
	if len(q.Before) > 0 {
		words = append(words, "a majority of the list before is needed, too: "+strings.Join(q.Before, ", "))
	}
	if !q.Whole {
		words = append(words, "this node does not count")
	}
	if len(q.Missing) > 0 {
		words = append(words, "missing: "+strings.Join(q.Missing, ", "))
	}
	return strings.Join(words, "; ")
}

// acceptLoss has a member whose folder was lost count again without the others that
// were lost as well.
func acceptLoss(ctx context.Context, e env) error {
	fs := newFlags(e, "members accept-loss", "members accept-loss [--addr HOST:PORT] --admin-token-file FILE --yes")
	flags := addClientFlags(fs, adminAddr)
	yes := fs.Bool("yes", false, "give up every revocation that only lost folders held")
	if err := parse(fs, e, 0); err != nil {
		return err
	}
	if !*yes {
		return usage("members accept-loss: this gives up every revocation that only the lost folders held, so that tokens which were " +
			"logged out may be good again; wait for the other members if their disks still exist, else say --yes")
	}
	c, err := flags.client()
	if err != nil {
		return err
	}
	status, answer, err := c.do(ctx, http.MethodPost, "/v1/members/accept-loss", c.admin, nil)
	if err != nil {
		return err
	}
	if status != http.StatusNoContent {
		return problemOf(status, answer)
	}
	fmt.Fprintln(e.stderr, "The loss is accepted. 'rescind members' shows when this node counts.")
	return nil
}
