package proxy

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
)

// Tunnel joins the accepted WebSocket of a client with one to the upstream. It returns as soon as both are joined: from then
// on the tunnel lives in the registry, and the memory of the request is free.
func (x *Exchange) Tunnel(o Outgoing) error {
	if x.socket == nil {
		return upgradeRequired
	}
	o.Path = x.path(o)
	a := asker{in: x.Request, principal: x.Principal(), team: x.Team()}
	up, err := x.engine.dial(context.WithoutCancel(x.Request.Context()), a, o, x.query(o))
	if err != nil {
		return err
	}
	x.socket.served = true
	t := &tunnel{client: x.socket.wire, upstream: up, engine: x.engine, sent: o.Sent, refused: o.Refused, frames: o.Frame, object: x.Object, team: x.Team()}
	t.shares, x.shares = x.shares, shares{}
	t.allow(x.Principal(), x.Object)
	t.start(x.engine.live, x.Caller, x.Operation.Permission, x.socket.first)
	return nil
}

// tunnel is a joined pair of WebSockets. Two goroutines read, one each; whoever must write does so under the wire's lock.
type tunnel struct {
	client, upstream *wire
	engine           *Engine
	object           access.Object
	team             uuid.UUID
	writes           atomic.Bool // the caller may send messages
	sent             func()
	refused          func() []byte // nil: what is refused is not answered
	frames           *FrameEdit    // nil: all pass
	lastSent         time.Time
	telling          atomic.Bool

	shares  shares
	remove  func()
	timer   *time.Timer
	once    sync.Once
	reading atomic.Int32
}

// start registers the tunnel and begins to relay.
func (t *tunnel) start(live *Registry, c access.Caller, permission access.Permission, first []byte) {
	t.reading.Store(2)
	t.timer = time.AfterFunc(time.Hour, t.tick)
	t.timer.Reset(t.engine.cfg.Socket.Ping) // orders the field before the first tick
	t.remove = live.Add(Live{
		Caller: c, Object: t.object, Team: t.team, Permission: permission,
		End:   func(code int, reason string) { go t.end(code, reason, closeGoingAway, "") },
		Renew: t.allow,
	})
	go t.down()
	go t.up(first)
}

// allow notes whether the caller may write, by what is known of them and of the conversation now. A Viewer reads only.
func (t *tunnel) allow(p *access.Principal, o access.Object) {
	if o.State == access.StateNone {
		t.writes.Store(p.In(t.team, access.ConversationWrite) == nil)
		return
	}
	t.writes.Store(p.On(o, access.ConversationWrite) == nil)
}

// tick pings both sides and ends the tunnel when one has not been heard of for two and a half pings.
func (t *tunnel) tick() {
	every := t.engine.cfg.Socket.Ping
	dead := time.Now().Add(-every * 5 / 2).UnixNano()
	switch {
	case t.client.closing.Load():
		return
	case t.upstream.seen.Load() < dead:
		t.end(closeTryLater, "the backend does not answer; try again", closeGoingAway, "")
		return
	case t.client.seen.Load() < dead:
		t.end(closeGoingAway, "", closeGoingAway, "")
		return
	}
	t.client.ping()
	t.upstream.ping()
	t.timer.Reset(every)
}

// end says goodbye to both sides, each with its code, once.
func (t *tunnel) end(client int, reason string, upstream int, upstreamReason string) {
	t.once.Do(func() {
		t.timer.Stop()
		t.shares.release() // before a client hears of it, that may come back at once
		var both sync.WaitGroup
		both.Go(func() { t.client.shut(client, t.engine.mask.text(reason)) })
		both.Go(func() { t.upstream.shut(upstream, upstreamReason) })
		both.Wait()
	})
}

// lost ends the tunnel because one side failed or said goodbye.
func (t *tunnel) lost(fromClient bool, err error) {
	c, polite := errors.AsType[*closed](err)
	switch {
	case polite && fromClient:
		t.end(c.code, "", c.code, c.reason)
	case polite && c.code == closeCredentials:
		// It refused our key, not the client's credential.
		t.engine.cfg.Log.Warn("the upstream closed a WebSocket: it does not know our key")
		t.end(closeTryLater, "the backend refused the connection; try again", c.code, "")
	case polite:
		t.end(c.code, c.reason, c.code, "")
	case errors.Is(err, errProtocol) && fromClient:
		t.end(closeProtocol, "protocol error", closeGoingAway, "")
	case errors.Is(err, errDemoted):
		t.end(closeTryLater, "you may only listen from now on; connect again", closeGoingAway, "")
	case errors.Is(err, errTooBig):
		t.end(closeTooBig, "the message is too large", closeGoingAway, "")
	case fromClient:
		t.end(closeGoingAway, "", closeGoingAway, "")
	default:
		t.end(closeTryLater, "the backend went away; try again", closeProtocol, "")
	}
}

var errTooBig = errors.New("the message is too large")

// finish is called by each reader when it can read no more. A peer that said goodbye has nothing more to say.
func (t *tunnel) finish(w *wire, err error) {
	t.lost(w == t.client, err)
	if _, polite := errors.AsType[*closed](err); polite {
		_ = w.conn.Close()
	} else {
		w.drain()
	}
	if t.reading.Add(-1) == 0 {
		t.remove()
	}
}
