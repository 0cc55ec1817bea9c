package proxy

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/openhands-saas/openhands-saas/internal/problem"
)

// incoming is the body of a request, read with patience: whoever sends nothing for a while is given up. Nobody reads a body
// before its sender was found to have the right to the operation, and what was not read when all is over is not waited for:
// net/http would, for ever.
//
// It alone moves the connection's read deadline, so that extending it and cutting it off cannot undo each other, and does so no
// more once the request is over: the connection may serve another then.
type incoming struct {
	io.ReadCloser
	control  *http.ResponseController
	patience time.Duration

	mu    sync.Mutex
	moved time.Time // when the deadline was moved last
	ended bool      // the body was read whole
	over  bool      // nothing may be read any more
}

var tooSlow = problem.New(http.StatusRequestTimeout, "The body of this request stopped coming. Send it again.")

// receive notes that a body may come.
func (x *Exchange) receive() {
	if r := x.Request; r.Body != nil && r.Body != http.NoBody {
		x.body = &incoming{ReadCloser: r.Body, control: http.NewResponseController(x.Writer), patience: x.engine.cfg.BodyTimeout}
	}
}

// leave is called when nobody will read any more, also where nobody ever did. It gives net/http its own reader back.
func (x *Exchange) leave() {
	if x.body != nil {
		x.Request.Body = x.body.ReadCloser
		x.body.stop(linger)
	}
}

// Read waits for the next bytes as long as patience goes.
func (b *incoming) Read(p []byte) (int, error) {
	if !b.wait() {
		return 0, tooSlow
	}
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.end()
	}
	if late, ok := errors.AsType[net.Error](err); ok && late.Timeout() {
		b.stop(0)
		err = tooSlow.Because(err)
	}
	return n, err
}

// broken says whether the body was given up or cut: net/http ends the request's context then as if the client had gone.
func (b *incoming) broken() bool {
	if b == nil {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.over && !b.ended
}

// wait moves the deadline, not oftener than is of use: it is not the client's fault when nobody reads for a while.
func (b *incoming) wait() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); !b.ended && !b.over && now.Sub(b.moved) > b.patience/16 {
		b.moved = now
		_ = b.control.SetReadDeadline(now.Add(b.patience))
	}
	return !b.over
}

// end notes that all came. net/http lifts the deadline by itself then, and reads on to learn whether the client goes away.
func (b *incoming) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ended = true
}

// cut makes whoever reads fail at once.
func (b *incoming) cut() { b.stop(0) }

// stop forbids to read. What the client still sends gets the rest of the time, so that one which sends at an ordinary pace sees
// the answer; then the connection is closed.
func (b *incoming) stop(rest time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended && !b.over {
		_ = b.control.SetReadDeadline(time.Now().Add(rest))
	}
	b.over = true
}
