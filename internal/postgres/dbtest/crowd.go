package dbtest

import (
	"testing"

	"github.com/google/uuid"

	"github.com/openhands-saas/openhands-saas/internal/postgres"
)

// The size of a crowd: what the product promises to bear. Half of the conversations are the first team's.
const (
	CrowdTeams         = 1_000
	CrowdConversations = 100_000
)

// Crowd fills the database with live conversations of many teams, and has Postgres look at what it has as it does by itself in
// production. It returns the teams: the first has fifty thousand conversations, of the others each has about fifty.
func Crowd(t testing.TB, db *postgres.DB) (teams []uuid.UUID) {
	t.Helper()
	fill(t, db, `
		INSERT INTO teams (id, name)
		SELECT md5('team ' || n)::uuid, 'Team ' || n
		  FROM generate_series(1, $1) AS n`, CrowdTeams)
	const parts = 10 // each of which is soon done on any machine
	for part := range parts {
		fill(t, db, `
			INSERT INTO conversations (id, team_id, state, title, working_dir, created_at, updated_at)
			SELECT md5('conversation ' || n)::uuid, team, 'live', 'Conversation ' || n,
			       '/srv/ws/teams/' || team || '/conversations/' || md5('conversation ' || n)::uuid,
			       now() - n * interval '1 minute', now() - (n * 7919 % 100003) * interval '1 minute'
			  FROM (SELECT n, md5('team ' || CASE WHEN n % 2 = 0 THEN 1 ELSE 2 + n / 2 % ($3::integer - 1) END)::uuid AS team
			          FROM generate_series($1::integer, $2::integer) AS n) AS numbered`,
			part*CrowdConversations/parts+1, (part+1)*CrowdConversations/parts, CrowdTeams)
	}
	fill(t, db, `VACUUM ANALYZE teams, conversations`)
	if err := db.SelectContext(t.Context(), &teams, `
		SELECT md5('team ' || n)::uuid
		  FROM generate_series(1, $1) AS n
		 ORDER BY n`, CrowdTeams); err != nil {
		t.Fatalf("dbtest: %v", err)
	}
	return teams
}

func fill(t testing.TB, db *postgres.DB, query string, args ...any) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
		t.Fatalf("dbtest: %v in %s", err, query)
	}
}
