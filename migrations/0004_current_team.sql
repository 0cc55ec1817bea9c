-- +migrate Up
-- For which team a session acts when a request names none; null: the personal one. An id that is no team of the user's any more
-- counts as null, so nothing needs to be changed here when a membership ends.
ALTER TABLE sessions ADD COLUMN current_team uuid;

-- +migrate Down
ALTER TABLE sessions DROP COLUMN current_team;
