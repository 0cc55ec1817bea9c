package conversation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/access"
	"github.com/openhands-saas/openhands-saas/internal/cache"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

const (
	defaultLease = 5 * time.Minute

	// rememberedObjects bounds the ownership map: at some 80 bytes each this is 16 MiB.
	rememberedObjects = 200_000
)

// Options have useful zero values.
type Options struct {
	Lease time.Duration    // how long a reservation is left alone; longer than the longest create. 5 minutes by default
	Now   func() time.Time // time.Now by default
	Grace time.Duration    // how long the folders of a deleted conversation are kept. 1 hour by default
}

// Service is the conversations of one installation.
type Service struct {
	db      *postgres.DB
	lease   time.Duration
	grace   time.Duration
	now     func() time.Time
	objects *cache.Cache[uuid.UUID, access.Object]
}

// New makes the service and has it follow db's notifications.
func New(db *postgres.DB, o Options) *Service {
	s := &Service{
		db: db, lease: o.Lease, grace: o.Grace, now: o.Now,
		objects: cache.New[uuid.UUID, access.Object](rememberedObjects, db.Bus.Fresh),
	}
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	if s.grace <= 0 {
		s.grace = defaultGrace
	}
	if s.now == nil {
		s.now = time.Now
	}
	db.Bus.Subscribe(s.follow)
	return s
}

func (s *Service) follow(e postgres.Event) {
	switch e.Topic {
	case "":
		s.objects.DropAll()
	case postgres.TopicConversation:
		s.objects.Drop(e.ID)
	}
}

// Known returns what decides on rights to id where no query is needed for it. Who answers that something is hidden must take
// the same time for what is known and for what does not exist, and so has to know which it was.
func (s *Service) Known(id uuid.UUID) (access.Object, bool) { return s.objects.Get(id) }

// Find returns what decides on rights to id; access.StateNone when nobody has it.
func (s *Service) Find(ctx context.Context, id uuid.UUID) (access.Object, error) {
	if o, ok := s.Known(id); ok {
		return o, nil
	}
	found, err := s.look(ctx, []uuid.UUID{id})
	if err != nil || len(found) == 0 {
		return access.Object{}, err
	}
	return found[0], nil
}

// look reads objects and remembers them. What has no row is not remembered: it may get one on any replica at any moment.
func (s *Service) look(ctx context.Context, ids []uuid.UUID) ([]access.Object, error) {
	mark := s.objects.Begin()
	found, err := readObjects(ctx, s.db, ids)
	if err != nil {
		return nil, postgres.Problem(fmt.Errorf("find conversations: %w", err))
	}
	for _, o := range found {
		s.objects.Put(mark, o.ID, o)
	}
	return found, nil
}

// Get returns the whole row in whatever state, and access.ErrHidden when there is none. It decides on no rights.
func (s *Service) Get(ctx context.Context, id uuid.UUID) (Conversation, error) {
	c, err := readOne(ctx, s.db, id)
	if errors.Is(err, sql.ErrNoRows) {
		return Conversation{}, access.ErrHidden
	}
	if err != nil {
		return Conversation{}, postgres.Problem(fmt.Errorf("read conversation: %w", err))
	}
	return c, nil
}

// Visible says which of ids p may read. Ids that are missing in the answer are not p's business.
func (s *Service) Visible(ctx context.Context, p *access.Principal, ids []uuid.UUID) (map[uuid.UUID]bool, error) {
	visible := make(map[uuid.UUID]bool, len(ids))
	unknown := []uuid.UUID{}
	for _, id := range ids {
		o, known := s.objects.Get(id)
		if !known {
			unknown = append(unknown, id)
		} else if p.On(o, access.ConversationRead) == nil {
			visible[id] = true
		}
	}
	if len(unknown) == 0 {
		return visible, nil
	}
	found, err := s.look(ctx, unknown)
	for _, o := range found {
		if p.On(o, access.ConversationRead) == nil {
			visible[o.ID] = true
		}
	}
	return visible, err
}
