// Package cache owns what a replica remembers of Postgres: bounded maps that are invalidated by notification.
//
// It never decides how long something is true: a value is served only while the source of invalidations is fresh. Its key idea:
// a fill is dropped when an invalidation came after its read began, so an old row can never overwrite a revocation.
package cache

import "sync"

// Cache maps keys to values read from the database. The zero value is not usable; see New.
type Cache[K comparable, V any] struct {
	fresh func() bool
	limit int

	mu         sync.RWMutex
	generation uint64
	values     map[K]V
}

// New makes a cache of at most limit values that is trusted only while fresh says so.
func New[K comparable, V any](limit int, fresh func() bool) *Cache[K, V] {
	return &Cache[K, V]{fresh: fresh, limit: limit, values: make(map[K]V)}
}

// Get returns the value, and false when it is unknown or the cache cannot be trusted now.
func (c *Cache[K, V]) Get(key K) (V, bool) {
	if !c.fresh() {
		var none V
		return none, false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok := c.values[key]
	return v, ok
}

// Begin returns the mark to pass to Put; take it before the read from the database.
func (c *Cache[K, V]) Begin() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.generation
}

// Put keeps the value unless anything was invalidated since mark was taken. A full cache gives up an arbitrary other value.
func (c *Cache[K, V]) Put(mark uint64, key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.generation != mark {
		return
	}
	if _, known := c.values[key]; !known && len(c.values) >= c.limit {
		c.evict()
	}
	c.values[key] = value
}

// evict relies on the random start of Go's map iteration.
func (c *Cache[K, V]) evict() {
	for k := range c.values {
		delete(c.values, k)
		return
	}
}

// Drop forgets one key.
func (c *Cache[K, V]) Drop(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	delete(c.values, key)
}

// DropIf forgets all that match: rare, so a walk over the whole map is fine.
func (c *Cache[K, V]) DropIf(match func(K, V) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	for k, v := range c.values {
		if match(k, v) {
			delete(c.values, k)
		}
	}
}

// DropAll forgets everything.
func (c *Cache[K, V]) DropAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.generation++
	clear(c.values)
}
