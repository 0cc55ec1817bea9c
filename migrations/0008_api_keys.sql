-- +migrate Up
-- Keys that programs show instead of signing in. A key's id takes the place of a session's.
CREATE TABLE api_keys (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    team_id      uuid REFERENCES teams ON DELETE CASCADE, -- the only team that it is good for; null: all of its owner's
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    prefix       text NOT NULL, -- the beginning, by which people know it again
    key_hash     bytea NOT NULL UNIQUE, -- SHA-256
    scopes       text[] NOT NULL CHECK (scopes <@ ARRAY['read', 'write', 'admin'] AND cardinality(scopes) > 0), -- the last is the most that it allows
    created_at   timestamptz NOT NULL,
    created_by   uuid REFERENCES users ON DELETE SET NULL,
    expires_at   timestamptz, -- null: never
    last_used_at timestamptz,
    revoked_at   timestamptz,
    replaced_by  uuid REFERENCES api_keys ON DELETE SET NULL -- by rotation; until expires_at both are good
);
CREATE INDEX api_keys_user ON api_keys (user_id);
CREATE INDEX api_keys_team ON api_keys (team_id);
CREATE INDEX api_keys_over ON api_keys (least(expires_at, revoked_at)); -- when it was over, for the purge
CREATE INDEX api_keys_replaced ON api_keys (replaced_by);

-- Accounts without a person: users of kind 'service', members of this one team, who act by keys alone.
CREATE TABLE service_accounts (
    user_id    uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    team_id    uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    name       text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    created_by uuid REFERENCES users ON DELETE SET NULL,
    created_at timestamptz NOT NULL
);
CREATE INDEX service_accounts_team ON service_accounts (team_id);

-- +migrate Down
DROP TABLE service_accounts;
DROP TABLE api_keys;
