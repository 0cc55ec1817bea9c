-- +migrate Up
-- What was sent to somebody by mail, or stands between two steps of signing in: good once, for a while, for one purpose.
CREATE TABLE one_time_tokens (
    token_hash bytea PRIMARY KEY, -- SHA-256
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    purpose    text NOT NULL, -- reset, verify, revert, challenge, …: one kind never works as another
    email      text NOT NULL DEFAULT '', -- the address that it was made for
    data       jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX one_time_tokens_user ON one_time_tokens (user_id, purpose);
CREATE INDEX one_time_tokens_over ON one_time_tokens (expires_at);

-- +migrate Down
DROP TABLE one_time_tokens;
