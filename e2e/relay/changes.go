package relay

import (
	"bytes"
	"sync/atomic"
)

// methods notes whether the last request that began was one that changes something.
type methods struct{ changing *atomic.Bool }

// Write looks at the beginning of what a client sent in one piece, as HTTP clients send the head of a request.
func (m methods) Write(p []byte) (int, error) {
	switch word, _, _ := bytes.Cut(p[:min(len(p), 8)], []byte(" ")); string(word) {
	case "GET", "HEAD":
		m.changing.Store(false)
	case "POST", "PUT", "PATCH", "DELETE":
		m.changing.Store(true)
	}
	return len(p), nil
}

// changes is the way of a server's answers on which those to changes can be held back alone.
type changes struct {
	gated
	changing *atomic.Bool
	valve    *Valve
}

// Read waits at the valve after it has something: whoever waits for the server would not see the valve closed meanwhile.
func (c *changes) Read(p []byte) (int, error) {
	n, err := c.gated.Read(p)
	if c.changing.Load() {
		c.valve.wait()
	}
	return n, err
}
