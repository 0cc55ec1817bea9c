// Package testtime gives tests the two ways in which they deal with time: a clock that they move, and a wait that has an end.
//
// The product never uses it. Its key idea: no test sleeps for a length of time. What depends on the time of day asks a Clock, and
// what another goroutine or replica is about to do is looked for again and again until it is there.
package testtime

import (
	"sync"
	"testing"
	"time"
)

// Clock is a time that tests move. Many goroutines may ask it.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock makes one that stands at the present second.
func NewClock() *Clock { return &Clock{now: time.Now().Truncate(time.Second)} }

// Now is where it stands.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves it on.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Eventually waits for a condition, and ends the test when it does not come true within the given time. what names it.
func Eventually(t testing.TB, within time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); !holds(); time.Sleep(5 * time.Millisecond) { // between two looks, not instead of one
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", within, what)
		}
	}
}
