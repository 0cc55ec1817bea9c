package bench_test

import (
	"context"
	"log/slog"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/auth"
	"github.com/openhands-saas/openhands-saas/internal/argon"
	"github.com/openhands-saas/openhands-saas/internal/egress"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
	"github.com/openhands-saas/openhands-saas/proxy"
	"github.com/openhands-saas/openhands-saas/proxy/agentserver"
	"github.com/openhands-saas/openhands-saas/tenancy"
	"github.com/openhands-saas/openhands-saas/tenancy/conversation"
	"github.com/openhands-saas/openhands-saas/tenancy/vault"
)

const (
	upstreamKey = "upstreamKeyOfTheBenchmark0123456789"
	operatorKey = "operatorKeyOfTheBenchmark0123456789"
	signing     = "a-secret-of-the-benchmark-0123456789abcdef"
	email       = "ada@example.com"
	password    = "correct horse battery"
)

// product is what stands between a client and the upstream, wired as the program wires it.
type product struct {
	auth          *auth.Service
	gate          *tenancy.Gate
	conversations *conversation.Service
	engine        *proxy.Engine
}

func compose(db *postgres.DB, upstream *url.URL, hashes argon.Maker) (*product, error) {
	quiet := slog.New(slog.DiscardHandler)
	teams := tenancy.New(db)
	p := &product{conversations: conversation.New(db, conversation.Options{})}
	p.auth = auth.New(auth.Config{
		DB: db, Hashes: hashes, JWTSecret: []byte(signing), JWTLifetime: 24 * time.Hour, Registration: auth.RegistrationOpen,
		Hooks: auth.Hooks{UserCreated: func(ctx context.Context, tx *postgres.Tx, u auth.User, name string) error {
			return teams.CreatePersonal(ctx, tx, u, name)
		}},
	})
	p.gate = tenancy.NewGate(p.auth, teams, tenancy.NewAnonymous(db, false, false), auth.CookieName(false))
	dialect, err := agentserver.New(agentserver.Config{
		Conversations: p.conversations, Vault: new(vault.Store), Egress: &egress.Policy{}, WorkspaceRoot: "/srv/ws", Log: quiet,
		OperatorModel: agentserver.OperatorModel{Model: "openai/house", APIKey: operatorKey},
	})
	if err != nil {
		return nil, err
	}
	none := proxy.Limits{
		RequestsByUser: -1, RequestsByTeam: -1, UploadsByUser: -1, SocketsByUser: -1, SocketsByTeam: -1,
		StartsByTeam: -1, StartsByMinute: -1, SubscribersByUser: -1, SubscribersByConversation: -1,
	}
	p.engine, err = proxy.New(proxy.Config{
		Upstream: upstream, Key: upstreamKey, Secrets: []string{operatorKey}, Operations: dialect.Operations(), Gate: p.gate,
		Objects: p.conversations, Events: db.Bus, Log: quiet, Limits: none, IdentityKey: []byte(signing + signing),
	})
	if err == nil {
		dialect.Attach(p.engine)
	}
	return p, err
}

// stand is a product in this process, a database that it shares with measured processes, and somebody who is signed in.
type stand struct {
	*product
	database string
	upstream *upstream
	token    string
	ids      []uuid.UUID // some conversations of the signed-in person's team
}

// newStand has a hundred thousand conversations in the database; the signed-in person is of a team with about fifty of them.
func newStand(b *testing.B) *stand {
	b.Helper()
	s := &stand{database: dbtest.URL(b), upstream: newUpstream(b)}
	db := dbtest.Open(b, s.database)
	teams := dbtest.Crowd(b, db)
	at, err := url.Parse(s.upstream.URL)
	if err != nil {
		b.Fatal(err)
	}
	if s.product, err = compose(db, at, nil); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.engine.Close(); s.auth.Close() })
	name := "Ada's"
	user, err := s.auth.Register(b.Context(), auth.Registration{Email: email, Password: password, TeamName: &name})
	if err != nil {
		b.Fatal(err)
	}
	if _, err := db.ExecContext(b.Context(), `
		UPDATE conversations
		   SET team_id = (SELECT team_id FROM team_members WHERE user_id = $1)
		 WHERE team_id = $2`, user.ID, teams[500]); err != nil {
		b.Fatal(err)
	}
	if err := db.SelectContext(b.Context(), &s.ids, `
		SELECT conversations.id
		  FROM conversations
		  JOIN team_members ON team_members.team_id = conversations.team_id
		 WHERE team_members.user_id = $1`, user.ID); err != nil {
		b.Fatal(err)
	}
	token, err := s.auth.Login(b.Context(), email, password, auth.Client{})
	if err != nil {
		b.Fatal(err)
	}
	s.token = token.AccessToken
	return s
}
