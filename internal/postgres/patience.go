package postgres

import (
	"context"
	"net"
	"time"
)

// answerWithin is how long the server may be silent before its connection is given up. The driver itself would wait for ever: the
// end of a query's context only asks the server to stop, and one that is frozen or cut off does not hear it.
const answerWithin = 5 * time.Second

// patientDialer makes connections whose reads end after a while.
type patientDialer struct {
	net.Dialer
	within time.Duration
}

// DialTimeout implements pq.Dialer.
func (d *patientDialer) DialTimeout(network, address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return d.DialContext(ctx, network, address)
}

// DialContext implements pq.DialerContext.
func (d *patientDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := d.Dialer.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &patientConn{Conn: conn, within: d.within}, nil
}

type patientConn struct {
	net.Conn
	within time.Duration
}

// Read waits for the next bytes, not for the whole answer.
func (c *patientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.within)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
