-- +migrate Up
-- Who a user is at an issuer. Issuer and subject together name somebody for good; the address is only what was last said.
CREATE TABLE identities (
    id             uuid PRIMARY KEY,
    user_id        uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    provider       text NOT NULL, -- its name in the configuration when it was last used
    issuer         text NOT NULL,
    subject        text NOT NULL CHECK (length(subject) BETWEEN 1 AND 255),
    email          text NOT NULL DEFAULT '',
    email_verified boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL,
    last_login_at  timestamptz, -- null: linked, and never used to sign in
    UNIQUE (issuer, subject),
    UNIQUE (user_id, issuer)
);

-- States of sign-ins that came back: each is good once.
CREATE TABLE oauth_states (
    state_hash bytea PRIMARY KEY, -- SHA-256
    expires_at timestamptz NOT NULL
);
CREATE INDEX oauth_states_over ON oauth_states (expires_at);

-- A membership that a provider's groups gave goes with them; one that people gave stays.
ALTER TABLE team_members ADD COLUMN mapped_by text NOT NULL DEFAULT ''; -- the provider's name, empty when people did it

-- +migrate Down
ALTER TABLE team_members DROP COLUMN mapped_by;
DROP TABLE oauth_states;
DROP TABLE identities;
