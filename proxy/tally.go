package proxy

import "sync"

// tally counts things of a bounded number of kinds; all of further kinds are counted together. F is what is kept of the first
// thing of a kind.
type tally[K comparable, F any] struct {
	most int

	mu     sync.Mutex
	counts map[K]*counted[F]
	beyond int
}

type counted[F any] struct {
	first F
	count int
}

func (t *tally[K, F]) add(kind K, thing F) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch c := t.counts[kind]; {
	case c != nil:
		c.count++
	case len(t.counts) >= t.most:
		t.beyond++
	default:
		if t.counts == nil {
			t.counts = map[K]*counted[F]{}
		}
		t.counts[kind] = &counted[F]{first: thing, count: 1}
	}
}

// take returns what was counted and begins anew.
func (t *tally[K, F]) take() (counts map[K]*counted[F], beyond int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts, beyond = t.counts, t.beyond
	t.counts, t.beyond = nil, 0
	return counts, beyond
}
