-- +migrate Up
-- What teams and users keep: settings, secrets, profiles. user_id is null for the team's own. Values in sealed (a place in the
-- document → base64) are bound to the row: they open nowhere else.
CREATE TABLE vault_documents (
    id         uuid PRIMARY KEY,
    team_id    uuid NOT NULL REFERENCES teams ON DELETE CASCADE,
    user_id    uuid REFERENCES users ON DELETE CASCADE,
    kind       text NOT NULL CHECK (kind IN ('settings', 'secret', 'llm_profile', 'agent_profile', 'connection', 'workspaces')),
    name       text NOT NULL DEFAULT '',
    body       jsonb NOT NULL DEFAULT '{}',
    sealed     jsonb NOT NULL DEFAULT '{}',
    key_ids    bigint[] NOT NULL DEFAULT '{}', -- the keys that sealed was closed with: one, unless a value of a lost key waits for it
    version    bigint NOT NULL DEFAULT 1, -- counts changes
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK (sealed <> '{}' OR key_ids = '{}')
);
CREATE UNIQUE INDEX vault_documents_name
    ON vault_documents (team_id, coalesce(user_id, '00000000-0000-0000-0000-000000000000'), kind, lower(name));

-- +migrate Down
DROP TABLE vault_documents;
