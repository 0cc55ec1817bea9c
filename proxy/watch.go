package proxy

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// short is the length up to which a body needs no watching: it is over before a right could end.
const short = 256 << 10

func long(length int64) bool { return length < 0 || length > short }

// watchUpload registers a request that may be long in coming, so that a revocation cuts it.
func (f *forwarding) watchUpload() {
	if f.o.Body == nil && f.x.body != nil && long(f.x.Request.ContentLength) {
		f.watch(f.x.body.cut)
	}
}

// watchBody does the same for a response.
func (f *forwarding) watchBody(res *http.Response) {
	if res.Body == nil || !long(res.ContentLength) {
		return
	}
	body := &cuttable{ReadCloser: res.Body}
	res.Body = body
	control := http.NewResponseController(f.x.Writer)
	f.watch(func() {
		body.cut()
		_ = control.SetWriteDeadline(time.Now()) // wakes a write to a client that does not read
	})
}

func (f *forwarding) watch(end func()) {
	f.watched = append(f.watched, f.x.engine.live.Add(Live{
		Caller: f.x.Caller, Object: f.x.Object, Team: f.x.Team(), Permission: f.x.Operation.Permission,
		End: func(int, string) { end() },
	}))
}

func (f *forwarding) release() {
	for _, remove := range f.watched {
		remove()
	}
}

// cuttable is a body that can be ended by somebody else than its reader.
type cuttable struct {
	io.ReadCloser
	once sync.Once
	err  error
}

// Close closes once.
func (c *cuttable) Close() error {
	c.once.Do(func() { c.err = c.ReadCloser.Close() })
	return c.err
}

// cut makes the reader fail, so that the client sees a response that broke off and not one that ended.
func (c *cuttable) cut() { go func() { _ = c.Close() }() }
