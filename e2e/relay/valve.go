package relay

import (
	"io"
	"sync"
)

// Valve lets bytes pass or holds them. The zero value is open.
type Valve struct {
	mu     sync.Mutex
	closed chan struct{} // nil while open
}

// Close holds everything that has not passed yet.
func (v *Valve) Close() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed == nil {
		v.closed = make(chan struct{})
	}
}

// Open lets go on.
func (v *Valve) Open() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed != nil {
		close(v.closed)
		v.closed = nil
	}
}

func (v *Valve) wait() {
	v.mu.Lock()
	closed := v.closed
	v.mu.Unlock()
	if closed != nil {
		<-closed
	}
}

// gated reads, and hands on what it read only when the valve is open.
type gated struct {
	io.Reader
	valve *Valve
}

func (g *gated) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	g.valve.wait()
	return n, err
}
