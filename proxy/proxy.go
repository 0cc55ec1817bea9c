// Package proxy owns the way of a request to the upstream: it parses the target, finds the operation, asks who is calling and
// whether they may, rewrites what goes out, scrubs what comes back, and ends what lives long when a right ends.
//
// It never knows one upstream's API (dialects do, by their table of operations), never queries and never judges by anything
// but the request line. Its key idea: what is decided on is what is forwarded, and what no row of the table names is denied.
package proxy

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// Config is what the engine needs. Upstream, Key, Gate, Objects and Events are required; the rest has defaults.
type Config struct {
	Upstream   *url.URL // scheme and host of the upstream; a path is not supported
	Key        string   // the upstream's session key, put into every request and masked in every response
	Secrets    []string // masked too: further keys of the upstream. Values under 8 bytes are refused
	Operations []Operation
	Gate       Gate
	Objects    Objects
	Events     Events

	// Fallback serves GET and HEAD outside the names of the table (the UI). The engine asks for a caller first, unless the
	// handler is a PublicHandler and calls the request public. nil: such paths are 404.
	Fallback http.Handler

	Origins        []string       // the origins of our own pages (PUBLIC_URL); the request's own host counts too
	TrustedProxies []netip.Prefix // whose X-Forwarded-For and X-Forwarded-Proto are believed
	LoginPath      string         // where navigation without a credential is sent: /account/login
	FactorPath     string         // where navigation without the second factor that is demanded is sent: /account/security
	Log            *slog.Logger
	Now            func() time.Time // time.Now

	// IdentityKey signs the tokens that tell the upstream who asks, by HS256: 32 bytes or more, used for nothing else. Without
	// one no token is sent.
	IdentityKey     []byte
	IdentityHeaders IdentityHeaders

	// Content is the origin for what agents wrote. nil: there is none.
	Content *ContentConfig

	// Hidden is told, once for each caller and Digest, how often they asked for what they may not see or what does not exist. nil:
	// it is logged. It may take its time, but nothing else is told of meanwhile.
	Hidden func(context.Context, Hidden)
	Digest time.Duration // between two such sums, also of unknown operations in the log, 1 min

	MaxBody     int64         // of a request, 32 MiB; an Operation may say otherwise
	BodyTimeout time.Duration // how long a request's body may pause, 30 s
	Lease       time.Duration // how long a live connection survives without a good check, 30 s
	Recheck     time.Duration // between two checks of all live connections, 500 ms

	DialTimeout   time.Duration // to reach the upstream, 5 s
	HeaderTimeout time.Duration // until the upstream begins to answer, 330 s: creates, commands and models are slow
	ReadTimeout   time.Duration // the same for GET and HEAD, 60 s: nothing that only reads is slow

	Socket SocketConfig
	Limits Limits
}

// SocketConfig bounds WebSockets.
type SocketConfig struct {
	AuthTimeout      time.Duration // for the first frame to bring the credential, 10 s
	AnonymousGrace   time.Duration // the same where anonymous callers may go on without one, 1 s
	WaitingByAddress int           // sockets of one address that wait for that frame, 32
	WaitingTotal     int           // and of all, 1024
	Ping             time.Duration // between two pings to both sides, 30 s; after 2½ of them without a sign a peer is dead
	MaxMessage       int64         // the largest message of a client, 4 MiB
}

// Engine is the proxy. It is made by New and serves until Close.
type Engine struct {
	cfg       Config
	table     *table
	mask      *masker
	upstream  *upstream
	origins   *origins
	names     IdentityHeaders
	custom    map[string]bool // those of names that are unlike any other
	signer    *signer
	links     *links
	peers     peers
	live      *Registry
	waiting   *waiting
	digest    *digest
	fair      *fair
	namespace map[string]bool
	debug     *log.Logger // what ReverseProxy says
}

