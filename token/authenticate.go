package token

import (
	"slices"

	"rescind"
	"rescind/token/jwks"
)

// authentic is a token whose form and signature are good and will be for as
// long as the key set stays: what may be remembered. Whether it may be used is
// judged every time.
type authentic struct {
	Verified
	issuer *trusted
	set    *jwks.Set // that vouched for the signature
	claims claims
}

// current reports whether the issuer and the key set that vouched for a are
// still in force.
func (a *authentic) current() bool { return !a.issuer.replaced.Load() && a.issuer.keys() == a.set }

// authenticate decrypts raw if need be, takes it apart and checks its signature.
func (v *Verifier) authenticate(raw string) (*authentic, error) {
	if v.looksEncrypted(raw) {
		return v.authenticateEncrypted(raw)
	}
	return v.authenticateSigned(raw)
}

// authenticateSigned takes raw apart and checks its signature. Everything cheap comes
// first; claims are parsed before the signature because they name the issuer,
// strictly and within MaxTokenBytes.
func (v *Verifier) authenticateSigned(raw string) (*authentic, error) {
	c, err := splitCompact(raw, v.config.MaxTokenBytes)
	if err != nil {
		return nil, err
	}
	h, err := parseHeader(c.header, v.config.MaxDepth)
	if err != nil {
		return nil, err
	}
	if jwks.Algorithms[h.alg] == nil {
		return nil, refuse(ErrAlgorithm, "header", "the algorithm is not supported")
	}
	cl, err := parseClaims(c.payload, v.config.MaxDepth)
	if err != nil {
		return nil, err
	}
	t := v.trust.Load().issuers[cl.iss]
	if t == nil {
		return nil, refuse(ErrUnknownIssuer, "issuer", "the issuer is not trusted here")
	}
	alg := t.allowed[h.alg]
	if alg == nil {
		return nil, refuse(ErrAlgorithm, "algorithm", "the algorithm is not allowed for the issuer")
	}
	key, set, err := t.key(h, alg, cl.iat)
	if err != nil {
		return nil, err
	}
	if alg.Method.Verify(c.signingInput, c.signature, key.Public) != nil {
		return nil, refuse(ErrSignature, "signature", "the signature does not match")
	}
	a := &authentic{Verified: describe(c, h, cl, key, t), issuer: t, set: set, claims: cl}
	if cl.exp == 0 { // AllowNoExp, or judge refuses it
		a.Token.ExpiresAt = cl.iat.Add(v.config.MaxLifetime)
	}
	return a, nil
}

// describe fills in what callers see. KeyID is the kid of the key that was
// used, so that a token without kid is covered by a revocation of its key.
func describe(c compact, h header, cl claims, key *jwks.Key, t *trusted) Verified {
	v := Verified{
		Token: rescind.Token{
			Issuer:    t.Issuer, // not cl.iss, which is equal: see trusted
			ID:        cl.jti,
			Session:   cl.sid,
			Subject:   cl.sub,
			ClientID:  cl.clientID,
			KeyID:     key.KeyID,
			IssuedAt:  cl.iat,
			ExpiresAt: cl.exp,
		},
		Type:      effectiveType(h.typ, cl.hint),
		Algorithm: h.alg,
		Audience:  cl.aud,
		claims:    c.payload,
	}
	if v.Token.ID == "" {
		v.Token.ID = c.derivedID()
	}
	if v.Token.ClientID == "" {
		v.Token.ClientID = cl.azp
	}
	if begun := max(cl.authTime, cl.sessionIssued); t.AuthTime && cl.authTime != 0 {
		v.Token.IssuedAt = min(cl.iat, begun)
	}
	if cl.clientSession {
		v.clientSession = clientSessionID(v.Token.Subject, v.Token.ClientID)
	}
	v.status = cl.status.StatusReference
	if slices.Contains(t.PublishedLists, v.status.URI) {
		v.published = v.status.Key()
	}
	return v
}

// effectiveType is typ, or where typ says nothing definite what the claims
// betray.
func effectiveType(typ, hint string) string {
	if hint != "" && (typ == "" || typ == TypeJWT) {
		return hint
	}
	return typ
}

// judge decides what depends on the moment, on the issuer's rules and on the
// caller's exceptions, but not on revocations.
func (v *Verifier) judge(a *authentic, r rules, now rescind.Millis) error {
	if a.issuer.EventsOnly && a.Type != TypeEvent {
		return refuse(ErrType, "type", "the issuer is trusted for security events only")
	}
	if !slices.Contains(a.issuer.types, a.Type) && !slices.Contains(r.types, a.Type) {
		return refuse(ErrType, "type", "the token is of another type than is accepted here")
	}
	if !r.anyAudience && !a.forAudience(r.audience) {
		return refuse(ErrAudience, "audience", "the token is meant for another audience")
	}
	if err := v.checkLifetime(&a.claims, a.issuer.AllowNoExp || r.allowNoExp, now); err != nil {
		return err
	}
	leeway := v.config.Leeway
	switch {
	case a.Token.ExpiresAt.Add(leeway) <= now && !r.allowExpired:
		return errExpired
	case a.claims.nbf > now.Add(leeway+r.early):
		return refuse(ErrNotYetValid, "time", "the token is not valid yet")
	case a.claims.iat > now.Add(leeway+r.early):
		return refuse(ErrIssuedInFuture, "time", "the token was issued in the future")
	}
	return nil
}

// forAudience reports whether one of the audiences is expected: of those given,
// or else the issuer's. A refresh token is meant for its issuer.
func (a *authentic) forAudience(expected []string) bool {
	if len(expected) == 0 {
		expected = a.issuer.Audience
	}
	if len(expected) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Audience, func(aud string) bool {
		return slices.Contains(expected, aud) || a.Type == TypeRefresh && aud == a.Token.Issuer
	})
}

// checkLifetime refuses what could outlive its own revocation.
func (v *Verifier) checkLifetime(c *claims, allowNoExp bool, now rescind.Millis) error {
	switch {
	case c.exp == 0 && !allowNoExp:
		return refuse(ErrClaims, "time", "the token has no expiry")
	case c.exp == 0 && c.iat == 0:
		return refuse(ErrClaims, "time", "the token has neither an expiry nor an issue time")
	case c.exp > horizon(c.iat, now, v.config.MaxLifetime):
		return refuse(ErrLifetime, "time", "the token lives longer than allowed")
	}
	return nil
}
