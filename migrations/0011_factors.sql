-- +migrate Up
-- Authenticator apps. A secret that is being set up stands beside the one in use until a code of it was shown.
CREATE TABLE totp_factors (
    user_id         uuid PRIMARY KEY REFERENCES users ON DELETE CASCADE,
    secret          bytea, -- sealed for its place; null: not set up yet
    last_step       bigint NOT NULL DEFAULT 0, -- the newest time step whose code was used: none counts twice
    confirmed_at    timestamptz,
    pending         bytea, -- sealed likewise
    pending_session uuid,  -- the session that is setting it up
    pending_until   timestamptz
);

-- For those who lost the other factors. Each is good once.
CREATE TABLE recovery_codes (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    code_hash  bytea NOT NULL, -- SHA-256
    created_at timestamptz NOT NULL,
    used_at    timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE passkeys (
    id            uuid PRIMARY KEY,
    user_id       uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    rp_id         text NOT NULL, -- the host name that it was made for: a passkey is good for no other
    credential_id bytea NOT NULL,
    credential    jsonb NOT NULL, -- the public key and the signature counter
    name          text NOT NULL CHECK (length(name) BETWEEN 1 AND 100),
    created_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    UNIQUE (rp_id, credential_id)
);
CREATE INDEX passkeys_user ON passkeys (user_id);

-- What a browser was asked to sign, until it answers: once, from where it was asked.
CREATE TABLE passkey_ceremonies (
    token_hash bytea PRIMARY KEY, -- SHA-256
    purpose    text NOT NULL CHECK (purpose IN ('register', 'factor', 'login')),
    user_id    uuid REFERENCES users ON DELETE CASCADE, -- null: whoever answers
    bound_hash bytea NOT NULL, -- SHA-256 of the session, the challenge or the browser that was asked
    asked      jsonb NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_ceremonies_over ON passkey_ceremonies (expires_at);
CREATE INDEX passkey_ceremonies_user ON passkey_ceremonies (user_id);

-- What a team demands of its members. No row: nothing.
CREATE TABLE team_policies (
    team_id               uuid PRIMARY KEY REFERENCES teams ON DELETE CASCADE,
    require_second_factor boolean NOT NULL DEFAULT false
);

-- +migrate Down
DROP TABLE team_policies;
DROP TABLE passkey_ceremonies;
DROP TABLE passkeys;
DROP TABLE recovery_codes;
DROP TABLE totp_factors;
