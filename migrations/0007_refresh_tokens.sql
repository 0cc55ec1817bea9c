-- +migrate Up
-- An offline session is one that refresh tokens keep going: all tokens of a session are one family, and end with it.
ALTER TABLE sessions ADD COLUMN offline boolean NOT NULL DEFAULT false;

-- The newest token of a session has no used_at. The others are kept as long as the session: who brings one again betrays a copy.
CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY, -- SHA-256
    session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

-- How often all sessions of a user were ended: who proved before that who they are gets no session for it any more.
ALTER TABLE users ADD COLUMN sign_in_epoch bigint NOT NULL DEFAULT 0;

-- +migrate Down
ALTER TABLE users DROP COLUMN sign_in_epoch;
DROP TABLE refresh_tokens;
ALTER TABLE sessions DROP COLUMN offline;
