-- +migrate Up
-- Superusers inside teams: each stay belongs to the session that asked for it, has a reason, and ends by itself.
CREATE TABLE team_entries (
    id         uuid PRIMARY KEY,
    team_id    uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id    uuid REFERENCES users ON DELETE SET NULL, -- null: the account is gone; the team still sees that somebody was there
    session_id uuid NOT NULL, -- or the API key
    email      text NOT NULL, -- of the superuser, at that time
    reason     text NOT NULL,
    entered_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    left_at    timestamptz
);
CREATE INDEX team_entries_team ON team_entries (team_id, id DESC);
CREATE INDEX team_entries_session ON team_entries (session_id) WHERE left_at IS NULL;
CREATE INDEX team_entries_user ON team_entries (user_id);

-- A team that is gone keeps its row while conversations name it: their ids are never given to another. It has no members, no
-- name and no vault.
ALTER TABLE teams ADD COLUMN deleted_at timestamptz;

-- Conversations that ended with their team or their starter: since when the upstream has to be told.
ALTER TABLE conversations ADD COLUMN orphaned_at timestamptz;
CREATE INDEX conversations_orphaned ON conversations (orphaned_at) WHERE orphaned_at IS NOT NULL;

-- For the list of accounts, the newest first.
CREATE INDEX users_created ON users (created_at DESC, id DESC);

-- What hangs on a user, for exports and deletions.
CREATE INDEX conversations_starter ON conversations (starter_id, id);
CREATE INDEX vault_documents_user ON vault_documents (user_id, id);
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);

-- +migrate Down
DROP INDEX audit_log_actor;
DROP INDEX vault_documents_user;
DROP INDEX conversations_starter;
DROP INDEX users_created;
ALTER TABLE conversations DROP COLUMN orphaned_at;
ALTER TABLE teams DROP COLUMN deleted_at;
DROP TABLE team_entries;
