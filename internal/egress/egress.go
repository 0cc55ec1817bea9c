// Package egress owns the question whether a URL that a user gave may be called from the operator's network.
//
// It never connects. Its key idea: a URL is refused unless it is written in the one plain way that every parser reads alike,
// and every address its host resolves to is public or expressly allowed. The answer is about the moment of the check: whoever
// dials later resolves again (docs/security.md says what that leaves open).
package egress

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// Resolver finds the addresses of a host name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

var _ Resolver = (*net.Resolver)(nil)

// Policy says where URLs may lead. The zero value allows public addresses only.
type Policy struct {
	Allow    []netip.Prefix // networks allowed beyond the public ones
	Resolver Resolver       // nil: the system's
	Timeout  time.Duration  // for resolving; 0: three seconds
}

// maxAddresses bounds what is looked at for one name.
const maxAddresses = 64

// The texts never repeat the URL, and never tell a name that does not resolve from one that resolves to an inner address:
// else they would map the inner network.
var (
	errForm = problem.New(http.StatusUnprocessableEntity,
		"This URL cannot be used: write it as http:// or https://, a host name or plain address, an optional port and path, without user name, password or fragment.")
	errPlace = problem.New(http.StatusUnprocessableEntity,
		"This URL cannot be used: its host is unknown or not on the public internet. Use a public address, or ask the operator to allow its network (EGRESS_ALLOW).")
)

// Check refuses rawURL with a problem (422) when it may not be called.
func (p *Policy) Check(ctx context.Context, rawURL string) error {
	host, err := parse(rawURL)
	if err != nil {
		return errForm.Because(err)
	}
	addrs, err := p.resolve(ctx, host)
	if err != nil {
		return errPlace.Because(err)
	}
	for _, addr := range addrs {
		if !p.allowed(addr) {
			return errPlace
		}
	}
	return nil
}

func (p *Policy) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.timeout())
	defer cancel()
	addrs, err := p.resolver().LookupNetIP(ctx, "ip", host)
	if err == nil && (len(addrs) == 0 || len(addrs) > maxAddresses) {
		err = &net.DNSError{Err: "unusable number of addresses", Name: host}
	}
	return addrs, err
}

func (p *Policy) allowed(addr netip.Addr) bool {
	addr = embedded(addr.WithZone("").Unmap())
	return Public(addr) || slices.ContainsFunc(p.Allow, func(n netip.Prefix) bool { return n.Contains(addr) })
}

func (p *Policy) timeout() time.Duration {
	if p.Timeout > 0 {
		return p.Timeout
	}
	return 3 * time.Second
}

func (p *Policy) resolver() Resolver {
	if p.Resolver != nil {
		return p.Resolver
	}
	return net.DefaultResolver
}
