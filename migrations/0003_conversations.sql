-- +migrate Up
-- An id belongs to its team from the moment it is reserved, before the upstream is asked, and for ever: rows are never deleted.
CREATE TABLE conversations (
    id               uuid PRIMARY KEY,
    team_id          uuid NOT NULL REFERENCES teams,
    starter_id       uuid REFERENCES users ON DELETE SET NULL, -- null: anonymous, or adopted
    visibility       text NOT NULL DEFAULT 'team' CHECK (visibility IN ('team', 'private')),
    state            text NOT NULL CHECK (state IN ('reserved', 'live', 'failed', 'deleted')),
    title            text NOT NULL DEFAULT '',
    working_dir      text NOT NULL DEFAULT '',
    roots            text[] NOT NULL DEFAULT '{}', -- further host folders that belong to it, such as a worktree
    parent_id        uuid,
    forked_from_id   uuid, -- whose history it began with, and whose folder it shares
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    lease_expires_at timestamptz, -- while reserved: nobody reconciles before

    -- The folders of a deleted one, whose updated_at is when it was deleted.
    collected_at     timestamptz, -- when they were removed
    collect_after    timestamptz NOT NULL DEFAULT '-infinity', -- nobody tries before; 'infinity': they stay
    collect_until    timestamptz, -- somebody may be removing them until then
    collect_attempts integer NOT NULL DEFAULT 0
);
CREATE INDEX conversations_team_updated ON conversations (team_id, updated_at DESC, id DESC) WHERE state = 'live';
CREATE INDEX conversations_team_created ON conversations (team_id, created_at DESC, id DESC) WHERE state = 'live';
CREATE INDEX conversations_reserved ON conversations (lease_expires_at) WHERE state = 'reserved';
CREATE INDEX conversations_garbage ON conversations (updated_at)
    WHERE state = 'deleted' AND collected_at IS NULL AND collect_after < 'infinity';
CREATE INDEX conversations_folder ON conversations (working_dir COLLATE "C"); -- who works at, above or below a folder
CREATE INDEX conversations_roots ON conversations (id) WHERE roots <> '{}';

-- Consent, skill lists and the like. subject is a user, or the anonymous team.
CREATE TABLE preferences (
    subject_id uuid PRIMARY KEY,
    document   jsonb NOT NULL DEFAULT '{}',
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- +migrate Down
DROP TABLE preferences;
DROP TABLE conversations;
