package proxy

import (
	"context"

	"github.com/openhands-saas/openhands-saas/access"
)

type callerKey struct{}

// CallerFrom returns who asked, in the handler that serves Config.Fallback.
func CallerFrom(ctx context.Context) (access.Caller, bool) {
	c, ok := ctx.Value(callerKey{}).(access.Caller)
	return c, ok
}

func withCaller(ctx context.Context, c access.Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}
