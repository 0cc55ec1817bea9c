package proxy

import (
	"net/netip"
	"sync"
)

// waiting bounds the sockets that are open but have not said who they are.
type waiting struct {
	byAddress, total int

	mu    sync.Mutex
	all   int
	count map[netip.Addr]int
}

func newWaiting(byAddress, total int) *waiting {
	return &waiting{byAddress: byAddress, total: total, count: map[netip.Addr]int{}}
}

// enter takes a place, and returns false when there is none.
func (w *waiting) enter(a netip.Addr) (leave func(), ok bool) {
	a = household(a)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.all >= w.total || w.count[a] >= w.byAddress {
		return nil, false
	}
	w.all++
	w.count[a]++
	return sync.OnceFunc(func() { w.leave(a) }), true
}

func (w *waiting) leave(a netip.Addr) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all--
	if w.count[a]--; w.count[a] == 0 {
		delete(w.count, a)
	}
}

// household takes all of an IPv6 /64 for one, as one customer has them all.
func household(a netip.Addr) netip.Addr {
	if !a.Is6() || a.Is4In6() {
		return a
	}
	p, err := a.Prefix(64)
	if err != nil {
		return a
	}
	return p.Addr()
}
