package settings

import (
	"context"

	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

// opening is what a handler needs to know before it does anything.
type opening struct {
	name    func(*proxy.Exchange) (string, error) // reads and judges the name in the path; nil where there is none
	body    string                                // the upstream's model of the body; "" where there is none
	changes bool                                  // something will be changed
}

// request is a request that was opened.
type request struct {
	*proxy.Exchange
	who   who // as the scope sees things
	scope vault.Scope
	name  string
	body  map[string]any
}

// begin opens a request. Who may not do this at all is told so first.
func (s *Surface) begin(x *proxy.Exchange, o opening) (q request, err error) {
	q = request{Exchange: x, who: whoAsks(x)}
	in := scopeOf
	if o.changes {
		in = writable
	}
	if q.scope, err = in(x, q.who); err != nil {
		return q, err
	}
	q.who = q.who.in(q.scope)
	var nameErr error
	if o.name != nil {
		q.name, nameErr = o.name(x)
	}
	if o.body != "" {
		q.body, err = s.body(x, o.body)
	}
	return q, both(nameErr, err)
}

func (q request) context() context.Context { return q.Request.Context() }

// change makes changes in the scope of the request, all of them or none.
func (s *Surface) change(q request, work func(*vault.Changes) error) error {
	return s.Vault.Change(q.context(), q.scope, q.who.by, work)
}
