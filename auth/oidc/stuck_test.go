package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// newStuck is a server that does not answer before until is closed.
func newStuck(t *testing.T, until <-chan struct{}) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-until:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}