// New makes an engine. It does not contact the upstream.
func New(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	t, err := newTable(cfg.Operations)
	if err != nil {
		return nil, err
	}
	e := &Engine{
		cfg:       cfg,
		table:     t,
		mask:      newMasker(append([]string{cfg.Key}, cfg.Secrets...)),
		upstream:  newUpstream(cfg),
		peers:     peers(cfg.TrustedProxies),
		names:     cfg.IdentityHeaders,
		custom:    cfg.IdentityHeaders.custom(),
		signer:    newSigner(cfg),
		links:     newLinks(cfg),
		live:      newRegistry(cfg),
		fair:      newFair(cfg.Limits, cfg.Now),
		digest:    newDigest(cfg),
		waiting:   newWaiting(cfg.Socket.WaitingByAddress, cfg.Socket.WaitingTotal),
		namespace: namespace(cfg.Operations),
		debug:     slog.NewLogLogger(cfg.Log.Handler(), slog.LevelDebug),
	}
	e.origins = newOrigins(cfg.Origins, e.peers)
	return e, nil
}

// Close ends every live connection (1001 for WebSockets) and the connections to the upstream.
func (e *Engine) Close() {
	e.live.close()
	e.digest.close()
	e.upstream.closeIdle()
}

// Live is the registry of what lives long.
func (e *Engine) Live() *Registry { return e.live }

func (c Config) check() error {
	var faults []error
	if c.Upstream == nil || c.Upstream.Host == "" || (c.Upstream.Scheme != "http" && c.Upstream.Scheme != "https") {
		faults = append(faults, errors.New("the upstream's URL must be http(s)://host[:port]"))
	} else if c.Upstream.Path != "" && c.Upstream.Path != "/" {
		faults = append(faults, errors.New("the upstream's URL must not have a path"))
	}
	if c.Gate == nil || c.Objects == nil || c.Events == nil {
		faults = append(faults, errors.New("gate, objects and events are required"))
	}
	for i, s := range append([]string{c.Key}, c.Secrets...) {
		if len(s) < leastSecret {
			faults = append(faults, fmt.Errorf("secret %d has fewer than %d bytes and cannot be masked: use a longer key", i, leastSecret))
		}
	}
	if n := len(c.IdentityKey); n > 0 && n < leastKey {
		faults = append(faults, fmt.Errorf("the identity key has %d bytes: give it %d", n, leastKey))
	}
	faults = append(faults, c.Content.check()...)
	return errors.Join(append(faults, c.IdentityHeaders.check()...)...)
}

func (c Config) withDefaults() Config {
	c.IdentityHeaders = c.IdentityHeaders.withDefaults()
	c.LoginPath = or(c.LoginPath, "/account/login")
	c.FactorPath = or(c.FactorPath, "/account/security")
	c.Log = or(c.Log, slog.Default())
	if c.Now == nil {
		c.Now = time.Now
	}
	c.MaxBody = or(c.MaxBody, 32<<20)
	c.Digest = or(c.Digest, time.Minute)
	c.BodyTimeout = or(c.BodyTimeout, 30*time.Second)
	c.Lease = or(c.Lease, 30*time.Second)
	c.Recheck = or(c.Recheck, 500*time.Millisecond)
	c.DialTimeout = or(c.DialTimeout, 5*time.Second)
	c.HeaderTimeout = or(c.HeaderTimeout, 330*time.Second)
	c.ReadTimeout = min(or(c.ReadTimeout, 60*time.Second), c.HeaderTimeout)
	c.Socket = c.Socket.withDefaults()
	c.Limits = c.Limits.withDefaults()
	return c
}

func (c SocketConfig) withDefaults() SocketConfig {
	c.AuthTimeout = or(c.AuthTimeout, 10*time.Second)
	c.AnonymousGrace = or(c.AnonymousGrace, time.Second)
	c.WaitingByAddress = or(c.WaitingByAddress, 32)
	c.WaitingTotal = or(c.WaitingTotal, 1024)
	c.Ping = or(c.Ping, 30*time.Second)
	c.MaxMessage = or(c.MaxMessage, 4<<20)
	return c
}

// or returns v, or the default where v is unset.
func or[T comparable](v, unset T) T {
	var zero T
	if v == zero {
		return unset
	}
	return v
}
