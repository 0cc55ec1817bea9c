//go:build !unix

package embedpg

import (
	"context"
	"errors"
)

var errUnsupported = errors.New("an embedded database is not supported on this system: use one elsewhere by DB_HOST or DATABASE_URL")

// Server is not available on this system.
type Server struct{}

// Start always fails on this system.
func Start(context.Context, Config) (*Server, error) { return nil, errUnsupported }

// Attach always fails on this system.
func Attach(Config) (*Server, error) { return nil, errUnsupported }

// URL is never reached on this system.
func (*Server) URL(string) string { return "" }

// Stop is never reached on this system.
func (*Server) Stop() error { return nil }

// Done is never reached on this system.
func (*Server) Done() <-chan struct{} { return nil }

// Err is never reached on this system.
func (*Server) Err() error { return nil }
