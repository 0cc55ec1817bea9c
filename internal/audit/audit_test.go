package audit_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/audit"
	"github.com/openhands-saas/openhands-saas/internal/postgres"
	"github.com/openhands-saas/openhands-saas/internal/postgres/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

type line struct {
	Team   *uuid.UUID `db:"team_id"`
	Person *uuid.UUID `db:"actor_id"`
	Actor  string     `db:"actor"`
	Action string     `db:"action"`
	Object string     `db:"object"`
	Detail string     `db:"detail"`
}

func lines(t *testing.T, db *postgres.DB) []line {
	t.Helper()
	var list []line
	err := db.Select(&list, `SELECT team_id, actor_id, actor, action, object, detail FROM audit_log ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func record(t *testing.T, db *postgres.DB, e audit.Entry) {
	t.Helper()
	err := db.InTx(t.Context(), func(tx *postgres.Tx) error { return audit.Record(t.Context(), tx, e) })
	if err != nil {
		t.Fatal(err)
	}
}

func TestALineSaysWhoDidWhatWhere(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	team, ada := uuid.New(), uuid.New()
	record(t, db, audit.Entry{
		Team: team, ActorID: ada, Actor: "ada@example.com", Action: "member.add", Object: "x", Detail: map[string]any{"role": "viewer"},
	})
	got := lines(t, db)
	if len(got) != 1 {
		t.Fatalf("%d lines", len(got))
	}
	l := got[0]
	if l.Team == nil || *l.Team != team || l.Person == nil || *l.Person != ada || l.Actor != "ada@example.com" ||
		l.Action != "member.add" || l.Object != "x" || l.Detail != `{"role": "viewer"}` {
		t.Errorf("got %+v", l)
	}
}

func TestWhatConcernsTheInstallationHasNeitherTeamNorPerson(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	record(t, db, audit.Entry{Actor: "command line", Action: "anonymous.on"})
	if l := lines(t, db)[0]; l.Team != nil || l.Person != nil || l.Detail != "{}" {
		t.Errorf("got %+v", l)
	}
}

func TestALineGoesWithItsTransaction(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	failed := errors.New("the change failed")
	err := db.InTx(t.Context(), func(tx *postgres.Tx) error {
		if err := audit.Record(context.Background(), tx, audit.Entry{Actor: "a", Action: "b"}); err != nil {
			return err
		}
		return failed
	})
	if !errors.Is(err, failed) || len(lines(t, db)) != 0 {
		t.Errorf("%v, %d lines", err, len(lines(t, db)))
	}
}

func TestWhatClientsSendStaysOneShortLine(t *testing.T) {
	t.Parallel()
	db := dbtest.New(t)
	record(t, db, audit.Entry{Actor: "a\nb\x00c\xff", Action: "x", Object: strings.Repeat("ä", 2000)})
	l := lines(t, db)[0]
	if l.Actor != "a b c�" {
		t.Errorf("actor %q", l.Actor)
	}
	if l.Object != strings.Repeat("ä", 500) {
		t.Errorf("an object of %d bytes", len(l.Object))
	}
}
