// Package service is what the examples have in common: a node, an issuer and a
// verifier in one process. Yours has a node and a verifier; who issues tokens may
// be anybody.
package service

import (
	"context"
	"errors"
	"fmt"

	"rescind/cluster"
	"rescind/token"
)

// Service verifies tokens and knows which are revoked.
type Service struct {
	Node     *cluster.Node
	Verifier *token.Verifier
	Issuer   *token.Issuer
}

// Open starts a node with its data in dir. It is alone; give cluster.Config
// Gossip or NATS, and a Key, to join others.
func Open(ctx context.Context, dir string) (*Service, error) {
	node, err := cluster.Open(ctx, cluster.Config{DataDir: dir})
	if err != nil {
		return nil, fmt.Errorf("open the node: %w", err)
	}
	keys, err := token.GenerateKeySet()
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	issuer, err := token.NewIssuer(token.SignerConfig{Issuer: "https://shop.example", Audience: []string{"shop"}, Keys: keys, Checker: node, Revoker: node})
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	verifier, err := token.NewVerifier(ctx, token.VerifierConfig{Checker: node, Issuers: []token.IssuerConfig{issuer.Trust()}})
	if err != nil {
		return nil, errors.Join(err, node.Close())
	}
	return &Service{node, verifier, issuer}, nil
}

// Close stops everything.
func (s *Service) Close() error {
	s.Verifier.Close()
	return s.Node.Close()
}

// Claims are those that the examples look at.
type Claims struct {
	Subject string `json:"sub"`
	Scope   string `json:"scope"`
}
