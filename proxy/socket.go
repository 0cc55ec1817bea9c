package proxy

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// socket is a WebSocket that was accepted. first is a message that came before the upstream was reached.
type socket struct {
	*wire
	first  []byte
	served bool
}

// serveSocket is the pipeline of WebSocket operations. OpenHands' clients give up only at close codes 4001 and 4004, and retry
// a refused handshake for ever: so what is wrong with a credential or an object is said after the upgrade.
func (x *Exchange) serveSocket() error {
	upgrade := checkUpgrade(x.Request)
	caller, err := x.engine.cfg.Gate.Identify(x.Request)
	if err == nil && caller.Principal == nil {
		err = problem.Unauthorized
	}
	if upgrade != nil {
		return errors.Join(err, upgrade)
	}
	x.Caller = caller
	switch {
	case err == nil && caller.Credential.Form == access.FormCookie:
		if err := x.engine.origins.checkSocket(x.Request, access.FormCookie); err != nil {
			return err
		}
		return x.admit(x.authorise(x.Request.Context()))
	case err == nil && caller.Credential.Form != access.FormNone:
		return x.admit(x.authorise(x.Request.Context()))
	case err != nil && !decided(err):
		return err
	case err != nil && (!isUnauthorized(err) || presentsKey(x.Request, x.Target)):
		return x.admit(err)
	}
	if err == nil && x.engine.origins.checkSocket(x.Request, access.FormNone) != nil {
		// A page of another site does not become the anonymous tenant, nor does who comes by a strange name, but they may
		// bring a key.
		err = problem.Unauthorized
	}
	return x.await(err)
}

// admit accepts the upgrade and goes on, or refuses with a close code. Nothing but that code differs between refusals.
func (x *Exchange) admit(err error) error {
	if err == nil {
		err = x.shareSocket()
	}
	if err != nil && !decided(err) {
		return err
	}
	if err := x.accept(); err != nil {
		return err
	}
	x.proceed(err)
	return nil
}

func (x *Exchange) accept() error {
	w, err := accept(x.Writer, x.Request)
	if err != nil {
		return err
	}
	x.answered = true
	x.socket = &socket{wire: w}
	return nil
}

// proceed runs the operation on an accepted socket. Errors become close codes.
func (x *Exchange) proceed(err error) {
	if err == nil {
		err = x.subscribe()
	}
	if err == nil {
		err = x.treatSocket()
	}
	if err == nil && !x.socket.served {
		err = errors.New("the handler did not tunnel")
	}
	if err != nil && !x.socket.served {
		x.note(err)
		x.shares.release() // before the client hears of it, that may come back at once
		x.socket.refuse(x.engine.closing(err))
	}
}

func (x *Exchange) treatSocket() error {
	if x.Operation.Handle != nil {
		return x.Operation.Handle(x)
	}
	return x.Tunnel(Outgoing{})
}

// closing chooses a code and a reason that says nothing of the inside.
func (e *Engine) closing(err error) (int, string) {
	switch {
	case isUnauthorized(err):
		return closeCredentials, "Authentication failed"
	case decided(err):
		return closeHidden, "Conversation not found"
	}
	p := problem.Of(translate(err))
	text, isText := p.Detail.(string)
	switch {
	case isText && p.Status == http.StatusTooManyRequests:
		return closeTryLater, text
	case isText && p.Status == http.StatusUnprocessableEntity:
		return closeHidden, text
	}
	e.cfg.Log.Warn("a WebSocket could not be served", "error", e.mask.text(p.Error()))
	switch p.Status {
	case http.StatusNotFound:
		return closeHidden, "Conversation not found"
	case http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusServiceUnavailable:
		return closeTryLater, "the backend does not answer; try again"
	}
	return closeInternal, "something failed on our side"
}

// await accepts, and waits for the first frame to bring the credential. refused is what holds without one; nil where the
// anonymous tenant is let in.
func (x *Exchange) await(refused error) error {
	leave, ok := x.engine.waiting.enter(x.engine.peers.client(x.Request))
	if !ok {
		p := problem.New(http.StatusTooManyRequests, "Too many WebSockets wait for a credential: send it in the first frame, or try again.")
		p.RetryAfter = 5 * time.Second
		return p
	}
	defer leave()
	if refused == nil {
		refused = x.authorise(x.Request.Context())
	}
	if refused != nil && !decided(refused) {
		return refused
	}
	if err := x.accept(); err != nil {
		return err
	}
	err := x.admission(x.Request.Context(), refused)
	leave()
	if err == nil {
		err = x.shareSocket()
	}
	x.proceed(err)
	return nil
}

// admission reads the first message and decides. A key in it counts; the placeholder, and no message at all, mean what the
// request itself brought.
func (x *Exchange) admission(ctx context.Context, refused error) error {
	patience := x.engine.cfg.Socket.AuthTimeout
	if refused == nil {
		patience = x.engine.cfg.Socket.AnonymousGrace
	}
	message, err := x.socket.firstMessage(patience, x.engine.cfg.Socket.AuthTimeout)
	if errors.Is(err, errSilent) {
		return refused
	}
	if err != nil {
		return problem.Unauthorized
	}
	key, isAuth := authFrame(message)
	switch {
	case isAuth && key != "":
		return x.resolve(ctx, key)
	case !isAuth:
		x.socket.first = message
	}
	return refused
}

// resolve asks about the key of the first frame, and starts over as its owner.
func (x *Exchange) resolve(ctx context.Context, key string) error {
	c := access.Credential{Form: access.FormKey, Token: key}
	caller, err := x.engine.cfg.Gate.Resolve(ctx, c, x.Request.Header.Get("X-Team-Id"))
	if err != nil {
		return err
	}
	if caller.Principal == nil {
		return problem.Unauthorized
	}
	x.Caller = access.Caller{Principal: caller.Principal, Credential: c}
	return x.authorise(ctx)
}
