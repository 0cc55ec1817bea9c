package agentserver

import (
	"context"
	"net/url"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
)

const (
	// maxFollowed bounds the conversations that are followed. One that finds no room is noted again when somebody lists it.
	maxFollowed = 1000
	// quietLooks is how often an agent must be found at rest before it is followed no more: a run that was just asked for may
	// not have begun at the first look.
	quietLooks = 2
)

// following are the conversations whose agents are at work as far as this replica knows. The zero value is ready.
type following struct {
	mu    sync.Mutex
	quiet map[uuid.UUID]int // id → how often in a row it was found at rest
	queue []uuid.UUID       // the same ids; whose turn it is stands first
}

// note begins to follow id.
func (f *following) note(id uuid.UUID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.quiet == nil {
		f.quiet = map[uuid.UUID]int{}
	}
	if _, known := f.quiet[id]; !known {
		if len(f.quiet) >= maxFollowed {
			return
		}
		f.queue = append(f.queue, id)
	}
	f.quiet[id] = 0
}

// next are the ids whose turn it is, at most n. They go to the end of the queue.
func (f *following) next(n int) []uuid.UUID {
	f.mu.Lock()
	defer f.mu.Unlock()
	n = min(n, len(f.queue))
	turn := slices.Clone(f.queue[:n])
	f.queue = append(slices.Clone(f.queue[n:]), turn...)
	return turn
}

// saw notes how an agent was found.
func (f *following) saw(id uuid.UUID, running bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	looks, known := f.quiet[id]
	switch {
	case !known:
	case running:
		f.quiet[id] = 0
	case looks+1 < quietLooks:
		f.quiet[id] = looks + 1
	default:
		delete(f.quiet, id)
		f.queue = slices.DeleteFunc(f.queue, func(other uuid.UUID) bool { return other == id })
	}
}

// notice begins to follow those whose agents are at work.
func (d *Dialect) notice(infos ...info) {
	for _, i := range infos {
		if i.running() {
			d.running.note(i.id())
		}
	}
}

// FollowRunning brings the rows of conversations whose agents are at work up to what the upstream says, so that lists by the
// last change are right while nobody says anything. It looks at no more than the upstream takes at once, asks nothing when no
// agent works, and returns how many it looked at. Call it every few seconds.
func (d *Dialect) FollowRunning(ctx context.Context) (int, error) {
	ids := d.running.next(batchLimit)
	if len(ids) == 0 {
		return 0, nil
	}
	found, err := d.hydrate(ctx, d.call, ids, url.Values{"include_skills": {"false"}})
	if err != nil {
		return 0, err
	}
	var said []conversation.Conversation
	for _, id := range ids {
		i, present := found[id]
		d.running.saw(id, present && i.running())
		if present {
			said = append(said, i.row())
		}
	}
	return len(ids), d.config.Conversations.Refresh(ctx, said)
}
