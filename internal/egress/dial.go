package egress

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// Client calls what Check lets pass, and looks again at the address that is really dialled: a name that leads elsewhere by then
// is not called. It follows no redirects, uses no proxy of the environment, and gives up after timeout.
func (p *Policy) Client(timeout time.Duration) *http.Client {
	dialer := &net.Dialer{Timeout: timeout, Control: func(_, address string, _ syscall.RawConn) error { return p.dialable(address) }}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, address)
			},
			ForceAttemptHTTP2:     true,
			DisableKeepAlives:     true,
			ResponseHeaderTimeout: timeout,
			TLSHandshakeTimeout:   timeout,
		},
	}
}

// ErrInner is why a connection was not made.
var ErrInner = errors.New("the address is not a public one")

func (p *Policy) dialable(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil || !p.allowed(to.Addr().Unmap()) {
		return ErrInner
	}
	return nil
}
