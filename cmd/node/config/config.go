// Package config reads the settings of 'node serve'.
//
// Every setting is a key in the YAML file (nested: section, then key), an
// environment variable RESCIND_SECTION_KEY and a flag --section.key. A flag
// beats the environment, which beats the file, which beats the default, for
// each key by itself. One table, which [Settings] shows, is the source of all
// of them, of the help text and of [Config.Print].
//
// What is misspelt or wrong is refused, all of it at once, each with where it
// stands and what would be right: a setting that is silently ignored is a hole
// in a security product. Only the value that wins is checked, so that a flag
// can repair a bad file.
//
// An empty environment variable counts as not set, because compose files and
// charts can't leave a variable out conditionally; its name is checked all the
// same. To empty a setting, use an empty flag (--nats.url=) or "" in the file.
// A key of the file without a value counts as not set, too.
//
// Values that name files are paths relative to the working directory, wherever
// they were set. Secrets are read from files only, and no message repeats
// the content of such a file, a password in a URL, or the value of a key that
// is unknown.
package config

import (
	"log/slog"
	"net/netip"
	"time"

	"rescind"
)

// Config holds the settings in force of one node. [Loader.Load] makes it; all
// of its values are checked and nothing is left to be derived.
type Config struct {
	Node struct {
		Name string // empty: the host's name
	}
	Cluster struct {
		Name                     string
		JoinTimeout, ForgetAfter time.Duration // positive
		Bootstrap                bool          // the first node of a new cluster
		KeyFile                  string        // empty: no key, loopback addresses only
		TransportKeysFile        string        // empty: messages are sealed with KeyFile's key
		Members                  []string      // names; empty: an open cluster
	}
	HTTP struct {
		Addr           string         // host:port
		TrustedProxies []netip.Prefix // whose X-Forwarded-For counts
		ClientRate     int            // log-outs a second from one address; 0: no limit
		CertFile       string         // empty: no TLS
		KeyFile        string         // empty: no TLS
	}
	Admin struct {
		TokenFile  string // empty: no admin token
		TokensFile string // empty: no named ones
		Rate       int    // requests a second of one operator; 0: no limit
		Addr       string // host:port; empty: that of HTTP
		Scope      string // empty: access tokens make no operator

		ClientCAFile  string   // empty: client certificates make no operator
		ClientCRLFile string   // empty: none of them is revoked
		ClientNames   []string // "uri:...", "dns:..." or "cn:..."
	}
	Events Events
	GRPC   struct{ Addr string } // host:port; empty: none
	OAuth  struct {
		ClientsFile string // empty: none
		Issuer      string // a URL
		KeyFile     string // empty: answers to introspection are not signed

		StatusListSize int           // entries: a multiple of 8
		StatusListTTL  time.Duration // 1s to 1h
	}
	Gossip struct {
		Bind      string   // host:port; empty: memberlist is off
		Advertise string   // host:port; empty: derived from Bind
		Join      []string // host:port, dns+name:port or dnssrv+name
		Regional  bool     // members beyond it are expected
	}
	NATS   NATS
	Data   struct{ Dir string } // not empty
	Tokens struct {
		Leeway      time.Duration // 0 to rescind.MaxLeeway
		MaxLifetime time.Duration // 1m to rescind.MaxLifetimeLimit
		Issuers     []Issuer      // each Issuer.Issuer once
	}
	Revocations struct {
		Max      int         // positive
		Ack      rescind.Ack // never rescind.AckDefault
		Isolated string      // "accept" or "refuse"

		IssuerShare int // percent of Max; 0: no bound
	}
	Memory struct {
		Limit      int64 // bytes; 0: GOMEMLIMIT, or none
		FromCgroup bool  // Limit was not set, but follows from the control group's
	}
	Checks struct {
		OnStale      string        // "serve" or "reject"
		MaxStaleness time.Duration // positive
		VersionWait  time.Duration // positive, at most 1m
	}
	OneTime  OneTime
	Store    Store
	Shutdown struct{ Delay time.Duration } // 0 or more
	Tracing  struct{ OTLPEndpoint string } // an http or https URL; empty: no spans
	Log      struct {
		Level  slog.Level
		Format string // "text" or "json"
	}

	sources map[string]string            // of each key, for Print
	files   []string                     // that were read for this
	read    func(string) ([]byte, error) // nil means readFile
}

// Issuer is one entry of tokens.issuers: whose tokens are accepted, and how
// they are verified. Exactly one of the three fields from JWKSURL on is set.
type Issuer struct {
	Issuer         string
	Audience       []string // empty: any
	LogoutAudience []string // of logout tokens; empty: Audience
	EventsAudience []string // of security events; empty: none are taken

	// Where its security events are polled, and the file with the bearer token
	// for that. Empty: they are not; no token.
	EventsPollURL, EventsPollTokenFile string

	EventsSubjects []string // other issuers whose subjects and sessions its events may name
	EventsOnly     bool     // its tokens are no access tokens

	Algorithms      []string // never empty
	JWKSURL         string   // https, or http on loopback
	JWKSFile        string
	HS256SecretFile string // for the HS* algorithms, whatever its name says

	DecryptionKeysFile string // empty: encrypted tokens are refused

	// As in token.IssuerConfig; and the names of the status lists that are
	// published for the issuer's tokens.
	StatusLists         []string
	StatusJWKSURL       string
	AcceptUnknownStatus bool
	PublishStatus       []string

	// As in token.IssuerConfig: the typ of access tokens; that auth_time counts
	// as the time of issue; that a token needs no exp.
	Types      []string
	AuthTime   bool
	AllowNoExp bool
}
