-- +migrate Up
CREATE TABLE users (
    id            uuid PRIMARY KEY,
    kind          text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')), -- a service account belongs to its team and never signs in
    email         text NOT NULL,
    email_key     text NOT NULL UNIQUE, -- the address without letter case: what is compared
    name          text,
    avatar_url    text,
    password_hash text NOT NULL, -- empty: there is no password to sign in with
    is_active     boolean NOT NULL DEFAULT true,
    is_superuser  boolean NOT NULL DEFAULT false,
    is_verified   boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz
);

-- A session stands behind every credential: an access token names it, a browser cookie proves it.
CREATE TABLE sessions (
    id           uuid PRIMARY KEY,
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('token', 'browser')),
    token_hash   bytea UNIQUE, -- SHA-256 of the cookie; null for access tokens, which are signed
    method       text NOT NULL DEFAULT 'password', -- how the user signed in: password, passkey, setup, an issuer's name, …
    proved_at    timestamptz NOT NULL DEFAULT now(), -- when the user last proved who they are, at the sign-in or for a sensitive change
    factor_at    timestamptz, -- when a second factor was last shown; null: never in this session
    created_at   timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz,
    ip           text NOT NULL DEFAULT '',
    user_agent   text NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_over ON sessions (least(expires_at, ended_at)); -- when it was over, for the purge

-- One-time links that make the first administrator.
CREATE TABLE setup_links (
    token_hash bytea PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at    timestamptz
);

-- What holds for the whole installation: the anonymous mode as set at run time, the storage backend as the servers declare it.
CREATE TABLE installation (
    key        text PRIMARY KEY,
    value      jsonb NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    team_id    uuid,          -- null for what concerns the installation
    actor_id   uuid,          -- null for the command line and for anonymous
    actor      text NOT NULL, -- an address, 'anonymous' or 'command line'
    action     text NOT NULL,
    object     text NOT NULL DEFAULT '',
    detail     jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_log_team ON audit_log (team_id, at DESC);

-- +migrate Down
DROP TABLE audit_log;
DROP TABLE installation;
DROP TABLE setup_links;
DROP TABLE sessions;
DROP TABLE users;
