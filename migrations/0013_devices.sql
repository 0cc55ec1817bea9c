-- +migrate Up
-- Programs without a browser that wait for somebody to let them in (RFC 8628).
CREATE TABLE device_requests (
    device_hash bytea PRIMARY KEY, -- SHA-256 of what the program polls with
    user_hash   bytea NOT NULL UNIQUE, -- keyed hash of what a person types: short, so that a plain one could be reversed
    name        text NOT NULL, -- as the program calls itself
    scopes      text[] NOT NULL,
    ip          text NOT NULL,
    user_agent  text NOT NULL,
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    pause       integer NOT NULL, -- seconds between two polls; grows with each that comes too early
    polled_at   timestamptz,
    user_id     uuid REFERENCES users ON DELETE CASCADE, -- who decided
    approved    boolean, -- null: nobody has decided
    used_at     timestamptz -- the key was handed out
);
CREATE INDEX device_requests_over ON device_requests (expires_at);

-- +migrate Down
DROP TABLE device_requests;
