-- +migrate Up
CREATE TABLE teams (
    id          uuid PRIMARY KEY,
    name        text NOT NULL CHECK (length(name) BETWEEN 1 AND 255),
    is_personal boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL DEFAULT now()
);

-- Owners are member rows; several are possible.
CREATE TABLE team_members (
    id         uuid PRIMARY KEY,
    team_id    uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    role       text NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'viewer')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (team_id, user_id)
);
CREATE INDEX team_members_user ON team_members (user_id);

-- The built-in tenant of those who come without credentials. It has no members; its id is access.AnonymousTeam.
INSERT INTO teams (id, name) VALUES ('00000000-0000-4000-8000-0000000a0000', 'Anonymous');

-- +migrate Down
DROP TABLE team_members;
DROP TABLE teams;
