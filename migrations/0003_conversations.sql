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

-- Who works at, above or below a folder.
CREATE INDEX conversations_folder ON conversations (working_dir COLLATE "C");
CREATE INDEX conversations_folder_private ON conversations (working_dir COLLATE "C") WHERE visibility = 'private';
CREATE INDEX conversations_folder_garbage ON conversations (working_dir COLLATE "C")
    WHERE state = 'deleted' AND collected_at IS NULL AND collect_after < 'infinity';

-- The roots again, one a row: an index on an array finds whole elements only, and nothing below one. The triggers keep it.
CREATE TABLE conversation_roots (
    folder          text COLLATE "C" NOT NULL,
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    private         boolean NOT NULL,
    PRIMARY KEY (folder, conversation_id)
);
CREATE INDEX conversation_roots_private ON conversation_roots (folder, conversation_id) WHERE private;
CREATE INDEX conversation_roots_conversation ON conversation_roots (conversation_id);
-- +migrate StatementBegin
CREATE FUNCTION keep_conversation_roots() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM conversation_roots WHERE conversation_id = NEW.id;
    INSERT INTO conversation_roots (folder, conversation_id, private)
    SELECT DISTINCT unnest(NEW.roots), NEW.id, NEW.visibility = 'private';
    RETURN NULL;
END
$$;
-- +migrate StatementEnd
CREATE TRIGGER conversation_made_with_roots AFTER INSERT ON conversations
    FOR EACH ROW WHEN (NEW.roots <> '{}') EXECUTE FUNCTION keep_conversation_roots();
CREATE TRIGGER conversation_got_other_roots AFTER UPDATE OF roots, visibility ON conversations
    FOR EACH ROW WHEN (NEW.roots <> OLD.roots OR NEW.visibility <> OLD.visibility AND NEW.roots <> '{}') EXECUTE FUNCTION keep_conversation_roots();

-- +migrate Down
DROP TABLE conversation_roots;
DROP TABLE conversations;
DROP FUNCTION keep_conversation_roots;
